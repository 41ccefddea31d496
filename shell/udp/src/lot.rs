//! Where datagrams are read, and opened where they stand: what came together shares its memory.
//!
//! The memory comes back once nobody has any of its frames any more, which is the rule: the core keeps none.

use phalanx_types::{Incarnation, PathId, Shared};
use phalanx_wire::Arrival;
use std::mem;
use std::ops::Range;

/// Bytes of a lot. Room for one more read is made before each, so there are a few long ones in it, or very many short ones.
const LOT_BYTES: usize = 8 * READ_BYTES_MAX;
/// Lots that are kept for what comes next.
const SPARE_LOTS_MAX: usize = 4;
/// Bytes of what is read at a time: a train, or the longest datagram there is.
pub const READ_BYTES_MAX: usize = 65_536;

/// What is being read.
#[derive(Default)]
pub struct Lot {
    memory: Vec<u8>,
    /// How much of it is taken.
    taken: usize,
    frames: Vec<(PathId, Incarnation, Range<usize>)>,
    /// Lots whose frames somebody may still have.
    lent: Vec<Shared>,
    spare: Vec<Vec<u8>>,
}

impl Lot {
    /// Room for one read. What was read before becomes arrivals where there is none.
    pub fn room(&mut self, arrivals: &mut Vec<Arrival>) -> &mut [u8] {
        if self.memory.len() < self.taken + READ_BYTES_MAX {
            self.hand_over(arrivals);
            self.memory = self.fresh();
        }
        &mut self.memory[self.taken..self.taken + READ_BYTES_MAX]
    }

    /// What was read last, a datagram of it.
    pub fn datagram(&mut self, range: Range<usize>) -> &mut [u8] {
        &mut self.memory[self.taken..][range]
    }

    /// A part of what was read last is a frame.
    pub fn keep(&mut self, path: PathId, from: Incarnation, frame: Range<usize>) {
        self.frames.push((path, from, self.taken + frame.start..self.taken + frame.end));
    }

    /// So many bytes were read; all frames in them are known.
    pub fn take(&mut self, length: usize) {
        self.taken += length;
    }

    /// Gives all frames, in the order in which they came.
    pub fn hand_over(&mut self, arrivals: &mut Vec<Arrival>) {
        self.taken = 0;
        if self.frames.is_empty() {
            return;
        }
        let lot = Shared::from(mem::take(&mut self.memory));
        let arrival = |(path, from, frame)| Arrival { path, from, bytes: lot.part(frame) };
        arrivals.extend(self.frames.drain(..).map(arrival));
        self.lent.push(lot);
    }

    fn fresh(&mut self) -> Vec<u8> {
        let free = self.lent.extract_if(.., |lot| lot.is_sole());
        self.spare.extend(free.filter_map(Shared::reclaim));
        self.lent.truncate(SPARE_LOTS_MAX);
        self.spare.truncate(SPARE_LOTS_MAX);
        self.spare.pop().unwrap_or_else(|| vec![0; LOT_BYTES])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_types::{NetworkId, NodeId};

    const PATH: PathId = PathId { network: NetworkId(0), index: 0 };
    const FROM: Incarnation = Incarnation { node: NodeId(2), start: 1 };

    fn read(lot: &mut Lot, byte: u8, length: usize, arrivals: &mut Vec<Arrival>) {
        lot.room(arrivals)[..length].fill(byte);
        lot.keep(PATH, FROM, 1..length);
        lot.take(length);
    }

    #[test]
    fn frames_come_in_order_from_as_many_lots_as_it_takes_and_the_memory_comes_back() {
        let (mut lot, mut arrivals) = (Lot::default(), Vec::new());
        for round in 0..3 {
            (0..20).for_each(|byte| read(&mut lot, byte, READ_BYTES_MAX, &mut arrivals));
            lot.hand_over(&mut arrivals);
            assert_eq!(arrivals.len(), 20);
            for (arrival, byte) in arrivals.iter().zip(0..) {
                assert_eq!(arrival.bytes.len(), READ_BYTES_MAX - 1);
                assert!(arrival.bytes.iter().all(|got| *got == byte), "{byte} in round {round}");
            }
            assert_eq!(lot.lent.len(), 3);
            arrivals.clear();
        }
        read(&mut lot, 7, 10, &mut arrivals);
        assert_eq!((lot.spare.len(), lot.lent.len()), (2, 0));
    }
}
