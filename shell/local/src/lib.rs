//! Local sockets: where one is, who can reach it, and who is at the other end. Never decides what they may do there.

mod peer;
mod socket;
mod users;

pub use peer::Peer;
pub use socket::{SocketError, listen};
