//! The lines that go over the socket. Keys are only ever added; `schema` says when one changed its meaning.

use phalanx_conduct::Reply;
use phalanx_types::{GroupName, NodeName};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// The meaning of the keys, in every JSON object that people and programs get.
pub const SCHEMA: u32 = 1;

/// What a client asks. One ask at a time; an ask to change ends with [`Answer::Reply`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Ask {
    /// The state of things.
    Status,
    /// The active cluster file.
    Config,
    /// Group Services: the domain, its groups, and what is voted on.
    Domain,
    /// The networks: who is reached on each, and who watches whom.
    Topology,
    /// What happened.
    Events {
        /// How many of the last events.
        last: usize,
        /// Whether what happens from now on is told too, without end.
        follow: bool,
    },
    /// Make this cluster file the active one.
    Apply {
        /// The file, as text.
        text: String,
    },
    /// Form the cluster without the nodes that are away, on the operator's word that they are down.
    Form {
        /// The cluster's name, as the operator typed it.
        cluster: String,
        /// Why, for the record.
        why: String,
    },
    /// Go by the configured timings again.
    ShrinkTimings,
    /// Move a group to a node.
    Move {
        /// The group.
        group: GroupName,
        /// The node.
        to: NodeName,
    },
    /// Clear a group's priority override.
    Restore {
        /// The group.
        group: GroupName,
    },
    /// Bring a group online.
    Online {
        /// The group.
        group: GroupName,
    },
    /// Bring a group offline.
    Offline {
        /// The group.
        group: GroupName,
    },
    /// Move this node's groups away and end the daemon.
    Stop,
}

/// What the daemon answers, a line each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    /// The state of things; the last line.
    Status {
        /// As `phalanx_conduct::Status` is written, and what the daemon adds.
        status: Value,
    },
    /// The active cluster file; the last line.
    Config {
        /// The file.
        text: String,
    },
    /// Group Services; the last line.
    Domain {
        /// As `phalanx_groups::outlook::DomainOutlook` is written, and the nodes' names.
        domain: Value,
    },
    /// The networks; the last line.
    Topology {
        /// Each path with its nodes in the order of their addresses.
        topology: Value,
    },
    /// An event; what happens while a change is under way, too.
    Event(Event),
    /// No more events were asked for; the last line.
    End,
    /// A change was taken and is under way.
    Taken,
    /// How a change ended; the last line.
    Reply {
        /// How.
        reply: Reply,
    },
    /// The ask was not understood or not allowed; the last line. Nothing was done.
    Refused {
        /// Whether it was not allowed rather than wrong.
        forbidden: bool,
        /// What is wrong and what to do.
        why: String,
    },
}

/// How urgent an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// A packet.
    Trace,
    /// A decision.
    Debug,
    /// The cluster changed.
    Info,
    /// Someone will have to act.
    Warn,
    /// Someone must act.
    Error,
}

/// Something that happened, as it is logged and told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// What the keys mean.
    pub schema: u32,
    /// Which event of this node, counted over its daemon's lives.
    pub number: u64,
    /// Wall clock of the node, for people.
    pub time: String,
    /// The node.
    pub node: String,
    /// How urgent it is.
    pub level: Level,
    /// What happened, in a sentence.
    pub text: String,
    /// The same as data.
    pub note: Value,
}

impl Ask {
    /// Whether it changes something.
    pub fn changes(&self) -> bool {
        match self {
            Ask::Status | Ask::Config | Ask::Domain | Ask::Topology | Ask::Events { .. } => false,
            Ask::Apply { .. }
            | Ask::Form { .. }
            | Ask::ShrinkTimings
            | Ask::Move { .. }
            | Ask::Restore { .. }
            | Ask::Online { .. }
            | Ask::Offline { .. }
            | Ask::Stop => true,
        }
    }
}

impl Answer {
    /// Whether nothing follows it.
    pub fn is_last(&self) -> bool {
        match self {
            Answer::Event(_) | Answer::Taken => false,
            Answer::Status { .. }
            | Answer::Config { .. }
            | Answer::Domain { .. }
            | Answer::Topology { .. }
            | Answer::End
            | Answer::Reply { .. }
            | Answer::Refused { .. } => true,
        }
    }

    /// The line that it is.
    pub fn line(&self) -> String {
        let mut line = serde_json::to_string(self).expect("its keys are texts");
        line.push('\n');
        line
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Level::Trace => "trace",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        })
    }
}
