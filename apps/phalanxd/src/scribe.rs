//! The thread that writes down what happens: to standard error, to the event log, to those who listen.

use crate::aha::Crier;
use crate::remark::Remark;
use crate::words::{self, Names};
use phalanx_api::{Event, Level, SCHEMA, Told};
use phalanx_events::Note;
use phalanx_journal::event_log::last_lines;
use phalanx_journal::{EventLog, stamp::Stamp};
use phalanx_realtime::{Giver, Taker, make_helper, queue};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// Notes that wait to be written before more are counted as lost.
const WAITING_MAX: usize = 16_384;
const STACK_BYTES: usize = 512 * 1024;

/// Something to be written down.
pub enum Saying {
    /// A note of the core.
    Note(Note),
    /// A remark of the daemon.
    Remark(Remark),
}

/// Where sayings are handed in; never waits.
pub struct Scribe {
    sayings: Option<Giver<(Stamp, Saying)>>,
    thread: Option<JoinHandle<()>>,
    lost: u64,
}

/// What the thread works with.
struct Desk {
    log: EventLog,
    told: Told,
    names: Names,
    level: Level,
    number: u64,
    complained: bool,
    crier: Option<Crier>,
}

impl Scribe {
    /// Begins to write in `directory`, and to have it cried out if there is a crier.
    pub fn begin(
        directory: &Path,
        level: Level,
        names: Names,
        told: Told,
        crier: Option<Crier>,
    ) -> io::Result<Scribe> {
        let number = last_lines(directory, 1).iter().find_map(|line| number(line)).unwrap_or(0);
        let log = EventLog::open(directory)?;
        let desk = Desk { log, told, names, level, number, complained: false, crier };
        let (sayings, heard) = queue(WAITING_MAX);
        let work = move || {
            // If it is refused the main thread's own attempt tells why.
            let _ = make_helper();
            desk.work(&heard);
        };
        let thread = thread::Builder::new().name("scribe".into()).stack_size(STACK_BYTES).spawn(work)?;
        Ok(Scribe { sayings: Some(sayings), thread: Some(thread), lost: 0 })
    }

    /// Writes down a note, unless nobody would read it.
    pub fn note(&mut self, note: Note) {
        if words::level(&note) > Level::Trace {
            self.say(Saying::Note(note));
        }
    }

    /// Writes down a remark.
    pub fn remark(&mut self, remark: Remark) {
        self.say(Saying::Remark(remark));
    }

    fn say(&mut self, saying: Saying) {
        let Some(sayings) = &self.sayings else { return };
        if self.lost > 0 {
            let lost = Saying::Remark(Remark::EventsLost { count: self.lost });
            if sayings.give((Stamp::now(), lost)).is_ok() {
                self.lost = 0;
            }
        }
        if sayings.give((Stamp::now(), saying)).is_err() {
            self.lost += 1;
        }
    }

    /// Writes what is left, and ends.
    pub fn end(&mut self) {
        self.sayings = None;
        if let Some(thread) = self.thread.take() {
            // A scribe that broke down has said so on standard error.
            let _ = thread.join();
        }
    }
}

impl Desk {
    fn work(mut self, heard: &Taker<(Stamp, Saying)>) {
        while let Some((stamp, saying)) = heard.wait() {
            let event = self.event(stamp, &saying);
            if event.level >= self.level {
                let _ = writeln!(io::stderr(), "{} {:5} {}", event.time, event.level, event.text);
            }
            self.log(&event);
            self.told.event(Arc::new(event));
            if let (Some(crier), Saying::Note(note)) = (&mut self.crier, &saying) {
                crier.cry(note);
            }
        }
    }

    fn event(&mut self, stamp: Stamp, saying: &Saying) -> Event {
        self.number += 1;
        let (level, text, note) = match saying {
            Saying::Note(note) => {
                (words::level(note), words::text(note, &self.names), serde_json::to_value(note))
            }
            Saying::Remark(remark) => (remark.level(), remark.to_string(), serde_json::to_value(remark)),
        };
        let note = note.expect("notes are plain data");
        let (time, node) = (stamp.to_string(), self.names.own().to_owned());
        Event { schema: SCHEMA, number: self.number, time, node, level, text, note }
    }

    fn log(&mut self, event: &Event) {
        let line = serde_json::to_string(event).expect("events are plain data");
        if let Err(error) = self.log.write(&line)
            && !self.complained
        {
            self.complained = true;
            let _ = writeln!(io::stderr(), "the event log cannot be written: {error}");
        }
    }
}

fn number(line: &str) -> Option<u64> {
    serde_json::from_str::<Event>(line).ok().map(|event| event.number)
}
