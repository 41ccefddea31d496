//! `phalanx group` and `phalanx node`: bare, they list; with a verb, they change.

use crate::ask;
use crate::change;
use crate::cli::{Cli, GroupArgs, GroupVerb, NodeArgs, NodeVerb};
use crate::fault::Fault;
use crate::paint::Paint;
use crate::status::{groups, nodes, view};
use phalanx_api::{Ask, SCHEMA};
use serde_json::json;

/// `phalanx group`.
pub fn group(cli: &Cli, args: &GroupArgs) -> Result<(), Fault> {
    let Some(verb) = &args.verb else { return list(cli, "groups") };
    let (ask, waiting) = match verb {
        GroupVerb::Online { group, waiting } => (Ask::Online { group: group.clone() }, waiting),
        GroupVerb::Offline { group, waiting } => (Ask::Offline { group: group.clone() }, waiting),
        GroupVerb::Move { group, to: Some(to), waiting, .. } => {
            (Ask::Move { group: group.clone(), to: to.clone() }, waiting)
        }
        GroupVerb::Move { group, to: None, waiting, .. } => (Ask::Restore { group: group.clone() }, waiting),
    };
    change::run(cli, &ask, waiting)
}

/// `phalanx node`.
pub fn node(cli: &Cli, args: &NodeArgs) -> Result<(), Fault> {
    match &args.verb {
        None => list(cli, "nodes"),
        Some(NodeVerb::Stop { waiting }) => change::stop(cli, waiting),
    }
}

fn list(cli: &Cli, what: &str) -> Result<(), Fault> {
    let status = ask::status(cli)?;
    let shown = if cli.json {
        format!("{}\n", json!({ "schema": SCHEMA, what: status[what] }))
    } else {
        let status = view(status)?;
        let table = if what == "nodes" { nodes(&status) } else { groups(&status) };
        table.render(Paint::of_stdout())
    };
    ask::print(&shown);
    Ok(())
}
