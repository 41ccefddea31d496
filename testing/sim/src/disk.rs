//! A node's journal: records become durable one after the other, each whole or not at all.
//!
//! The journal outlives daemon and host. What was being written when they die is old or new, by chance.

use phalanx_node::{Record, StoreToken, Stored};
use phalanx_types::Span;
use std::collections::VecDeque;

use crate::random::{Random, Stream};

/// How a disk is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DiskHealth {
    /// Writes take up to two milliseconds.
    #[default]
    Well,
    /// Writes take up to half a second.
    Slow,
    /// One write in eight fails.
    Failing,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is durable.
    Done(StoreToken),
    /// Nobody knows.
    Failed(StoreToken),
}

/// One node's journal.
pub struct Journal {
    stored: Stored,
    waiting: VecDeque<(StoreToken, Record)>,
    /// Grows when the writes under way are lost, so that their completion means nothing.
    generation: u32,
    health: DiskHealth,
    random: Random,
}

fn apply(stored: &mut Stored, record: Record) {
    match record {
        Record::Limits { view_counter_max, lease_max } => {
            (stored.view_counter_max, stored.lease_max) = (view_counter_max, lease_max);
        }
        Record::Ledger(bytes) => stored.ledger = bytes,
    }
}

impl Journal {
    /// The journal of a node that was given this first ledger and has used so many view counters.
    pub fn new(seed: u64, node: u64, ledger: Vec<u8>, view_counter_max: u64) -> Journal {
        let stored = Stored { ledger, view_counter_max, ..Stored::default() };
        let random = Random::new(seed.wrapping_add(node << 32), Stream::Disk);
        Journal { stored, waiting: VecDeque::new(), generation: 0, health: DiskHealth::Well, random }
    }

    /// What is durable.
    pub fn stored(&self) -> &Stored {
        &self.stored
    }

    /// How the disk does from now on.
    pub fn set_health(&mut self, health: DiskHealth) {
        self.health = health;
    }

    /// Takes a record; if no other is being written, says how long this one takes.
    pub fn write(&mut self, token: StoreToken, record: Record) -> Option<Span> {
        self.waiting.push_back((token, record));
        (self.waiting.len() == 1).then(|| self.latency())
    }

    /// Tells this write from those before a crash.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    fn latency(&mut self) -> Span {
        let (low, high) = match self.health {
            DiskHealth::Well | DiskHealth::Failing => (50, 2_000),
            DiskHealth::Slow => (2_000, 500_000),
        };
        self.random.span_by_magnitude(Span::from_micros(low), Span::from_micros(high))
    }

    /// The first write under way ends; says how, and how long the next takes.
    pub fn landed(&mut self, generation: u32) -> Option<(Written, Option<Span>)> {
        if generation != self.generation {
            return None;
        }
        let (token, record) = self.waiting.pop_front()?;
        let fails = self.health == DiskHealth::Failing && self.random.below(8) == 0;
        if !fails || self.random.coin() {
            apply(&mut self.stored, record);
        }
        let written = if fails { Written::Failed(token) } else { Written::Done(token) };
        let next = (!self.waiting.is_empty()).then(|| self.latency());
        Some((written, next))
    }

    /// The daemon is gone: the record being written is old or new, those behind it are lost.
    pub fn writer_died(&mut self) {
        if let Some((_, record)) = self.waiting.pop_front()
            && self.random.coin()
        {
            apply(&mut self.stored, record);
        }
        self.waiting.clear();
        self.generation += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(view_counter_max: u64) -> Record {
        Record::Limits { view_counter_max, lease_max: Span(1) }
    }

    #[test]
    fn records_land_in_order() {
        let mut journal = Journal::new(1, 1, vec![7], 0);
        assert!(journal.write(StoreToken(1), limits(64)).is_some());
        assert!(journal.write(StoreToken(2), limits(128)).is_none(), "it waits for the first");
        assert_eq!(journal.stored().view_counter_max, 0);
        let (written, next) = journal.landed(0).unwrap();
        assert_eq!((written, next.is_some()), (Written::Done(StoreToken(1)), true));
        assert_eq!(journal.stored().view_counter_max, 64);
        journal.landed(0);
        assert_eq!(journal.stored().view_counter_max, 128);
        assert_eq!(journal.stored().ledger, vec![7]);
    }

    #[test]
    fn a_crash_leaves_old_or_new_and_nothing_else() {
        let after_crash = |seed| {
            let mut journal = Journal::new(seed, 1, Vec::new(), 0);
            journal.write(StoreToken(1), limits(64));
            journal.write(StoreToken(2), limits(128));
            journal.writer_died();
            assert_eq!(journal.landed(0), None, "the write is over");
            journal.stored().view_counter_max
        };
        let seen: std::collections::BTreeSet<_> = (0..50).map(after_crash).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [0, 64]);
    }
}
