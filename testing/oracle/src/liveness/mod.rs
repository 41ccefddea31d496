//! What must come true in time (L of the reference).
//!
//! Most is due once every fault is over: a deadline after [`What::Healed`](crate::What), and one event after it shows whether
//! it was met. That views are few (L10) and do not go in circles (L12) is due all the time.

mod accuracy;
mod answered;
mod attached;
mod changes;
mod completeness;
mod current;
mod decided;
mod delivered;
mod online;
mod precision;
mod primary;
mod view_loop;
mod views_per_fault;

use crate::checker::{Checker, Terms};
use crate::event::{Event, GlobalTime, What};
#[cfg(test)]
use crate::trial::Trial;
use phalanx_types::{NodeId, Span};
use std::collections::BTreeSet;

/// One checker for each property. What says more of what went wrong comes first.
pub(crate) fn checkers(terms: &Terms) -> Vec<Box<dyn Checker>> {
    vec![
        Box::new(accuracy::Accuracy::new(terms)),
        Box::new(precision::Precision::new(terms)),
        Box::new(completeness::Completeness::new(terms)),
        Box::new(primary::Primary::new(terms)),
        Box::new(delivered::DeliveredToAll::new(terms)),
        Box::new(decided::Decided::new(terms)),
        Box::new(online::Online::new(terms)),
        Box::new(attached::Attached::new(terms)),
        Box::new(answered::Answered::default()),
        Box::new(view_loop::ViewLoop::new(terms)),
        Box::new(views_per_fault::ViewsPerFault::new(terms)),
    ]
}

/// The trial of each property of the reference.
#[cfg(test)]
pub(crate) fn trials() -> Vec<Trial> {
    vec![
        precision::tests::trial(),
        accuracy::tests::trial(),
        completeness::tests::trial(),
        primary::tests::trial(),
        delivered::tests::trial(),
        decided::tests::trial(),
        views_per_fault::tests::trial(),
        view_loop::tests::trial(),
    ]
}

/// The nodes that are well, and when something must be true of them.
pub(crate) struct Deadline {
    after: fn(&Terms) -> Span,
    terms: Terms,
    healed: Option<(GlobalTime, BTreeSet<NodeId>)>,
    judged: bool,
}

impl Deadline {
    /// So long after healing as `after` says by the slowest timings that are in force.
    fn after(terms: &Terms, after: fn(&Terms) -> Span) -> Deadline {
        Deadline { after, terms: terms.clone(), healed: None, judged: false }
    }

    /// How long that is by now.
    fn span(&self) -> Span {
        (self.after)(&self.terms)
    }

    /// Takes in healing, and which timings are in force.
    fn see(&mut self, event: &Event) {
        self.terms.see(event);
        if let What::Healed { core } = &event.what {
            self.healed = Some((event.at, core.clone()));
        }
    }

    /// Whether the deadline has passed.
    fn over(&self, at: GlobalTime) -> bool {
        self.healed.as_ref().is_some_and(|(since, _)| at > *since + self.span())
    }

    /// The nodes that are well, once all has healed.
    fn core(&self) -> Option<&BTreeSet<NodeId>> {
        self.healed.as_ref().map(|(_, core)| core)
    }

    /// The nodes that are well, once, when the deadline has passed.
    fn due(&mut self, at: GlobalTime) -> Option<BTreeSet<NodeId>> {
        let due = !self.judged && self.over(at);
        self.judged |= due;
        self.healed.as_ref().filter(|_| due).map(|(_, core)| core.clone())
    }
}
