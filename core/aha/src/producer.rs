//! Event producers: what each is called, where its factory is, and what a program can ask of it. Never looks at an object.

use crate::registration::{Fault, Reach, Registration, When};
use crate::tree::Object;

/// Who sees occurrences of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Producer {
    /// The content of a file changes.
    ModFile,
    /// Entries of a directory come and go.
    ModDir,
    /// Mode, owner or extended attributes of a file change.
    ModFileAttr,
    /// How full a file system is, in percent.
    UtilFs,
    /// The parent-most process that runs a program ends.
    ProcessMon,
    /// One process ends.
    PidProcessMon,
    /// Nodes become members, and cease to be.
    NodeState,
    /// The members come to have the quorum, and lose it.
    QuorumState,
    /// What becomes of groups on this node.
    GroupState,
}

/// What a registration can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// `CHANGED=YES`.
    State,
    /// `THRESH_HI`, `THRESH_LO` or both.
    Value {
        /// No threshold is above this.
        value_max: u64,
    },
}

/// Whether records can say who caused what happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A process did it; its lines are there where it is known.
    Process,
    /// Nobody in particular (AIX: the producer calls back in interrupt context). What the producer itself has to say is there at every level.
    Interrupt,
}

/// Whether the highest level of information has a stack trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stack {
    /// It has: see [`crate::STACK_FRAME`] for what stands there.
    Traced,
    /// It has none.
    Untraced,
}

/// What the monitor files below a factory are called after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The path of the object, directories made as on the way there.
    Path,
    /// The number of a process.
    ProcessNumber,
    /// There is one, called after the producer.
    Event,
}

impl Producer {
    /// All of them, in the order in which they are listed.
    pub const ALL: &[Producer] = &[
        Producer::ModFile,
        Producer::ModDir,
        Producer::ModFileAttr,
        Producer::UtilFs,
        Producer::ProcessMon,
        Producer::PidProcessMon,
        Producer::NodeState,
        Producer::QuorumState,
        Producer::GroupState,
    ];

    /// Its name; its factory is `NAME.monFactory`.
    pub const fn name(self) -> &'static str {
        match self {
            Producer::ModFile => "modFile",
            Producer::ModDir => "modDir",
            Producer::ModFileAttr => "modFileAttr",
            Producer::UtilFs => "utilFs",
            Producer::ProcessMon => "processMon",
            Producer::PidProcessMon => "pidProcessMon",
            Producer::NodeState => "nodeState",
            Producer::QuorumState => "quorumState",
            Producer::GroupState => "rgState",
        }
    }

    /// The directory of its factory.
    pub const fn folder(self) -> &'static str {
        match self {
            Producer::ModFile | Producer::ModDir | Producer::ModFileAttr | Producer::UtilFs => "fs",
            Producer::ProcessMon | Producer::PidProcessMon => "cpu",
            Producer::NodeState | Producer::QuorumState | Producer::GroupState => "cluster",
        }
    }

    /// What can be asked of it.
    pub const fn trigger(self) -> Trigger {
        match self {
            Producer::ModFile
            | Producer::ModDir
            | Producer::ModFileAttr
            | Producer::ProcessMon
            | Producer::PidProcessMon
            | Producer::NodeState
            | Producer::QuorumState
            | Producer::GroupState => Trigger::State,
            Producer::UtilFs => Trigger::Value { value_max: 100 },
        }
    }

    /// Whether its records can say who did it.
    pub const fn origin(self) -> Origin {
        match self {
            Producer::ModFile | Producer::ModDir | Producer::ModFileAttr | Producer::UtilFs => {
                Origin::Process
            }
            Producer::ProcessMon
            | Producer::PidProcessMon
            | Producer::NodeState
            | Producer::QuorumState
            | Producer::GroupState => Origin::Interrupt,
        }
    }

    /// Whether its records have a stack trace at the highest level.
    pub const fn stack(self) -> Stack {
        match self {
            Producer::ModFile | Producer::ModDir | Producer::ModFileAttr => Stack::Traced,
            Producer::UtilFs
            | Producer::ProcessMon
            | Producer::PidProcessMon
            | Producer::NodeState
            | Producer::QuorumState
            | Producer::GroupState => Stack::Untraced,
        }
    }

    /// What its monitor files are called after.
    pub const fn subject(self) -> Subject {
        match self {
            Producer::ModFile
            | Producer::ModDir
            | Producer::ModFileAttr
            | Producer::UtilFs
            | Producer::ProcessMon => Subject::Path,
            Producer::PidProcessMon => Subject::ProcessNumber,
            Producer::NodeState | Producer::QuorumState | Producer::GroupState => Subject::Event,
        }
    }

    /// The one object of a producer that has only one.
    pub fn event(self) -> Object {
        Object { producer: self, name: format!("{}Event", self.name()).into() }
    }

    /// Whether it can do what a registration asks for. A threshold beyond its range is the producer's own to refuse, later.
    pub(crate) fn accepts(self, registration: &Registration) -> Result<(), Fault> {
        match (self.trigger(), &registration.when) {
            (Trigger::State, When::Changed) | (Trigger::Value { .. }, When::Reached(_)) => {}
            (Trigger::State, When::Reached(_)) => return Err(Fault::NoThresholds),
            (Trigger::Value { .. }, When::Changed) => return Err(Fault::OnlyThresholds),
        }
        match registration.reach {
            Reach::Node => Ok(()),
            Reach::Cluster => Err(Fault::OnlyHere),
        }
    }
}
