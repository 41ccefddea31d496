//! Asking the daemon, and showing what it says on the way.
#![allow(clippy::wildcard_enum_match_arm, reason = "whatever answer was not asked for is told as such")]

use crate::cli::{Cli, Waiting};
use crate::events::text;
use crate::fault::{Exit, Fault};
use phalanx_api::{Answer, Ask, Client, Event};
use phalanx_conduct::Reply;
use serde_json::Value;
use std::io::{self, Write};
use std::process::exit;
use std::time::Duration;

/// How long a read is waited for: the daemon answers from memory.
const READ_LIMIT: Duration = Duration::from_secs(10);

/// Connects and asks to read.
pub fn read(cli: &Cli, ask: &Ask, limit: Option<Duration>) -> Result<Client, Fault> {
    let mut client = Client::connect(&cli.run_dir)?;
    client.limit(limit);
    client.ask(ask)?;
    Ok(client)
}

/// The state of things.
pub fn status(cli: &Cli) -> Result<Value, Fault> {
    match read(cli, &Ask::Status, Some(READ_LIMIT))?.hear()? {
        Answer::Status { status } => Ok(status),
        other => Err(unexpected(other)),
    }
}

/// Group Services.
pub fn domain(cli: &Cli) -> Result<Value, Fault> {
    match read(cli, &Ask::Domain, Some(READ_LIMIT))?.hear()? {
        Answer::Domain { domain } => Ok(domain),
        other => Err(unexpected(other)),
    }
}

/// The networks.
pub fn topology(cli: &Cli) -> Result<Value, Fault> {
    match read(cli, &Ask::Topology, Some(READ_LIMIT))?.hear()? {
        Answer::Topology { topology } => Ok(topology),
        other => Err(unexpected(other)),
    }
}

/// The active cluster file.
pub fn config(cli: &Cli) -> Result<String, Fault> {
    match read(cli, &Ask::Config, Some(READ_LIMIT))?.hear()? {
        Answer::Config { text } => Ok(text),
        other => Err(unexpected(other)),
    }
}

/// The last events, oldest first.
pub fn last_events(cli: &Cli, last: usize) -> Result<Vec<Event>, Fault> {
    let mut client = read(cli, &Ask::Events { last, follow: false }, Some(READ_LIMIT))?;
    let mut events = Vec::new();
    loop {
        match client.hear()? {
            Answer::Event(event) => events.push(event),
            Answer::End => return Ok(events),
            other => return Err(unexpected(other)),
        }
    }
}

/// Asks for a change and waits for its end; `told` hears what happens on the way.
pub fn change(cli: &Cli, ask: &Ask, waiting: &Waiting, told: impl Fn(&Cli, &Event)) -> Result<Reply, Fault> {
    let mut client = read(cli, ask, Some(waiting.timeout))?;
    loop {
        match client.hear()? {
            Answer::Taken if waiting.no_wait => {
                return Ok(Reply::Done { what: "begun; not waited for".into() });
            }
            Answer::Taken => {}
            Answer::Event(event) => told(cli, &event),
            Answer::Reply { reply } => return Ok(reply),
            other => return Err(unexpected(other)),
        }
    }
}

/// Shows what happens on the way, on standard error.
pub fn progress(cli: &Cli, event: &Event) {
    if !cli.json {
        // Progress that nobody can read does not stop a change.
        let _ = writeln!(io::stderr(), "  {}", text(event, "    "));
    }
}

/// What an answer means that was not asked for.
pub fn unexpected(answer: Answer) -> Fault {
    match answer {
        Answer::Refused { forbidden: true, why } => {
            Fault::new(Exit::Refused, "PHX-C003", why, "nothing was changed")
        }
        Answer::Refused { forbidden: false, why } => {
            Fault::new(Exit::BadInput, "PHX-C011", why, "nothing was changed")
        }
        other => {
            let what = format!("the daemon answered something else: {other:?}");
            Fault::new(Exit::Failed, "PHX-C006", what, "use the `phalanx` that came with this phalanxd")
        }
    }
}

/// Prints a result; a reader that has gone away (`| head`) ends the program quietly.
pub fn print(text: &str) {
    let mut out = io::stdout().lock();
    if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
        exit(0);
    }
}
