//! Why a datagram was dropped, and how often. Nothing else remembers a dropped datagram.

use std::fmt;

macro_rules! reasons {
    ($($name:ident = $text:literal, $meaning:literal;)*) => {
        /// Why a datagram was dropped; no state was touched.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Dropped {
            $(#[doc = $meaning] $name,)*
        }

        impl Dropped {
            /// Every reason.
            pub const ALL: &'static [Dropped] = &[$(Dropped::$name),*];

            /// The reason in one word, as the counters name it.
            pub fn word(self) -> &'static str {
                match self { $(Dropped::$name => $text,)* }
            }
        }
    };
}

reasons! {
    Source = "source", "It came from an address that is no node's on that path.";
    Malformed = "malformed", "It is too short, or not one of ours.";
    Version = "version", "No protocol version is common.";
    Cluster = "cluster", "It belongs to another cluster.";
    KeyEpoch = "key-epoch", "It was sealed under another of the cluster's keys.";
    Receiver = "receiver", "It is for another node, or for another life of this one.";
    Sender = "sender", "Its sender is no other configured node.";
    OldLife = "old-life", "A later life of its sender is known already.";
    Twin = "twin", "Its sender's life has a session already, with another challenge: two daemons have one identity.";
    NoSession = "no-session", "There is no session with its sender yet.";
    Replay = "replay", "Its counter was seen already, or is too old to tell.";
    Forged = "forged", "It does not authenticate.";
}

/// How many datagrams were dropped for each reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drops([u64; Dropped::ALL.len()]);

impl Drops {
    /// Counts one.
    pub fn count(&mut self, reason: Dropped) {
        self.0[reason as usize] += 1;
    }

    /// How many for this reason.
    pub fn of(&self, reason: Dropped) -> u64 {
        self.0[reason as usize]
    }

    /// The reasons that occurred, with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (Dropped, u64)> {
        Dropped::ALL.iter().map(|reason| (*reason, self.of(*reason))).filter(|(_, count)| *count > 0)
    }
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
