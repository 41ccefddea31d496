//! Properties of resource groups, their permits, their leases and their configuration (R, F and C of the
//! reference).

mod data_plane;
mod determinism;
mod ledger;
mod one_owner;
mod permit;
mod self_stop;
mod service_address;
mod takeover;

use crate::checker::{Checker, Terms};
#[cfg(test)]
use crate::trial::Trial;

/// Properties that hold under every fault.
pub(crate) fn always(_: &Terms) -> Vec<Box<dyn Checker>> {
    vec![
        Box::new(permit::PermitHeld::default()),
        Box::new(determinism::Determinism::default()),
        Box::new(ledger::LedgerKept::default()),
    ]
}

/// Properties that hold under the faults that proofs of class `process` cover.
pub(crate) fn within_class(terms: &Terms) -> Vec<Box<dyn Checker>> {
    vec![
        Box::new(one_owner::OneOwner::default()),
        Box::new(data_plane::DataPlane::default()),
        Box::new(service_address::OneAddress::default()),
        Box::new(takeover::Takeover::new(terms)),
        Box::new(self_stop::SelfStop::new(terms)),
    ]
}

/// The trial of each property of the reference.
#[cfg(test)]
pub(crate) fn trials() -> Vec<Trial> {
    vec![takeover::tests::trial()]
}
