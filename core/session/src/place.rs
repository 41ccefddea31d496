//! Where a node's socket for clients is.

/// The run directory of a node that was told no other.
pub const RUN_DIR: &str = "/run/phalanx";
/// The socket's name in it.
pub const SOCKET: &str = "groups.sock";
