//! `phalanx explain`: why each group is as it is; or one event with all that is known of it and what followed.

use crate::ask;
use crate::cli::{Cli, ExplainArgs};
use crate::events::{json, line};
use crate::fault::{Exit, Fault};
use crate::form;
use crate::paint::{Ink, Paint};
use crate::status::view;
use crate::view::{GroupView, StatusView};
use phalanx_api::{Event, Level};

/// How far back an event is looked for.
const EVENTS_MAX: usize = 20_000;
/// How many events after it are shown.
const AFTER: usize = 12;

/// Explains.
pub fn run(cli: &Cli, args: &ExplainArgs) -> Result<(), Fault> {
    match args.number {
        Some(number) => event(cli, number),
        None => state(cli),
    }
}

fn state(cli: &Cli) -> Result<(), Fault> {
    let status = ask::status(cli)?;
    let shown = if cli.json { format!("{status}\n") } else { render(&view(status)?) };
    ask::print(&shown);
    Ok(())
}

/// The reasons as sentences.
pub fn render(status: &StatusView) -> String {
    let mut page = format!("{} says: {}.\n", status.node, status.quorum);
    page += &format!(
        "A lost node's groups are taken over {} after its last beat. That rests on its lease (class {}), which does not cover {}.\n",
        status.takeover_wait, status.class.name, status.class.does_not_cover
    );
    if form::hint(status).is_some() {
        page += "Bring one of them back; or, if they are off for certain, `phalanx cluster form --alone` goes on without them.\n";
    }
    for (name, group) in &status.groups {
        page += &sentence(name, group);
    }
    page
}

fn sentence(name: &str, group: &GroupView) -> String {
    let place = group.node.as_ref().map(|node| format!(" on {node}")).unwrap_or_default();
    let mut said = format!("{name} is {}{place} (epoch {}): {}.\n", group.state, group.epoch, group.reason);
    if let Some(node) = &group.placed {
        said +=
            &format!("  An operator moved it to {node}; `phalanx group move {name} --restore` ends that.\n");
    }
    if !group.awaiting.is_empty() {
        said += &format!("  It waits for proof that {} cannot hold it.\n", group.awaiting.join(", "));
    }
    said
}

fn event(cli: &Cli, number: u64) -> Result<(), Fault> {
    let events = ask::last_events(cli, EVENTS_MAX)?;
    let found = events.iter().position(|event| event.number == number);
    let at = found.ok_or_else(|| {
        let what = format!("event {number} is not among those kept");
        Fault::new(Exit::BadInput, "PHX-C040", what, "see `phalanx events` for the numbers")
    })?;
    ask::print(&if cli.json { json(&events[at]) } else { story(&events[at..], Paint::of_stdout()) });
    Ok(())
}

fn story(events: &[Event], paint: Paint) -> String {
    let Some((first, after)) = events.split_first() else { return String::new() };
    let mut page = line(first, paint);
    let details = first.note.as_object().into_iter().flatten().filter(|(key, _)| *key != "note");
    for (key, value) in details {
        page += &format!("         {}: {value}\n", paint.ink(Ink::Dim, key));
    }
    page += "then\n";
    let shown = after.iter().filter(|event| event.level >= Level::Info).take(AFTER);
    shown.for_each(|event| page += &line(event, paint));
    page
}
