//! Commands that change something: one ask, its progress, how it ended.

use crate::ask;
use crate::cli::{ApplyArgs, Cli, Waiting};
use crate::cluster::read_file;
use crate::fault::Fault;
use phalanx_api::{Answer, Ask, ClientError, Level, SCHEMA};
use phalanx_conduct::Reply;
use serde_json::json;

/// What a daemon says that left something behind.
const STUCK: &str = "could not stop";

/// Makes a cluster file the active one. It is checked here first: all its faults at once, nothing sent.
pub fn apply(cli: &Cli, args: &ApplyArgs) -> Result<(), Fault> {
    let (text, _) = read_file(&args.file, cli.json)?;
    run(cli, &Ask::Apply { text }, &args.waiting)
}

/// Has this node's daemon end, and waits until it has.
pub fn stop(cli: &Cli, waiting: &Waiting) -> Result<(), Fault> {
    // Whatever happens on the way out is told to whoever listens, and the end of that is the end of the daemon.
    let mut events = ask::read(cli, &Ask::Events { last: 0, follow: true }, Some(waiting.timeout))?;
    let reply = ask::change(cli, &Ask::Stop, waiting, |_, _| {})?;
    let (Reply::Done { .. }, false) = (&reply, waiting.no_wait) else { return tell(cli, reply) };
    let mut last = String::new();
    loop {
        match events.hear() {
            Ok(Answer::Event(event)) if event.level >= Level::Info => {
                last = event.text.clone();
                ask::progress(cli, &event);
            }
            Ok(_) => {}
            Err(ClientError::Ended) if last.contains(STUCK) => return tell(cli, Reply::Failed { why: last }),
            Err(ClientError::Ended) => {
                return tell(cli, Reply::Done { what: "this node's daemon has ended".into() });
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Asks for a change and tells how it ended.
pub fn run(cli: &Cli, ask: &Ask, waiting: &Waiting) -> Result<(), Fault> {
    tell(cli, ask::change(cli, ask, waiting, ask::progress)?)
}

fn tell(cli: &Cli, reply: Reply) -> Result<(), Fault> {
    if let Reply::Done { what } = &reply {
        let json = json!({ "schema": SCHEMA, "reply": "done", "what": what });
        ask::print(&if cli.json { format!("{json}\n") } else { format!("{what}\n") });
    }
    Fault::reply(reply).map_or(Ok(()), Err)
}
