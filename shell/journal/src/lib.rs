//! What a node keeps on disk: its identity, what it must not forget, and a record of what happened.
//!
//! Files are small, checksummed, and replaced whole. A damaged one is named and never guessed at. Never decides what to
//! write, never repairs.
#![forbid(unsafe_code)]

pub mod event_log;
pub mod file;
pub mod hex;
pub mod identity;
pub mod invitation;
pub mod limits;
pub mod stamp;
pub mod state_dir;

pub use event_log::EventLog;
pub use file::{FileError, Kind, Trouble};
pub use identity::{ClusterSecret, Identity};
pub use invitation::Invitation;
pub use limits::Limits;
pub use state_dir::{StateDir, StateError};
