//! One node's whole core behind one step function: what the daemon and the simulator both run.
//!
//! Wires topology, membership, groups, ledger and manager together and decides nothing itself.
#![forbid(unsafe_code)]

pub mod io;
mod node;

pub use io::{Birth, Effect, Input, Lane, Record, StoreToken, Stored, Unborn};
pub use node::Node;
pub use phalanx_wire::Arrival;
