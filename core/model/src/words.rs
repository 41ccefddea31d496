//! The words that keys with a closed choice take, what each means, and those that a later version will take.
//! The parser, the printer and the reference all read this one table.

use crate::cluster::{Exhausted, Fallback, Fallover, Format, Quorum, Startup};
use phalanx_types::{Monitoring, ProofClass, TimingProfile};

/// A word of a closed choice, as the reference shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What stands in the file.
    pub word: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

/// A type that stands in the file as one of several words.
pub(crate) trait Word: Copy + 'static {
    /// All words, in the order in which they are shown.
    const WORDS: &'static [(Self, Choice)];
    /// Words that a later version will take. One that ends with `:` stands for all that begin so.
    const LATER: &'static [&'static str];

    /// What stands in the file.
    fn word(self) -> &'static str;

    /// What `text` stands for.
    fn of(text: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(_, choice)| choice.word == text).map(|(word, _)| *word)
    }

    /// Whether a later version takes `text`.
    fn is_later(text: &str) -> bool {
        Self::LATER.iter().any(|later| *later == text || (later.ends_with(':') && text.starts_with(later)))
    }
}

/// The choices of `W`, for the table of keys.
pub(crate) fn choices<W: Word>() -> Vec<Choice> {
    W::WORDS.iter().map(|(_, choice)| *choice).collect()
}

/// The types of resources of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResourceType {
    ServiceAddress,
    FileSystem,
    Application,
}

/// The types of tie-breakers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TieBreakerType {
    Nfs,
}

/// The types of monitors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MonitorType {
    Process,
    Custom,
}

macro_rules! words {
    ($($type:ident { $($variant:ident = $word:literal: $meaning:literal,)* } later [$($later:literal),*])*) => {$(
        impl Word for $type {
            const WORDS: &'static [(Self, Choice)] =
                &[$(($type::$variant, Choice { word: $word, meaning: $meaning })),*];
            const LATER: &'static [&'static str] = &[$($later),*];

            fn word(self) -> &'static str {
                match self { $($type::$variant => $word,)* }
            }
        }
    )*};
}

words! {
    TimingProfile {
        Fast = "fast": "A crashed host is declared down after 110 ms. For quiet machines on one switch: a stall of 75 ms may cost a fallover.",
        Auto = "auto": "A crashed host is declared down after 400 ms; a stall of 300 ms costs nothing.",
        Relaxed = "relaxed": "Seconds instead of fractions. For busy or virtual machines.",
    } later []
    Monitoring {
        Mesh = "mesh": "Each node beats to all others. Simple and quick; its cost for each node grows with their number.",
        Ring = "ring": "On each network the nodes form a ring in the order of their addresses, each beats to its neighbour, and the highest speaks for all (RSCT: Topology Services). What it costs a node does not grow with their number.",
    } later []
    Quorum {
        Majority = "majority": "More than half of the configured nodes may run resources together.",
        Dynamic = "dynamic": "More than half of those that last had the quorum together and stayed so for a while: nodes that are lost one after the other are not needed any more, down to two.",
    } later ["none"]
    TieBreakerType {
        Nfs = "nfs": "Files in a directory that all nodes have mounted from a file server. Who makes the file of a generation first has won.",
    } later ["disk", "witness", "manual"]
    Startup {
        HomeNode = "home-node": "Only on its home node, the first of `nodes` (PowerHA: OHN).",
        FirstAvailable = "first-available": "On the first of `nodes` that is there (PowerHA: OFAN).",
    } later ["all-available", "distribution"]
    Fallover {
        NextPriority = "next-priority": "To the next of `nodes` that can take it (PowerHA: FNPN).",
    } later ["dynamic", "bring-offline"]
    Fallback {
        HigherPriority = "higher-priority": "It moves to a node earlier in `nodes` as soon as one joins (PowerHA: FBHPN).",
        Never = "never": "It stays where it is (PowerHA: NFB).",
    } later []
    ProofClass {
        Process = "process": "The lost node's lease has ended. Covers a crash, a partition, the death or stop of the daemon; not a host that is frozen as a whole and thawed.",
        Kernel = "kernel": "The same, with a kernel watchdog: covers starved and killed processes too.",
        Hardware = "hardware": "The same, with a watchdog outside the host: covers a frozen host too.",
        Fenced = "fenced": "A device confirmed that the node is off or cut from the data.",
    } later []
    ResourceType {
        ServiceAddress = "service-address": "An address that clients use; it moves with the group.",
        FileSystem = "file-system": "A file system on a disk that the group's nodes share.",
        Application = "application": "A program that the cluster starts, watches and stops.",
    } later [
        "systemd:", "ocf:", "user:", "volume-group", "nfs", "nfs-export", "nfs-mount", "replicated-disk",
        "shared-file-system", "raw-disk"
    ]
    Format {
        Ext4 = "ext4": "ext4",
        Xfs = "xfs": "XFS",
        Btrfs = "btrfs": "Btrfs",
    } later ["gfs2", "nfs", "nfs4"]
    Exhausted {
        Fallover = "fallover": "The group moves to another node.",
        Notify = "notify": "An event tells people; the group stays.",
    } later []
    MonitorType {
        Process = "process": "Watches the process that `start` runs; its end is a failure, noticed at once.",
        Custom = "custom": "Runs a command at intervals; exit code 0 means well.",
    } later []
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_reads_back_as_what_it_stands_for() {
        for (startup, choice) in Startup::WORDS {
            assert_eq!(startup.word(), choice.word);
            assert_eq!(Startup::of(choice.word), Some(*startup));
        }
    }

    #[test]
    fn words_of_later_versions_are_told_from_slips() {
        assert!(ResourceType::is_later("systemd:nginx.service") && ResourceType::is_later("volume-group"));
        assert!(!ResourceType::is_later("file-systems") && !ResourceType::is_later("systemd"));
    }
}
