//! `phalanx status`: the cluster on one screen.

use crate::ask;
use crate::cli::{Cli, StatusArgs};
use crate::fault::{Exit, Fault};
use crate::form;
use crate::paint::{Ink, Paint};
use crate::table::{Cell, Table, cell, plain};
use crate::view::{GroupView, NodeView, StatusView, TimingsView};
use phalanx_types::Span;
use serde_json::Value;
use std::thread::sleep;
use std::time::Duration;

const WATCH_INTERVAL: Duration = Duration::from_secs(1);
/// What the daemon says of a deadman that is well.
const GUARDED: &str = "guarded";
/// To the top, and nothing below.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// Shows it, once or again and again.
pub fn run(cli: &Cli, args: &StatusArgs) -> Result<(), Fault> {
    let paint = Paint::of_stdout();
    loop {
        let status = ask::status(cli)?;
        let shown = if cli.json { format!("{status}\n") } else { render(&view(status)?, paint) };
        let clear = if args.watch && paint == Paint::Colour { CLEAR } else { "" };
        ask::print(&format!("{clear}{shown}"));
        if !args.watch {
            return Ok(());
        }
        sleep(WATCH_INTERVAL);
    }
}

/// What the daemon told.
pub fn view(status: Value) -> Result<StatusView, Fault> {
    serde_json::from_value(status).map_err(|error| {
        let what = format!("the daemon speaks another version: {error}");
        Fault::new(Exit::Failed, "PHX-C006", what, "use the `phalanx` that came with this phalanxd")
    })
}

/// The status as people see it.
pub fn render(status: &StatusView, paint: Paint) -> String {
    let mut page = head(status, paint);
    page += "\n";
    page += &nodes(status).render(paint);
    if !status.groups.is_empty() {
        page += "\n";
        page += &groups(status).render(paint);
    }
    page
}

fn head(status: &StatusView, paint: Paint) -> String {
    let view = status.view.as_deref().unwrap_or("none yet");
    let quorum = paint.ink(if status.primary { Ink::Good } else { Ink::Bad }, &status.quorum);
    let primary = if status.primary { "primary" } else { "not primary" };
    let cluster = paint.ink(Ink::Bold, &status.cluster);
    let mut page = format!("cluster  {cluster}, view {view}, {primary}, {quorum}\n");
    page += &format!("lease    {}\n", lease(status, paint));
    page += &format!(
        "takeover {} after a node's last beat ({}), class {}: does not cover {}\n",
        status.takeover_wait, status.timing, status.class.name, status.class.does_not_cover
    );
    page += &timings(status, paint);
    if let Some(seconds) = status.daemon.watchdog {
        page += &format!(
            "watchdog restarts this host {seconds} s after its deadman stopped feeding it; no takeover relies on it\n"
        );
    }
    page += &form::hint(status).unwrap_or_default();
    page + &remarks(status, paint)
}

/// Only where they are not as configured.
fn timings(status: &StatusView, paint: Paint) -> String {
    let TimingsView { configured, in_force, stall } = &status.timings;
    if configured == in_force {
        return String::new();
    }
    let why = match stall {
        Some(stall) => format!("{} stood still for {}", stall.node, stall.length),
        None => "of earlier stalls".to_owned(),
    };
    let stretched = format!("a node is down after {} instead of {}", in_force.detect, configured.detect);
    format!("timings  {}, because {why}\n", paint.ink(Ink::Warn, &stretched))
}

fn lease(status: &StatusView, paint: Paint) -> String {
    match status.lease_left {
        Span(0) if status.daemon.deadman == GUARDED => paint.ink(Ink::Warn, "none"),
        Span(0) => paint.ink(Ink::Bad, &format!("none: {}", status.daemon.deadman)),
        left => format!("{left} left on {}, renewed with every beat", status.node),
    }
}

fn remarks(status: &StatusView, paint: Paint) -> String {
    let mut lines = String::new();
    if status.leaving {
        lines += &paint.ink(Ink::Warn, "this node is shutting down: its groups go elsewhere first\n");
    }
    if status.lease_left > Span(0) && status.daemon.deadman != GUARDED {
        let warning =
            format!("{}: soon there is no lease, and what runs here is let go\n", status.daemon.deadman);
        lines += &paint.ink(Ink::Bad, &warning);
    }
    if !status.daemon.realtime {
        lines += &paint.ink(Ink::Warn, "this node's daemon is not real-time: beats may be late under load\n");
    }
    if status.primary && !status.in_step {
        lines += &paint.ink(Ink::Warn, "this node is catching up with the others\n");
    }
    lines
}

/// The nodes as a table.
pub fn nodes(status: &StatusView) -> Table {
    let mut table = Table::new(&["NODE", "STATE", "COUNTS", ""]);
    for (name, node) in &status.nodes {
        let here = if *name == status.node { "this node" } else { "" };
        let (state, counts) = node_words(node);
        table.row(vec![plain(name), state, counts, cell(Ink::Dim, here)]);
    }
    table
}

fn node_words(node: &NodeView) -> (Cell, Cell) {
    match (node.member, node.counts) {
        (true, true) => (cell(Ink::Good, "member"), plain("yes")),
        (true, false) => (cell(Ink::Warn, "member"), cell(Ink::Warn, "not yet")),
        (false, _) => (cell(Ink::Bad, "absent"), plain("-")),
    }
}

/// The groups as a table.
pub fn groups(status: &StatusView) -> Table {
    let mut table = Table::new(&["GROUP", "STATE", "NODE", "EPOCH", "WHY"]);
    for (name, group) in &status.groups {
        table.row(vec![
            plain(name),
            cell(group_ink(&group.state), &group.state),
            plain(group.node.as_deref().unwrap_or("-")),
            plain(group.epoch.to_string()),
            plain(why(group)),
        ]);
    }
    table
}

fn why(group: &GroupView) -> String {
    let mut why = group.reason.clone();
    if let Some(node) = &group.placed {
        why += &format!("; moved to {node} until it is restored");
    }
    if !group.awaiting.is_empty() {
        why += &format!("; waits for proof that {} cannot hold it", group.awaiting.join(", "));
    }
    why
}

fn group_ink(state: &str) -> Ink {
    match state {
        "online" => Ink::Good,
        "error" => Ink::Bad,
        "offline" => Ink::Plain,
        _ => Ink::Warn, // on its way, or unknown
    }
}
