//! Judges a trace of a whole cluster, property by property, while it happens.
//!
//! The simulator (or a harness around real processes) shows an [`Oracle`] every [`Event`]; the first property that no
//! longer holds comes back as a [`Violation`]. One file for each property. The oracle knows nothing of how a node
//! decides: it reads notes and ground truth only.
#![forbid(unsafe_code)]

mod census;
mod checker;
mod event;
mod horizon;
mod liveness;
mod membership;
mod messages;
mod resources;
#[cfg(test)]
mod story;
mod voting;
mod words;

pub use census::Census;
pub use checker::{Checker, Oracle, Terms, Verdict, Violation};
pub use event::{Delivery, Event, GlobalTime, HoldEnd, Install, Sending, What};
