//! Tie-breakers of this host: what claims a generation for half of the nodes, outside the cluster.
//!
//! Knows nothing of views and charters: it is told what to claim, and tells what became of it. An answer that does not come in
//! time is none, and one that hangs holds nobody up but the next claim.
#![forbid(unsafe_code)]

mod claim_file;
pub mod nfs;
pub mod patient;

pub use nfs::{Directory, NfsError};
pub use patient::Patient;
