//! Properties of views (M1 to M9 of the reference).

mod continuity;
mod deciders;
mod identity;
mod initial_view;
mod monotony;
mod primary_order;
mod quarantine;
mod self_inclusion;
mod successors;
mod tie;
mod transitional;
mod view_agreement;

use crate::checker::{Checker, Terms};
#[cfg(test)]
use crate::trial::Trial;

/// The properties that hold under the faults that proofs of class `process` cover.
pub(crate) fn within_class(terms: &Terms) -> Vec<Box<dyn Checker>> {
    vec![Box::new(primary_order::PrimaryOrder::new(terms))]
}

/// One checker for each property that holds under every fault.
pub(crate) fn checkers(terms: &Terms) -> Vec<Box<dyn Checker>> {
    vec![
        Box::new(self_inclusion::SelfInclusion),
        Box::new(monotony::Monotony::default()),
        Box::new(view_agreement::ViewAgreement::default()),
        Box::new(initial_view::InitialView::default()),
        Box::new(identity::Identity::new(terms)),
        Box::new(continuity::Continuity::new(terms)),
        Box::new(successors::Successors::default()),
        Box::new(tie::OneWinner::default()),
        Box::new(transitional::Transitional::default()),
        Box::new(quarantine::Quarantine::new(terms)),
    ]
}

/// The trial of each property of the reference.
#[cfg(test)]
pub(crate) fn trials() -> Vec<Trial> {
    vec![
        self_inclusion::tests::trial(),
        monotony::tests::trial(),
        view_agreement::tests::trial(),
        initial_view::tests::trial(),
        identity::tests::trial(),
        primary_order::tests::trial(),
        continuity::tests::trial(),
        successors::tests::trial(),
        transitional::tests::trial(),
        tie::tests::trial(),
    ]
}
