//! Sealed datagrams between the nodes of a cluster.
//!
//! [`Seal`] decides what is authentic and does no IO: random bits are handed in. [`Carrier`] has the sockets. What does not
//! authenticate is counted and dropped before it touches any state. Nothing here knows what a frame means.

pub mod carrier;
pub mod drops;
pub mod keys;
mod lot;
pub mod paths;
pub mod seal;
mod session;
pub mod steering;
mod train;
mod window;

pub use carrier::{BindError, Carrier};
pub use drops::{Dropped, Drops};
pub use keys::{Challenge, ClusterKey};
pub use paths::{PORT_DEFAULT, Paths};
pub use seal::{Identity, Opened, Seal};
pub use steering::ROUTINE;
