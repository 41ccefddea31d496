//! File systems on shared disks: whether one is active here, making it so, and letting go of it.
//!
//! Knows devices by their numbers, not by their names. Ends only processes that use the very file system it lets go of,
//! never init, never its own process. Never decides who may mount.

mod claim;
pub mod mount;
mod options;
pub mod state;
mod superblock;
pub mod unmount;
mod users;

pub use mount::{MountError, Mounting, mount};
pub use state::{State, state};
pub use unmount::{Manner, UnmountError, unmount};
