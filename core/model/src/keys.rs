//! The keys of the cluster file: one table from which the parser takes what is known, required and default, and from
//! which the reference is printed, so that the two cannot differ.

use crate::cluster::{Exhausted, Fallback, Fallover, Format, Quorum, Startup};
use crate::words::{Choice, MonitorType, ResourceType, TieBreakerType, Word, choices};
use phalanx_types::limits::COUNT_MAX;
use phalanx_types::{Monitoring, ProofClass, TimingProfile};

/// One key.
#[derive(Debug)]
pub struct Key {
    /// The kind of table that it stands in.
    pub section: Section,
    /// What stands before the `=`; a name that people choose is in capitals.
    pub name: &'static str,
    /// What stands after it.
    pub kind: Kind,
    /// Whether it may be left out.
    pub need: Need,
    /// What it is for.
    pub meaning: &'static str,
    /// A value as it may stand in a file; for a free name, the whole entry.
    pub example: &'static str,
}

/// The kinds of tables in a cluster file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// The file itself.
    File,
    /// `[cluster]`
    Cluster,
    /// `[node.NODE]`
    Node,
    /// `[network.NETWORK]`
    Network,
    /// `[tie-breaker.TIE-BREAKER]`
    TieBreaker,
    /// `[group.GROUP]`
    Group,
    /// `[group.GROUP.resource.RESOURCE]`, of any type.
    Resource,
    /// The same of type `service-address`.
    ServiceAddress,
    /// The same of type `file-system`.
    FileSystem,
    /// The same of type `application`.
    Application,
    /// `limits` of a resource.
    Limits,
    /// `restart` of an application.
    Restart,
    /// An entry of `monitor` of an application, of any type.
    Monitor,
    /// The same of type `process`.
    ProcessMonitor,
    /// The same of type `custom`.
    CustomMonitor,
}

