//! A checker holds one property; the oracle holds all checkers and shows each every event.
//!
//! A checker decides whether its property still holds after an event. It never looks ahead, never asks a node, and
//! keeps no more than the property needs of what can still matter.

use crate::event::{Event, GlobalTime};
use crate::{liveness, membership, messages, resources, voting};
use phalanx_events::MembershipNote;
use phalanx_types::{GroupName, NodeId, Span, Timings};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A property that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Its name.
    pub property: &'static str,
    /// What was seen and what should have been.
    pub words: String,
    /// When it was seen.
    pub at: GlobalTime,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} broken at {}: {}", self.property, self.at, self.words)
    }
}

/// What a checker says of one event.
pub type Verdict = Result<(), Violation>;

/// One property, checked while the trace grows.
pub trait Checker: Send {
    /// The property's name.
    fn property(&self) -> &'static str;

    /// Takes in the next event.
    fn see(&mut self, event: &Event) -> Result<(), String>;

    /// The trace ends at `at`.
    fn finish(&mut self, _at: GlobalTime) -> Result<(), String> {
        Ok(())
    }
}

/// What the checkers need to know of the cluster.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The configured nodes.
    pub nodes: BTreeSet<NodeId>,
    /// The configured timings.
    pub timings: Timings,
    /// Those that each node said last that it goes by.
    pub in_force: BTreeMap<NodeId, Timings>,
    /// The resource groups and where each may run.
    pub groups: BTreeMap<GroupName, Vec<NodeId>>,
}

impl Terms {
    /// How many nodes make a majority.
    pub fn majority(&self) -> usize {
        self.nodes.len() / 2 + 1
    }

    /// Takes in which timings a node goes by.
    pub fn see(&mut self, event: &Event) {
        if let Some(MembershipNote::TimingsInForce { timings }) = event.membership() {
            self.in_force.insert(event.life.node, *timings);
        }
    }

    /// The slowest timings that any node goes by.
    pub fn slowest(&self) -> Timings {
        let known = self.in_force.values().copied().chain([self.timings]);
        known.max_by_key(Timings::detect).unwrap_or(self.timings)
    }

    /// Within this after healing, the survivors agree (`B` in the reference).
    pub fn settle(&self) -> Span {
        self.slowest().detect_longest() * 3 + Span::from_secs(5)
    }
}

/// All checkers.
pub struct Oracle {
    checkers: Vec<Box<dyn Checker>>,
}

impl Oracle {
    /// Every property that holds at any time, under every fault that class `process` covers.
    pub fn safety(terms: &Terms) -> Oracle {
        let mut oracle = Oracle::beyond_class(terms);
        oracle.checkers.extend(membership::within_class(terms));
        oracle.checkers.extend(resources::within_class(terms));
        oracle
    }

    /// The safety properties that hold even while whole hosts are frozen and thawed.
    pub fn beyond_class(terms: &Terms) -> Oracle {
        let mut checkers = membership::checkers(terms);
        checkers.extend(messages::checkers(terms));
        checkers.extend(voting::checkers(terms));
        checkers.extend(resources::always(terms));
        Oracle { checkers }
    }

    /// Adds what must come true once every fault is over.
    pub fn with_liveness(mut self, terms: &Terms) -> Oracle {
        self.checkers.extend(liveness::checkers(terms));
        self
    }

    /// Only these properties.
    pub fn only(mut self, properties: &[&str]) -> Oracle {
        self.checkers.retain(|checker| properties.contains(&checker.property()));
        self
    }

    /// The names of the properties checked.
    pub fn properties(&self) -> Vec<&'static str> {
        self.checkers.iter().map(|checker| checker.property()).collect()
    }

    /// Shows the next event to every checker; the first that objects is heard.
    pub fn see(&mut self, event: &Event) -> Verdict {
        self.ask(event.at, |checker| checker.see(event))
    }

    /// Ends the trace.
    pub fn finish(&mut self, at: GlobalTime) -> Verdict {
        self.ask(at, |checker| checker.finish(at))
    }

    fn ask(
        &mut self,
        at: GlobalTime,
        mut question: impl FnMut(&mut dyn Checker) -> Result<(), String>,
    ) -> Verdict {
        for checker in &mut self.checkers {
            if let Err(words) = question(checker.as_mut()) {
                return Err(Violation { property: checker.property(), words, at });
            }
        }
        Ok(())
    }
}

/// `Err(words())` unless `holds`.
pub(crate) fn demand(holds: bool, words: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(words()) }
}
