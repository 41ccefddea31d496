//! The asking end.

use crate::protocol::{Answer, Ask};
use crate::socket;
use std::fmt;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A connection to a daemon.
pub struct Client {
    reader: BufReader<UnixStream>,
    deadline: Option<Instant>,
    line: String,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum ClientError {
    /// No daemon listens there.
    NoDaemon(PathBuf),
    /// The socket is there, but this user may not use it.
    Forbidden(PathBuf),
    /// The time was up.
    TimedOut,
    /// The connection ended before the answer.
    Ended,
    /// The daemon speaks another language: it is newer or older than this program.
    Foreign(String),
    /// Something else.
    Io(io::Error),
}

impl Client {
    /// Connects to the daemon of a run directory.
    pub fn connect(run_dir: &Path) -> Result<Client, ClientError> {
        let path = socket::path(run_dir);
        match UnixStream::connect(&path) {
            Ok(stream) => Ok(Client { reader: BufReader::new(stream), deadline: None, line: String::new() }),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(ClientError::Forbidden(path)),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
                Err(ClientError::NoDaemon(path))
            }
            Err(error) => Err(ClientError::Io(error)),
        }
    }

    /// From now on answers are waited for this long altogether.
    pub fn limit(&mut self, span: Option<Duration>) {
        self.deadline = span.map(|span| Instant::now() + span);
    }

    /// Asks.
    pub fn ask(&mut self, ask: &Ask) -> Result<(), ClientError> {
        let mut line = serde_json::to_string(ask).expect("its keys are texts");
        line.push('\n');
        self.reader.get_mut().write_all(line.as_bytes()).map_err(ClientError::from)
    }

    /// The next line of the answer.
    pub fn hear(&mut self) -> Result<Answer, ClientError> {
        loop {
            self.set_timeout()?;
            match self.reader.read_line(&mut self.line) {
                Ok(0) => return Err(ClientError::Ended),
                Ok(_) if self.line.ends_with('\n') => {
                    let line = std::mem::take(&mut self.line);
                    return serde_json::from_str(&line)
                        .map_err(|error| ClientError::Foreign(error.to_string()));
                }
                Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn set_timeout(&self) -> Result<(), ClientError> {
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        match left {
            Some(Duration::ZERO) => Err(ClientError::TimedOut),
            left => Ok(self.reader.get_ref().set_read_timeout(left)?),
        }
    }
}

impl From<io::Error> for ClientError {
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "the kinds are the standard library's, and grow with it"
    )]
    fn from(error: io::Error) -> ClientError {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => ClientError::TimedOut,
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => ClientError::Ended,
            _ => ClientError::Io(error),
        }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::NoDaemon(path) => write!(f, "no daemon answers on {}", path.display()),
            ClientError::Forbidden(path) => write!(f, "this user may not use {}", path.display()),
            ClientError::TimedOut => f.write_str("the time given was up before the answer came"),
            ClientError::Ended => f.write_str("the daemon ended before it answered"),
            ClientError::Foreign(error) => write!(f, "the daemon speaks another version: {error}"),
            ClientError::Io(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for ClientError {}
