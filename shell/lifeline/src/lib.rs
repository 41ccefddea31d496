//! What the daemon and its deadman say to each other, and both ends of the socket they say it over.
//!
//! One message is one packet of a local socket, each request is answered, and both sides know by the kernel's word who
//! the other is. What is said many times a second, the lease end, stands on a page that both share (`slate`). Never
//! decides anything.

pub mod client;
pub mod message;
mod peer;
pub mod server;
pub mod slate;

pub use client::{Lifeline, LifelineError};
pub use message::{HeldAddress, HeldFileSystem, Hold, Reply, Request};
pub use server::{Connection, Listener, Received};
pub use slate::Slate;
