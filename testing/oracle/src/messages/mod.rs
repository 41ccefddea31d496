//! Properties of ordered messages (G1 to G11 of the reference).

mod acyclic;
mod barrier;
mod causal;
mod fifo;
mod integrity;
mod no_duplication;
mod reached;
mod safe;
mod same_view;
mod self_delivery;
mod total_order;
mod virtual_synchrony;

use crate::checker::{Checker, Terms};
#[cfg(test)]
use crate::trial::Trial;

/// One checker for each property.
pub(crate) fn checkers(_: &Terms) -> Vec<Box<dyn Checker>> {
    vec![
        Box::new(integrity::Integrity::default()),
        Box::new(no_duplication::NoDuplication::default()),
        Box::new(same_view::SameView::default()),
        Box::new(virtual_synchrony::VirtualSynchrony::default()),
        Box::new(fifo::Fifo::default()),
        Box::new(causal::Causal::default()),
        Box::new(total_order::TotalOrder::default()),
        Box::new(acyclic::Acyclic::default()),
        Box::new(safe::Safe::default()),
        Box::new(self_delivery::SelfDelivery::default()),
        Box::new(barrier::Barrier::default()),
    ]
}

/// The trial of each property of the reference.
#[cfg(test)]
pub(crate) fn trials() -> Vec<Trial> {
    vec![
        integrity::tests::trial(),
        no_duplication::tests::trial(),
        same_view::tests::trial(),
        virtual_synchrony::tests::trial(),
        fifo::tests::trial(),
        causal::tests::trial(),
        total_order::tests::trial(),
        acyclic::tests::trial(),
        safe::tests::trial(),
        self_delivery::tests::trial(),
        barrier::tests::trial(),
    ]
}
