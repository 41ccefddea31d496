//! Agreed views, ordered messages, leases and the proofs that a takeover needs.
//!
//! Knows who beats (from `topology`) and nothing of resource groups beyond their names in proofs. Never acts on a
//! suspicion of its own: it only says which views were agreed and until when a lease holds.
#![forbid(unsafe_code)]

mod ending;
mod fifo;
mod lease;
mod links;
mod machine;
mod message;
mod order;
mod promise;
pub mod proof;
pub mod standing;
#[cfg(feature = "testing")]
pub mod testing;

pub use machine::{Above, Delivered, Installed, Membership, Output, Pace, SendError, Setup, Upcall};
pub use phalanx_topology::{Hearing, Strategy, outlook as topology};
pub use proof::{Clearance, Expiry, Finding, Missing, Proof, ProofKind};
pub use standing::Standing;
