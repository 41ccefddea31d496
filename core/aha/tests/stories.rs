//! Stories of programs that monitor something: each `stories/*.txt` says what they do (`> …`) and what comes of it.
//! `BLESS=1 cargo test -p phalanx-aha` writes what comes of it anew; read the difference before keeping it.
// A test that cannot go on says so by a panic; its helpers too.
#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods)] // A test reads its corpus; the core it tests does not.

use phalanx_aha::{
    Asked, Cause, Effect, Errno, Events, Handle, Moment, NodeNo, Object, Occurrence, Owner, Patience, Poll,
    Producer, ROOT, Read, Ticket,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{env, fs};

/// A file system, what its producers would say, and who has what open.
struct Stage {
    events: Events,
    now: Moment,
    opens: BTreeMap<String, Handle>,
    /// What the producer says when it is asked to watch an object; otherwise that it does.
    says: BTreeMap<Object, Result<Option<u64>, Errno>>,
    /// Who says only later that it watches.
    slow: BTreeSet<Object>,
    ticket: u64,
    told: String,
}

impl Stage {
    fn new() -> Stage {
        let now = Moment { seconds: 1_000, nanoseconds: 0 };
        let (opens, says, slow) = Default::default();
        Stage { events: Events::new(now), now, opens, says, slow, ticket: 0, told: String::new() }
    }

    fn say(&mut self, what: &str) {
        what.lines().for_each(|line| self.told += &format!("{line}\n"));
    }

    /// One line of a story.
    fn act(&mut self, line: &str) {
        self.now.seconds += 1;
        let words: Vec<&str> = line.split(' ').collect();
        let mut out = Vec::new();
        match words.as_slice() {
            ["directory", path] => {
                let (parent, name) = self.place(path);
                let made =
                    parent.and_then(|parent| self.events.make_directory(parent, name, Owner::default()));
                self.outcome(made.map(|_| ()));
            }
            ["create", path] => {
                let (parent, name) = self.place(path);
                let made = parent.and_then(|parent| self.events.create(parent, name, Owner::default()));
                self.outcome(made.map(|_| ()));
            }
            ["remove", path] => {
                let (parent, name) = self.place(path);
                let removed = parent.and_then(|parent| self.events.remove(parent, name, &mut out));
                self.outcome(removed);
            }
            ["remove-directory", path] => {
                let (parent, name) = self.place(path);
                let removed = parent.and_then(|parent| self.events.remove_directory(parent, name));
                self.outcome(removed);
            }
            ["list", path] => self.list(path),
            ["open", who, path] => match self.find(path).and_then(|node| self.events.open(node)) {
                Ok(handle) => {
                    self.opens.insert((*who).to_owned(), handle);
                }
                Err(errno) => self.say(&format!("errno {}", errno.0)),
            },
            ["close", who] => self.events.close(self.opens[*who], &mut out),
            ["write", who, text] => {
                if let Err(refusal) = self.events.write(self.opens[*who], text.as_bytes()) {
                    self.say(&format!("errno {}: {refusal:?}", refusal.errno().0));
                }
            }
            ["poll", who] => self.poll(who, &mut out),
            ["read", who] => self.read(who, 4_096, Patience::Any, &mut out),
            ["read-some", who, most] => self.read(who, most.parse().unwrap(), Patience::Any, &mut out),
            ["read-now", who] => self.read(who, 4_096, Patience::None, &mut out),
            ["signal", ticket] => self.events.interrupt(Ticket(ticket.parse().unwrap()), &mut out),
            ["begins-at", producer, name, value] => {
                self.says.insert(object(producer, name), Ok(Some(value.parse().unwrap())));
            }
            ["refuses", producer, name, errno] => {
                self.says.insert(object(producer, name), Err(Errno(errno.parse().unwrap())));
            }
            ["slow", producer, name] => drop(self.slow.insert(object(producer, name))),
            ["begins", producer, name] => {
                self.events.begun(&object(producer, name), Ok(None), self.now, &mut out)
            }
            ["happens", producer, name, code, info @ ..] => {
                let what = self.occurrence(code, info);
                self.events.happened(&object(producer, name), &what, &mut out);
            }
            ["value", producer, name, value, code] => {
                let what = self.occurrence(code, &[]);
                self.events.value(&object(producer, name), value.parse().unwrap(), &what, &mut out);
            }
            ["gone", producer, name, code] => {
                let what = self.occurrence(code, &[]);
                self.events.gone(&object(producer, name), &what, &mut out);
            }
            other => panic!("nobody can {other:?}"),
        }
        self.carry_out(out);
    }

    fn occurrence(&self, code: &str, info: &[&str]) -> Occurrence {
        let cause = Cause { process: 42, user: 0, login: 1_000, group: 0, program: "cat".into() };
        let info = info.iter().map(|text| (*text).to_owned()).collect();
        Occurrence { at: self.now, code: code.parse().unwrap(), cause: Some(cause), info }
    }

    fn poll(&mut self, who: &str, out: &mut Vec<Effect>) {
        let poll = match self.events.poll(self.opens[who], self.now, out) {
            Poll::Ready => "ready",
            Poll::Waits => "waits",
            Poll::Broken => "broken",
        };
        self.say(poll);
    }

    fn read(&mut self, who: &str, most: usize, patience: Patience, out: &mut Vec<Effect>) {
        self.ticket += 1;
        let ticket = Ticket(self.ticket);
        let asked = Asked { handle: self.opens[who], ticket, offset: 0, most, patience };
        match self.events.read(asked, self.now, out) {
            Read::Bytes(bytes) if bytes.is_empty() => self.say("nothing"),
            Read::Bytes(bytes) => self.say(&String::from_utf8(bytes).unwrap()),
            Read::Refused(errno) => self.say(&format!("errno {}", errno.0)),
            Read::Parked => self.say(&format!("parked as {}", ticket.0)),
        }
    }

    fn list(&mut self, path: &str) {
        let node = self.events.tree().node(self.find(path).unwrap()).unwrap().clone();
        node.children.keys().for_each(|name| self.say(str::from_utf8(name).unwrap()));
    }

    fn outcome(&mut self, outcome: Result<(), Errno>) {
        if let Err(errno) = outcome {
            self.say(&format!("errno {}", errno.0));
        }
    }

    /// What the shell does, and how it went.
    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Watch(object) => {
                    self.say(&format!("… watch {}", shown(&object)));
                    if self.slow.contains(&object) {
                        continue;
                    }
                    let says = self.says.get(&object).copied().unwrap_or(Ok(None));
                    let mut out = Vec::new();
                    self.events.begun(&object, says, self.now, &mut out);
                    self.carry_out(out);
                }
                Effect::Leave(object) => self.say(&format!("… leave {}", shown(&object))),
                Effect::Wake(handle) => {
                    let who = self.opens.iter().find(|(_, open)| **open == handle).unwrap().0.clone();
                    self.say(&format!("… wake {who}"));
                }
                Effect::Answer(ticket, Err(errno)) => {
                    self.say(&format!("… answer {}: errno {}", ticket.0, errno.0));
                }
                Effect::Answer(ticket, Ok(bytes)) => {
                    self.say(&format!("… answer {}:", ticket.0));
                    self.say(&String::from_utf8(bytes).unwrap());
                }
            }
        }
    }

    fn find(&self, path: &str) -> Result<NodeNo, Errno> {
        let names = path.split('/').filter(|name| !name.is_empty());
        names.into_iter().try_fold(ROOT, |parent, name| self.events.tree().find(parent, name.as_bytes()))
    }

    fn place<'a>(&self, path: &'a str) -> (Result<NodeNo, Errno>, &'a [u8]) {
        let (parent, name) = path.rsplit_once('/').unwrap();
        (self.find(parent), name.as_bytes())
    }
}

fn object(producer: &str, name: &str) -> Object {
    let producer = Producer::ALL.iter().find(|known| known.name() == producer).unwrap();
    Object { producer: *producer, name: name.into() }
}

fn shown(object: &Object) -> String {
    format!("{} {}", object.producer.name(), String::from_utf8_lossy(&object.name))
}

/// The story with what comes of it now.
fn told(text: &str) -> String {
    let mut stage = Stage::new();
    for line in text.lines().filter(|line| line.starts_with(['>', '#']) || line.is_empty()) {
        stage.told += &format!("{line}\n");
        if let Some(act) = line.strip_prefix("> ") {
            stage.act(act);
        }
    }
    stage.told
}

#[test]
fn every_story_is_told_as_written_down() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let actual = told(&text);
        if env::var_os("BLESS").is_some() {
            fs::write(&path, &actual).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap();
        let differing = actual.lines().zip(expected.lines()).find(|(actual, expected)| actual != expected);
        assert!(actual == expected, "{} differs; BLESS=1 writes it anew: {differing:#?}", path.display());
    }
}
