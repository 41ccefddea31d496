//! The socket of Group Services: clients come, are heard, told, checked and dropped.
//!
//! One thread serves all of them and waits for none. What they do goes into a bounded queue, from which the real-time thread
//! takes as much as it likes; who has too much in there, does not read, or says what is none, is dropped alone. Never decides
//! what happens in a group.
#![forbid(unsafe_code)]

mod acts;
mod connection;
mod deactivate;
mod pulse;
mod server;
mod socket;

pub use acts::{Act, Acts};
pub use deactivate::{Deactivated, Deactivator};
pub use server::{Daemon, Place, Server, Told};
pub use socket::{USERS, listen, path};
