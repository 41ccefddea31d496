//! What the server passes on to the daemon.

use crate::protocol::Ask;
use crate::server::ClientId;

/// An ask that the daemon itself must answer: its client may make it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// To whom the answer goes.
    pub client: ClientId,
    /// What is asked.
    pub ask: Ask,
    /// Who asks, for the audit.
    pub by: String,
}
