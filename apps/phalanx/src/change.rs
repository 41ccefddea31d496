//! Commands that change something: one ask, its progress, how it ended.

use crate::ask;
use crate::cli::{ApplyArgs, Cli, Waiting};
use crate::cluster::read_file;
use crate::fault::Fault;
use phalanx_api::{Ask, SCHEMA};
use phalanx_conduct::Reply;
use serde_json::json;

/// Makes a cluster file the active one. It is checked here first: all its faults at once, nothing sent.
pub fn apply(cli: &Cli, args: &ApplyArgs) -> Result<(), Fault> {
    let (text, _) = read_file(&args.file, cli.json)?;
    run(cli, &Ask::Apply { text }, &args.waiting)
}

/// Asks for a change and tells how it ended.
pub fn run(cli: &Cli, ask: &Ask, waiting: &Waiting) -> Result<(), Fault> {
    let reply = ask::change(cli, ask, waiting)?;
    if let Reply::Done { what } = &reply {
        let json = json!({ "schema": SCHEMA, "reply": "done", "what": what });
        ask::print(&if cli.json { format!("{json}\n") } else { format!("{what}\n") });
    }
    Fault::reply(reply).map_or(Ok(()), Err)
}