/// What a key takes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A table.
    Table,
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Number {
        /// At least.
        min: u32,
        /// At most.
        max: u32,
    },
    /// A duration in quotes.
    Duration,
    /// One of a few words.
    Word {
        /// Those of this version.
        choices: fn() -> Vec<Choice>,
        /// Those that a later version will take.
        later: &'static [&'static str],
    },
    /// Text, captioned.
    Text(&'static str),
    /// A list of texts, captioned.
    List(&'static str),
}

/// Whether a key may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It must be there.
    Required,
    /// Left out, it is this, as it would stand in the file.
    Default(&'static str),
    /// Left out, what its meaning says happens.
    Optional,
}

use Need::{Default, Optional, Required};

macro_rules! keys {
    ($($section:ident { $($name:literal: $kind:expr, $need:expr, $example:literal, $meaning:literal;)* })*) => {
        /// Every key, in the order in which people should read about them.
        pub const KEYS: &[Key] = &[$($(Key {
            section: Section::$section,
            name: $name,
            kind: $kind,
            need: $need,
            meaning: $meaning,
            example: $example,
        },)*)*];
    };
}

keys! {
    File {
        "schema": Kind::Number { min: 1, max: 1 }, Required, "1",
            "The version of this file's own shape.";
        "cluster": Kind::Table, Required, "{ name = \"demo\" }",
            "What holds for the whole cluster.";
        "node": Kind::Table, Required, "{ ada = { address = { client = \"10.11.0.1\" } } }",
            "The nodes by name, in an order that should not change: the first is node 1.";
        "network": Kind::Table, Required, "{ client = { subnet = \"10.11.0.0/24\" } }",
            "The networks by name.";
        "tie-breaker": Kind::Table, Optional, "{ dc3 = { type = \"nfs\", directory = \"/net/dc3/demo\" } }",
            "Places outside the cluster, by name, where one of two equal halves can claim that it goes on.";
        "group": Kind::Table, Optional, "{ shop = { nodes = [\"ada\", \"bob\", \"cyd\"] } }",
            "The resource groups by name: what moves as one.";
    }
    Cluster {
        "name": Kind::Text("name"), Required, "\"demo\"",
            "What the cluster is called.";
        "timing": word::<TimingProfile>(), Default("\"auto\""), "\"auto\"",
            "How fast a lost node is noticed, and how long a stall is forgiven.";
        "monitoring": word::<Monitoring>(), Default("\"mesh\""), "\"mesh\"",
            "How nodes watch each other: what a node costs the others, and how much of it the network carries.";
        "grace": Kind::Duration, Optional, "\"2s\"",
            "How much longer a silent node is waited for while its kernel answers an ICMP echo; leases, and so each takeover without fencing, are longer by as much. At most 30s; left out, nobody asks for echoes.";
        "tie-breaker": Kind::Text("name"), Optional, "\"dc3\"",
            "Which of the tie-breakers decides between two equal halves; left out, both halves stop.";
        "quorum": word::<Quorum>(), Default("\"majority\""), "\"majority\"",
            "Which part of a divided cluster may run resources.";
    }
    Node {
        "address": Kind::Table, Required, "{ client = \"10.11.0.1\", back = \"fd00:11::1\" }",
            "Where the node is reached: for each network one address, or a list where the node has several interfaces on it.";
    }
    Network {
        "subnet": Kind::Text("subnet"), Required, "\"10.11.0.0/24\"",
            "The addresses on it; a list of subnets where routers join several to one network. A node's addresses on it are all of one of them. Subnets do not overlap: an address tells its network.";
        "service": Kind::Flag, Default("true"), "false",
            "Whether service addresses may stand on it (PowerHA: public; `false` is its private network).";
        "targets": Kind::List("addresses"), Default("[]"), "[\"10.11.0.254\"]",
            "Addresses, such as a router's, that answer an ICMP echo. A node that reaches no other node there asks them: if one answers its own adapter works (PowerHA: netmon.cf). Without any, two nodes that do not reach each other cannot tell whose adapter is dead.";
    }
    TieBreaker {
        "type": word::<TieBreakerType>(), Required, "\"nfs\"",
            "What it is.";
        "directory": Kind::Text("absolute path"), Required, "\"/net/dc3/demo\"",
            "A directory of a file system that all nodes have mounted there, from a server that is none of them.";
        "limit": Kind::Duration, Default("\"250ms\""), "\"250ms\"",
            "How long an answer may take, at most 30s. Leases, and so each takeover without fencing, are as much longer.";
    }
    Group {
        "nodes": Kind::List("node names"), Required, "[\"ada\", \"bob\", \"cyd\"]",
            "Where it may run, best first. The first is its home node.";
        "startup": word::<Startup>(), Default("\"home-node\""), "\"home-node\"",
            "Where it starts when the cluster does.";
        "fallover": word::<Fallover>(), Default("\"next-priority\""), "\"next-priority\"",
            "Where it goes when its node is lost or cannot run it.";
        "fallback": word::<Fallback>(), Default("\"higher-priority\""), "\"never\"",
            "Whether it returns when a better node joins.";
        "takeover-needs": word::<ProofClass>(), Default("\"process\""), "\"hardware\"",
            "The least proof, that a lost node no longer runs it, on which another node may take it over.";
        "resource": Kind::Table, Optional, "{ shop-ip = { type = \"service-address\", network = \"client\", address = \"10.11.0.100/24\" } }",
            "Its resources by name.";
    }
    Resource {
        "type": word::<ResourceType>(), Required, "\"application\"",
            "What it is; the other keys depend on it.";
        "after": Kind::List("resource names"), Optional, "[\"shop-data\"]",
            "The resources of the same group that start before it and stop after it, and no others. Without `after` the types say: file systems (an outer mount point before an inner one), then service addresses, then applications.";
        "limits": Kind::Table, Optional, "{ start = \"10s\", stop = \"5s\" }",
            "How long its operations may take.";
    }
    ServiceAddress {
        "network": Kind::Text("network name"), Required, "\"client\"",
            "The network. The subnet of it that holds the address is also that of every node of the group.";
        "address": Kind::Text("address with prefix"), Required, "\"10.11.0.100/24\"",
            "The address, with the prefix of its subnet.";
    }
    FileSystem {
        "device": Kind::Text("absolute path"), Required, "\"/dev/phalanx/shop\"",
            "The block device, by a path that is the same on every node of the group.";
        "mount": Kind::Text("absolute path"), Required, "\"/srv/shop\"",
            "The mount point.";
        "format": word::<Format>(), Required, "\"ext4\"",
            "What is on the device.";
        "options": Kind::List("mount options"), Default("[]"), "[\"noatime\", \"nodev\"]",
            "Options as for `mount -o`, each a text of its own.";
    }
    Application {
        "start": Kind::List("program and arguments"), Required, "[\"/usr/bin/shop\", \"--data\", \"/srv/shop\"]",
            "Runs the application; it stays in the foreground. No shell reads it. The program is an absolute path, or a bare name in the system's directories.";
        "stop": Kind::List("program and arguments"), Optional, "[\"/usr/bin/shop\", \"--quit\"]",
            "Ends the application. Without it: SIGTERM. What is left when `limits.stop` is over is killed with its control group.";
        "restart": Kind::Table, Optional, "{ count = 3, within = \"60s\", then = \"fallover\" }",
            "What is done when a monitor fails.";
        "monitor": Kind::Table, Optional, "{ alive = { type = \"process\" } }",
            "Its monitors by name. Without one nobody notices when the application fails.";
    }
    Limits {
        "start": Kind::Duration, Default("\"30s\""), "\"10s\"",
            "For a start; when it is over the start has failed.";
        "stop": Kind::Duration, Default("\"30s\""), "\"5s\"",
            "For a stop; when it is over what is left is killed.";
        "probe": Kind::Duration, Default("\"30s\""), "\"2s\"",
            "For looking whether it is active.";
    }
    Restart {
        "count": Kind::Number { min: 0, max: COUNT_MAX }, Default("3"), "3",
            "Restarts in place; 0 goes to `then` at once.";
        "within": Kind::Duration, Default("\"60s\""), "\"60s\"",
            "The time over which they are counted.";
        "then": word::<Exhausted>(), Default("\"fallover\""), "\"fallover\"",
            "What follows when they are used up.";
    }
    Monitor {
        "type": word::<MonitorType>(), Required, "\"process\"",
            "How health is known; the other keys depend on it.";
    }
    CustomMonitor {
        "command": Kind::List("program and arguments"), Required, "[\"curl\", \"-fsm1\", \"http://10.11.0.100/\"]",
            "Exit code 0 means well; anything else, or running into `limit`, is a failure.";
        "every": Kind::Duration, Default("\"10s\""), "\"2s\"",
            "From one run to the next.";
        "limit": Kind::Duration, Default("\"5s\""), "\"1s\"",
            "When a run is killed and counts as a failure; at most `every`.";
        "failures": Kind::Number { min: 1, max: COUNT_MAX }, Default("1"), "2",
            "Failures in a row that make the application failed.";
    }
}

/// Keys that have their place in the file, but no feature behind them in this version.
pub const LATER: &[(Section, &str)] = &[
    (Section::File, "site"),
    (Section::File, "dependency"),
    (Section::File, "hook"),
    (Section::File, "resource-type"),
    (Section::File, "repository"),
    (Section::File, "fence"),
    (Section::Node, "site"),
    (Section::Node, "fence"),
    (Section::Network, "site"),
    (Section::Group, "fallback-at"),
    (Section::Group, "site-policy"),
];

impl Section {
    /// Every kind of table, in the order in which people should read about them.
    pub const ALL: &'static [Section] = &[
        Section::File,
        Section::Cluster,
        Section::Node,
        Section::Network,
        Section::TieBreaker,
        Section::Group,
        Section::Resource,
        Section::ServiceAddress,
        Section::FileSystem,
        Section::Application,
        Section::Limits,
        Section::Restart,
        Section::Monitor,
        Section::ProcessMonitor,
        Section::CustomMonitor,
    ];

    /// The section whose keys it has besides its own.
    pub fn base(self) -> Option<Section> {
        match self {
            Section::ServiceAddress | Section::FileSystem | Section::Application => Some(Section::Resource),
            Section::ProcessMonitor | Section::CustomMonitor => Some(Section::Monitor),
            Section::File
            | Section::Cluster
            | Section::Node
            | Section::Network
            | Section::TieBreaker
            | Section::Group
            | Section::Resource
            | Section::Limits
            | Section::Restart
            | Section::Monitor => None,
        }
    }

    /// The keys that may stand in it.
    pub fn keys(self) -> impl Iterator<Item = &'static Key> {
        KEYS.iter().filter(move |key| key.section == self || Some(key.section) == self.base())
    }

    /// The keys of its own.
    pub fn own_keys(self) -> impl Iterator<Item = &'static Key> {
        KEYS.iter().filter(move |key| key.section == self)
    }

    /// Its key called `name`.
    pub fn key(self, name: &str) -> Option<&'static Key> {
        self.keys().find(|key| key.name == name)
    }

    /// The sections that a table of this base may turn out to be: itself, if it is no base.
    pub(crate) fn kinds(self) -> Vec<Section> {
        let kinds: Vec<_> = Section::ALL.iter().copied().filter(|other| other.base() == Some(self)).collect();
        if kinds.is_empty() { vec![self] } else { kinds }
    }

    /// What `type` says in it, where it has a `type`.
    pub fn type_word(self) -> Option<&'static str> {
        match self {
            Section::ServiceAddress => Some(ResourceType::ServiceAddress.word()),
            Section::FileSystem => Some(ResourceType::FileSystem.word()),
            Section::Application => Some(ResourceType::Application.word()),
            Section::ProcessMonitor => Some(MonitorType::Process.word()),
            Section::CustomMonitor => Some(MonitorType::Custom.word()),
            Section::File
            | Section::Cluster
            | Section::Node
            | Section::Network
            | Section::TieBreaker
            | Section::Group
            | Section::Resource
            | Section::Limits
            | Section::Restart
            | Section::Monitor => None,
        }
    }

    /// Whether a later version has `name` here.
    pub(crate) fn is_later(self, name: &str) -> bool {
        LATER
            .iter()
            .any(|(section, later)| (*section == self || Some(*section) == self.base()) && *later == name)
    }
}

