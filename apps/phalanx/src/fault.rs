//! What a command says when it cannot do what it was asked: an id, what is wrong, what to do, an exit code.

use phalanx_api::{ClientError, SCHEMA};
use phalanx_conduct::Reply;
use phalanx_journal::{FileError, StateError};
use serde_json::json;
use std::path::Path;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It was tried and failed.
    Failed = 1,
    /// What was given makes no sense.
    BadInput = 2,
    /// The state of things does not allow it.
    Refused = 3,
    /// Nobody knows how it ended.
    Unknown = 4,
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub struct Fault {
    /// The exit code.
    pub exit: Exit,
    /// The message's id; its meaning never changes.
    pub id: &'static str,
    /// What is wrong, and where.
    pub what: String,
    /// What to do.
    pub remedy: String,
    /// The single faults of a file, as data.
    pub faults: Vec<serde_json::Value>,
}

impl Fault {
    /// A fault.
    pub fn new(exit: Exit, id: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Fault {
        Fault { exit, id, what: what.into(), remedy: remedy.into(), faults: Vec::new() }
    }

    /// A file that cannot be read or written.
    pub fn file(path: &Path, error: &std::io::Error) -> Fault {
        let what = format!("{}: {error}", path.display());
        Fault::new(Exit::BadInput, "PHX-C001", what, "look whether the right file is named")
    }

    /// A reply that is not `Done`.
    pub fn reply(reply: Reply) -> Option<Fault> {
        let fault = |exit, id, why, remedy: &str| Some(Fault::new(exit, id, why, remedy));
        match reply {
            Reply::Done { .. } => None,
            Reply::Failed { why } => {
                fault(Exit::Failed, "PHX-C010", why, "see `phalanx events` for each step")
            }
            Reply::Bad { why } => fault(Exit::BadInput, "PHX-C011", why, "nothing was changed"),
            Reply::Refused { why } => fault(Exit::Refused, "PHX-C012", why, "nothing was changed"),
            Reply::Unknown { why } => {
                fault(Exit::Unknown, "PHX-C013", why, "see `phalanx status` for what became of it")
            }
        }
    }

    /// Prints it where it belongs.
    pub fn print(&self, json: bool) {
        if json {
            let Fault { exit, id, what, remedy, faults } = self;
            let mut error = json!({ "id": id, "exit": *exit as u8, "what": what, "remedy": remedy });
            if !faults.is_empty() {
                error["faults"] = faults.clone().into();
            }
            println!("{}", json!({ "schema": SCHEMA, "error": error }));
        } else {
            eprintln!("phalanx: [{}] {}", self.id, self.what);
            eprintln!("  {}", self.remedy);
        }
    }
}

impl From<ClientError> for Fault {
    fn from(error: ClientError) -> Fault {
        let what = error.to_string();
        match error {
            ClientError::NoDaemon(_) => {
                Fault::new(Exit::Refused, "PHX-C002", what, "start phalanxd, or name its --run-dir")
            }
            ClientError::Forbidden(_) => Fault::new(
                Exit::Refused,
                "PHX-C003",
                what,
                "be root, or a member of group phalanx, which may read",
            ),
            ClientError::TimedOut => Fault::new(
                Exit::Unknown,
                "PHX-C004",
                what,
                "what was begun goes on; see `phalanx status` and `phalanx events`",
            ),
            ClientError::Ended => Fault::new(
                Exit::Unknown,
                "PHX-C005",
                what,
                "look whether phalanxd is running, and at its log",
            ),
            ClientError::Foreign(_) => {
                Fault::new(Exit::Failed, "PHX-C006", what, "use the `phalanx` that came with this phalanxd")
            }
            ClientError::Io(_) => Fault::new(Exit::Failed, "PHX-C007", what, "look at the log of phalanxd"),
        }
    }
}

impl From<StateError> for Fault {
    fn from(error: StateError) -> Fault {
        let what = error.to_string();
        match error {
            StateError::Empty(_) => {
                Fault::new(Exit::Refused, "PHX-C020", what, "or name another --state-dir")
            }
            StateError::Taken(_) => Fault::new(
                Exit::Refused,
                "PHX-C021",
                what,
                "name another --state-dir, or remove this one if its node is gone for good",
            ),
            StateError::Locked(_) => Fault::new(Exit::Refused, "PHX-C022", what, "stop it first"),
            StateError::File(error) => error.into(),
        }
    }
}

impl From<FileError> for Fault {
    fn from(error: FileError) -> Fault {
        let remedy = "nothing was changed; look whether the right file is named and whole";
        Fault::new(Exit::BadInput, "PHX-C023", error.to_string(), remedy)
    }
}
