//! What each life knows of the others, as behind real sockets (`shell/udp`, `seal.rs`): a frame is sealed for one life, and
//! while its sender has no session with any, a Hello goes out in its place.
//!
//! Nobody is told here of a life that has begun. Whoever has a session with the life before goes on sealing for that, and
//! what it sends is lost, until the new life speaks to it: with a Hello, and then with a frame of its own.

/// What a Hello echoes of one whose life is not known; no life has this start number.
const UNKNOWN: u64 = 0;

/// What a datagram to another node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Envelope {
    /// The frame, sealed for this life.
    Sealed(u64),
    /// A Hello in its place, which echoes this life.
    Hello(u64),
}

/// What one life knows of another node.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// Whose knowledge it is, by its start number.
    owner: u64,
    /// The life whose frames have opened.
    working: Option<u64>,
    /// A later one that a Hello told of.
    candidate: Option<Candidate>,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    life: u64,
    /// Whether a Hello of it has echoed the owner.
    echoed: bool,
}

/// All sessions. A life is named by its node, from 0, and its start number.
pub struct Sessions {
    nodes: usize,
    table: Vec<Known>,
}

impl Sessions {
    /// None yet.
    pub fn new(nodes: usize) -> Sessions {
        Sessions { nodes, table: vec![Known::default(); nodes * nodes] }
    }

    /// A life begins with no knowledge of others.
    fn known(&mut self, (node, owner): (usize, u64), of: usize) -> &mut Known {
        let known = &mut self.table[node * self.nodes + of];
        if known.owner != owner {
            *known = Known { owner, ..Known::default() };
        }
        known
    }

    /// How the life `me` sends to the node `to`.
    pub fn seal(&mut self, me: (usize, u64), to: usize) -> Envelope {
        let known = self.known(me, to);
        let candidate = known.candidate.filter(|candidate| candidate.echoed).map(|candidate| candidate.life);
        match known.working.or(candidate) {
            Some(life) => Envelope::Sealed(life),
            None => known.hello(),
        }
    }

    /// A Hello of `from` arrives; gives the one that answers it unless it echoes this life.
    pub fn greeted(&mut self, me: (usize, u64), from: (usize, u64), echo: u64) -> Option<Envelope> {
        let known = self.known(me, from.0);
        let newest = known.candidate.map(|candidate| candidate.life).or(known.working).unwrap_or(UNKNOWN);
        if from.1 < newest {
            return None;
        }
        if from.1 > newest {
            known.candidate = Some(Candidate { life: from.1, echoed: false });
        }
        let echoed = echo == me.1;
        if let Some(candidate) = &mut known.candidate {
            candidate.echoed |= echoed;
        }
        (!echoed).then(|| known.hello())
    }

    /// Whether a frame that `from` sealed for `me` opens.
    pub fn open(&mut self, me: (usize, u64), from: (usize, u64)) -> bool {
        let known = self.known(me, from.0);
        if known.working == Some(from.1) {
            return true;
        }
        let offered = known.candidate.is_some_and(|candidate| candidate.life == from.1);
        if offered {
            (known.working, known.candidate) = (Some(from.1), None);
        }
        offered
    }
}

impl Known {
    fn hello(&self) -> Envelope {
        let newest = self.candidate.map(|candidate| candidate.life).or(self.working);
        Envelope::Hello(newest.unwrap_or(UNKNOWN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: (usize, u64) = (0, 1);
    const OTHER: (usize, u64) = (1, 1);
    const REBORN: (usize, u64) = (1, 2);

    fn met() -> Sessions {
        let mut sessions = Sessions::new(2);
        assert_eq!(sessions.seal(ONE, 1), Envelope::Hello(UNKNOWN));
        assert_eq!(sessions.greeted(OTHER, ONE, UNKNOWN), Some(Envelope::Hello(1)));
        assert_eq!(sessions.greeted(ONE, OTHER, 1), None);
        assert_eq!(sessions.seal(ONE, 1), Envelope::Sealed(1));
        assert_eq!(sessions.seal(OTHER, 0), Envelope::Hello(1), "it has not seen that its own was heard");
        assert!(sessions.open(OTHER, ONE));
        assert_eq!(sessions.seal(OTHER, 0), Envelope::Sealed(1));
        assert!(sessions.open(ONE, OTHER));
        sessions
    }

    #[test]
    fn two_lives_greet_each_other_before_they_talk() {
        met();
    }

    #[test]
    fn a_new_life_is_spoken_to_once_a_frame_of_it_has_opened() {
        let mut sessions = met();
        assert_eq!(sessions.seal(ONE, 1), Envelope::Sealed(1), "for the life before");
        assert!(!sessions.open(ONE, REBORN), "they have not met");
        assert_eq!(sessions.seal(REBORN, 0), Envelope::Hello(UNKNOWN));
        assert_eq!(sessions.greeted(ONE, REBORN, UNKNOWN), Some(Envelope::Hello(2)));
        assert_eq!(sessions.seal(ONE, 1), Envelope::Sealed(1), "a Hello proves little");
        assert_eq!(sessions.greeted(REBORN, ONE, 2), None);
        assert!(sessions.open(ONE, REBORN));
        assert_eq!(sessions.seal(ONE, 1), Envelope::Sealed(2));
        assert_eq!(sessions.greeted(ONE, OTHER, 1), None, "its life before is over");
        assert!(!sessions.open(ONE, OTHER));
    }
}
