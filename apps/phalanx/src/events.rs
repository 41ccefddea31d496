//! `phalanx events`: what happened, and what happens.
#![allow(clippy::wildcard_enum_match_arm, reason = "whatever answer was not asked for is told as such")]

use crate::ask;
use crate::cli::{Cli, EventsArgs};
use crate::fault::Fault;
use crate::paint::{Ink, Paint};
use phalanx_api::{Answer, Ask, Event, Level};

/// Of so many events at least one in so many is not of level debug; looked through to find those that people see.
const DEBUG_PART: usize = 10;
/// Events that may come between the last ones and the following.
const OVERLAP: usize = 256;

/// Shows them.
pub fn run(cli: &Cli, args: &EventsArgs) -> Result<(), Fault> {
    let everything = cli.json || args.debug;
    let reach = if everything { args.last } else { args.last * DEBUG_PART + OVERLAP };
    let mut last = ask::last_events(cli, reach)?;
    last.retain(|event| everything || event.level >= Level::Info);
    let shown = last.split_off(last.len().saturating_sub(args.last));
    shown.iter().for_each(|event| show(cli, event));
    match args.follow {
        true => follow(cli, everything, shown.last().map_or(0, |event| event.number)),
        false => Ok(()),
    }
}

/// Shows what comes after event `seen`.
fn follow(cli: &Cli, everything: bool, mut seen: u64) -> Result<(), Fault> {
    let mut client = ask::read(cli, &Ask::Events { last: OVERLAP, follow: true }, None)?;
    loop {
        match client.hear()? {
            Answer::Event(event) if event.number <= seen => {}
            Answer::Event(event) => {
                seen = event.number;
                if everything || event.level >= Level::Info {
                    show(cli, &event);
                }
            }
            Answer::End => return Ok(()),
            other => return Err(ask::unexpected(other)),
        }
    }
}

fn show(cli: &Cli, event: &Event) {
    ask::print(&if cli.json { json(event) } else { line(event, Paint::of_stdout()) });
}

/// An event as a line of JSON.
pub fn json(event: &Event) -> String {
    let line = serde_json::to_string(event).expect("an event is plain data");
    format!("{line}\n")
}

/// An event as a line for people; the steps of a plan on lines of their own.
pub fn line(event: &Event, paint: Paint) -> String {
    let ink = match event.level {
        Level::Error => Ink::Bad,
        Level::Warn => Ink::Warn,
        Level::Info => Ink::Plain,
        Level::Debug | Level::Trace => Ink::Dim,
    };
    let number = paint.ink(Ink::Dim, &format!("{:>6}", event.number));
    let margin = " ".repeat("number".len() + 1 + event.time.len() + 3);
    format!("{number} {} {}\n", paint.ink(Ink::Dim, &event.time), paint.ink(ink, &text(event, &margin)))
}

/// What happened, with the steps of a plan below it, indented by `margin`.
pub fn text(event: &Event, margin: &str) -> String {
    let steps = event.note["steps"].as_array().map(|steps| steps.iter().filter_map(|step| step.as_str()));
    match (steps, event.text.split_once(": ")) {
        (Some(steps), Some((plan, _))) => {
            steps.fold(plan.to_owned(), |text, step| format!("{text}\n{margin}{step}"))
        }
        _ => event.text.clone(),
    }
}
