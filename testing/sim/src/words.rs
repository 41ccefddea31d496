//! Faults in words, for people who read a trace.

use crate::disk::DiskHealth;
use crate::fault::Fault;
use crate::net::{Link, QUIET, Trouble};
use crate::resource::Ailment;
use phalanx_types::Span;
use phalanx_wire::{Frame, RingId};
use std::fmt::{self, Display, Formatter};

/// The numbers of the bits set, counted from `first`.
fn numbers(mask: u8, first: u32) -> String {
    let set = (0..8u32).filter(|bit| mask >> bit & 1 == 1);
    set.map(|bit| (bit + first).to_string()).collect::<Vec<_>>().join(",")
}

impl Display for Link {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.cut {
            return f.write_str("cut");
        }
        if self.largest < QUIET.largest {
            write!(f, "nothing above {} bytes passes, ", self.largest)?;
        }
        if self.held_until > QUIET.held_until {
            write!(f, "held until {}, ", Span(self.held_until))?;
        }
        write!(f, "{} % lost, {} % doubled", self.loss / 10_000, self.duplicate / 10_000)?;
        let late = (Span(self.delay - QUIET.delay), Span(self.jitter - QUIET.jitter));
        write!(f, ", late by {} and up to {} more", late.0, late.1)?;
        f.write_str(if self.reorder { ", out of order" } else { "" })
    }
}

impl Display for Trouble {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (from, to, networks) = (numbers(self.from, 1), numbers(self.to, 1), numbers(self.networks, 0));
        write!(f, "from nodes {from} to {to} on networks {networks}: {}", self.link)
    }
}

impl Display for Ailment {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} operations {:?} in {} of 100 cases", self.verb, self.how, self.millionths / 10_000)
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Fault::CrashHost => f.write_str("the host crashes, to boot again"),
            Fault::CrashDaemon => f.write_str("the daemon crashes, to be started again"),
            Fault::Pause => f.write_str("the daemon is stopped"),
            Fault::Restart => f.write_str("the daemon is asked to end, to be started again"),
            Fault::Net([Some(there), None] | [None, Some(there)]) => write!(f, "{there}"),
            Fault::Net([Some(there), Some(back)]) => write!(f, "{there}; {back}"),
            Fault::Net([None, None]) => f.write_str("nothing"),
            Fault::Adapter { network, silent: false } => write!(f, "no carrier on network {network}"),
            Fault::Adapter { network, silent: true } => {
                write!(f, "nothing passes on network {network}, which has a carrier")
            }
            Fault::Address => f.write_str("somebody takes a service address off"),
            Fault::Operations(ailment) => write!(f, "{ailment}"),
            Fault::Application => f.write_str("an application ends"),
            Fault::Disk(DiskHealth::Well) => f.write_str("nothing"),
            Fault::Disk(DiskHealth::Slow) => f.write_str("the journal is slow"),
            Fault::Disk(DiskHealth::Failing) => f.write_str("the journal fails now and then"),
            Fault::Deadman => f.write_str("the deadman is gone"),
            Fault::Change => f.write_str("an operator applies a change"),
            Fault::Operator => f.write_str("an operator wants something"),
            Fault::AllDaemons => f.write_str("all daemons crash, to be started again"),
            Fault::AllHosts => f.write_str("all hosts crash, to boot again"),
            Fault::Form => f.write_str("most hosts crash, and an operator forms the cluster of the rest"),
            Fault::Freeze => f.write_str("the whole host stands still; its clock runs on"),
            Fault::FreezeWithClock => f.write_str("the whole host stands still, its clock too"),
        }
    }
}

/// What a frame says about a ring's group; nothing of any other.
pub(crate) fn ring_frame(bytes: &[u8]) -> String {
    let Ok(Frame::Ring(frame)) = Frame::decode(bytes) else { return String::new() };
    let RingId { leader, instance } = frame.group;
    let lives: Vec<String> = frame.lives.iter().map(ToString::to_string).collect();
    format!(" ({:?} {leader}/{instance} {})", frame.word, lives.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_reads_like_a_sentence() {
        let cut = |from, to| Some(Trouble { networks: 3, from, to, link: Link::CUT });
        let words = Fault::Net([cut(4, 3), cut(3, 4)]).to_string();
        assert_eq!(
            words,
            "from nodes 3 to 1,2 on networks 0,1: cut; from nodes 1,2 to 3 on networks 0,1: cut"
        );
    }
}
