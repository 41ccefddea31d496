//! Properties of views (M1 to M9 of the reference).

mod continuity;
mod identity;
mod initial_view;
mod monotony;
mod quarantine;
mod self_inclusion;
mod successors;
mod transitional;
mod view_agreement;

use crate::checker::{Checker, Terms};

/// One checker for each property.
pub(crate) fn checkers(terms: &Terms) -> Vec<Box<dyn Checker>> {
    vec![
        Box::new(self_inclusion::SelfInclusion),
        Box::new(monotony::Monotony::default()),
        Box::new(view_agreement::ViewAgreement::default()),
        Box::new(initial_view::InitialView::default()),
        Box::new(identity::Identity::new(terms)),
        Box::new(continuity::Continuity::new(terms)),
        Box::new(successors::Successors::default()),
        Box::new(transitional::Transitional::default()),
        Box::new(quarantine::Quarantine::new(terms)),
    ]
}
