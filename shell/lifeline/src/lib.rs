//! What the daemon and its deadman say to each other, and both ends of the socket they say it over.
//!
//! One message is one packet of a local socket, each request is answered, and both sides know by the kernel's word who
//! the other is. Never decides anything.

pub mod client;
pub mod message;
mod peer;
pub mod server;

pub use client::{Lifeline, LifelineError};
pub use message::{HeldAddress, HeldFileSystem, Hold, Reply, Request};
pub use server::{Connection, Listener, Received};
