//! `phalanx events`: what happened, and what happens.
#![allow(clippy::wildcard_enum_match_arm, reason = "whatever answer was not asked for is told as such")]

use crate::ask;
use crate::cli::{Cli, EventsArgs};
use crate::fault::Fault;
use crate::paint::{Ink, Paint};
use phalanx_api::{Answer, Ask, Event, Level};

/// Shows them.
pub fn run(cli: &Cli, args: &EventsArgs) -> Result<(), Fault> {
    let paint = Paint::of_stdout();
    let mut client = ask::read(cli, &Ask::Events { last: args.last, follow: args.follow }, None)?;
    loop {
        match client.hear()? {
            Answer::Event(event) if cli.json => ask::print(&json(&event)),
            Answer::Event(event) if args.debug || event.level >= Level::Info => {
                ask::print(&line(&event, paint));
            }
            Answer::Event(_) => {}
            Answer::End => return Ok(()),
            other => return Err(ask::unexpected(other)),
        }
    }
}

/// An event as a line of JSON.
pub fn json(event: &Event) -> String {
    let line = serde_json::to_string(event).expect("an event is plain data");
    format!("{line}\n")
}

/// An event as a line for people.
pub fn line(event: &Event, paint: Paint) -> String {
    let ink = match event.level {
        Level::Error => Ink::Bad,
        Level::Warn => Ink::Warn,
        Level::Info => Ink::Plain,
        Level::Debug | Level::Trace => Ink::Dim,
    };
    let number = paint.ink(Ink::Dim, &format!("{:>6}", event.number));
    format!("{number} {} {}\n", paint.ink(Ink::Dim, &event.time), paint.ink(ink, &event.text))
}
