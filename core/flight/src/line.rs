//! The lines of a flight record: a head, then an entry for each event, then an end. Each is one JSON object.

use phalanx_types::Span;
use serde::{Deserialize, Serialize};

/// The version of the format; a reader takes no other.
pub const SCHEMA: u32 = 1;

/// The first line: what was run, so that it can be run again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The version of the format.
    pub flight: u32,
    /// The seed.
    pub seed: u64,
    /// The command that runs it again.
    pub command: String,
    /// The nodes' names, the first node's first.
    pub nodes: Vec<String>,
    /// The cluster file that it began with.
    pub cluster: String,
}

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// What was done to the cluster.
    Fault,
    /// A host or a daemon begins, ends, stands still.
    Life,
    /// Paths, peers, adapters.
    Path,
    /// Views.
    View,
    /// Leases and the deadman.
    Lease,
    /// Plans, requests, the configuration.
    Plan,
    /// Groups and their resources.
    Group,
    /// An ordered message.
    Message,
    /// What comes all the time and tells little: a lease renewed, a write to a disk.
    Routine,
    /// A rare branch of the core.
    Branch,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number, from 1.
    pub n: u64,
    /// When, on the one clock that all nodes are watched by, in nanoseconds.
    pub at: u64,
    /// The node, from 1.
    pub node: u16,
    /// Which life of it.
    pub life: u64,
    /// What it is about.
    pub kind: Kind,
    /// What happened.
    pub say: String,
    /// The entry that it followed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
}

/// A property that did not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    /// Its name.
    pub property: String,
    /// What was seen and what should have been.
    pub say: String,
    /// When it was seen.
    pub at: u64,
}

/// The last line. A record without it was cut off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// How many entries there are.
    pub entries: u64,
    /// When the run ended.
    pub at: u64,
    /// What was broken, if anything.
    pub broken: Option<Broken>,
}

impl Kind {
    /// Whether people see it only when they ask for everything.
    pub fn is_small(self) -> bool {
        match self {
            Kind::Message | Kind::Routine | Kind::Branch => true,
            Kind::Fault | Kind::Life | Kind::Path | Kind::View | Kind::Lease | Kind::Plan | Kind::Group => {
                false
            }
        }
    }
}

impl Entry {
    /// How long before `later` it was.
    pub fn before(&self, later: u64) -> Span {
        Span(later.saturating_sub(self.at))
    }
}

/// One line, its end included.
pub fn write(line: &impl Serialize) -> String {
    let mut text = serde_json::to_string(line).expect("a line is plain data");
    text.push('\n');
    text
}
