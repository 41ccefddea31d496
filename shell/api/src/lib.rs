//! The local socket: operators and programs ask, the daemon answers, a JSON object a line.
//!
//! Who can connect may read; root and the daemon's own user may change. Clients are bounded, and one that does not read is
//! dropped: nobody waits for it. Never decides what an answer is.
#![forbid(unsafe_code)]

pub mod asked;
pub mod client;
mod connection;
pub mod protocol;
pub mod server;
pub mod socket;

pub use asked::Asked;
pub use client::{Client, ClientError};
pub use protocol::{Answer, Ask, Event, Level, SCHEMA};
pub use server::{ClientId, Server, Told};
pub use socket::{Rights, SocketError};
