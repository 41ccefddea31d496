//! What must come true once every fault is over (L of the reference).
//!
//! Each is a deadline after [`What::Healed`](crate::What): one event after it shows whether it was met.

mod answered;
mod attached;
mod completeness;
mod online;
mod precision;
mod primary;

use crate::checker::{Checker, Terms};
use crate::event::{Event, GlobalTime, What};
use phalanx_types::{NodeId, Span};
use std::collections::BTreeSet;

/// One checker for each property.
pub(crate) fn checkers(terms: &Terms) -> Vec<Box<dyn Checker>> {
    vec![
        Box::new(precision::Precision::new(terms)),
        Box::new(completeness::Completeness::new(terms)),
        Box::new(primary::Primary::new(terms)),
        Box::new(online::Online::new(terms)),
        Box::new(attached::Attached::new(terms)),
        Box::new(answered::Answered::default()),
    ]
}

/// The nodes that are well, and when something must be true of them.
pub(crate) struct Deadline {
    after: Span,
    healed: Option<(GlobalTime, BTreeSet<NodeId>)>,
    judged: bool,
}

impl Deadline {
    /// This long after healing.
    fn after(span: Span) -> Deadline {
        Deadline { after: span, healed: None, judged: false }
    }

    /// Takes in healing.
    fn see(&mut self, event: &Event) {
        if let What::Healed { core } = &event.what {
            self.healed = Some((event.at, core.clone()));
        }
    }

    /// Whether the deadline has passed.
    fn over(&self, at: GlobalTime) -> bool {
        self.healed.as_ref().is_some_and(|(since, _)| at > *since + self.after)
    }

    /// The nodes that are well, once, when the deadline has passed.
    fn due(&mut self, at: GlobalTime) -> Option<BTreeSet<NodeId>> {
        let due = !self.judged && self.over(at);
        self.judged |= due;
        self.healed.as_ref().filter(|_| due).map(|(_, core)| core.clone())
    }
}