/// The kind that takes the words of `W`.
const fn word<W: Word>() -> Kind {
    Kind::Word { choices: choices::<W>, later: W::LATER }
}

impl Kind {
    /// The words that a later version will take.
    pub fn later(self) -> &'static [&'static str] {
        match self {
            Kind::Word { later, .. } => later,
            Kind::Table
            | Kind::Flag
            | Kind::Number { .. }
            | Kind::Duration
            | Kind::Text(_)
            | Kind::List(_) => &[],
        }
    }

    /// What it takes, in words.
    pub fn caption(self) -> String {
        match self {
            Kind::Table => "table".into(),
            Kind::Flag => "`true` or `false`".into(),
            Kind::Number { min, max } if min == max => format!("the number {min}"),
            Kind::Number { min, max } => format!("whole number from {min} to {max}"),
            Kind::Duration => "duration".into(),
            Kind::Word { .. } => "word".into(),
            Kind::Text(caption) => format!("text: {caption}"),
            Kind::List(caption) => format!("list of texts: {caption}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use toml::de::DeValue;

    #[test]
    fn examples_and_defaults_are_toml() {
        for key in KEYS {
            assert!(DeValue::parse(key.example).is_ok(), "{}: {}", key.name, key.example);
            if let Default(text) = key.need {
                assert!(DeValue::parse(text).is_ok(), "{}: {text}", key.name);
            }
        }
    }

    #[test]
    fn no_section_has_a_key_twice_and_no_later_key_is_here_already() {
        for section in Section::ALL {
            let names: Vec<_> = section.keys().map(|key| key.name).collect();
            let repeated = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name));
            assert_eq!(repeated, None, "{section:?}");
            assert!(names.iter().all(|name| !section.is_later(name)), "{section:?}");
        }
    }
}
