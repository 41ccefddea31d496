//! Why a client cannot go on.

use phalanx_session::{Broken, TooLong};
use std::path::PathBuf;
use std::{fmt, io};

/// Why a client cannot go on. Except after [`ClientError::TooLong`] the connection is over, and with it every provider and
/// subscription of the client; a new one begins anew.
#[derive(Debug)]
pub enum ClientError {
    /// No daemon answers there.
    NoNode(PathBuf),
    /// The socket is there, but this user may not use it.
    Forbidden(PathBuf),
    /// The node does not take this client, or speaks something else.
    Broken(Broken),
    /// The connection ended: the daemon did, or it dropped this client.
    Ended,
    /// What was to be said is longer than a frame. Nothing was said.
    TooLong,
    /// Something else.
    Io(io::Error),
}

impl From<Broken> for ClientError {
    fn from(why: Broken) -> ClientError {
        ClientError::Broken(why)
    }
}

impl From<TooLong> for ClientError {
    fn from(TooLong: TooLong) -> ClientError {
        ClientError::TooLong
    }
}

impl From<io::Error> for ClientError {
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "the kinds are the standard library's, and grow with it"
    )]
    fn from(error: io::Error) -> ClientError {
        match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => ClientError::Ended,
            _ => ClientError::Io(error),
        }
    }
}

impl ClientError {
    /// Why there is no connection to a socket.
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "the kinds are the standard library's, and grow with it"
    )]
    pub(crate) fn unconnected(socket: PathBuf, error: io::Error) -> ClientError {
        match error.kind() {
            io::ErrorKind::PermissionDenied => ClientError::Forbidden(socket),
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::NoNode(socket),
            _ => ClientError::Io(error),
        }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::NoNode(socket) => write!(f, "no daemon answers on {}", socket.display()),
            ClientError::Forbidden(socket) => write!(f, "this user may not use {}", socket.display()),
            ClientError::Broken(why) => why.fmt(f),
            ClientError::Ended => f.write_str("the connection to the node ended"),
            ClientError::TooLong => f.write_str("too many providers are named at once"),
            ClientError::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ClientError {}
