//! A whole record, read and checked: what is in one can be trusted to have an order and causes that exist.

use crate::line::{End, Entry, Head, SCHEMA};
use phalanx_types::limits::FLIGHT_ENTRIES_MAX;
use std::fmt;

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What was run.
    pub head: Head,
    /// What happened, in order.
    pub entries: Vec<Entry>,
    /// How it ended.
    pub end: End,
}

/// Why a text is no record. Lines count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// It has no lines.
    Empty,
    /// Its first line is not the head of a record.
    NotARecord,
    /// It is of another version of the format.
    Schema(u32),
    /// A line is not what should be there.
    Line {
        /// Which.
        number: usize,
        /// What is wrong with it.
        why: String,
    },
    /// Its last line is missing: whoever wrote it did not come to the end.
    CutOff {
        /// After so many entries.
        entries: usize,
    },
    /// It has more entries than any run.
    TooLong,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::Empty => f.write_str("it is empty"),
            Damage::NotARecord => f.write_str("line 1: this is not the head of a flight record"),
            Damage::Schema(found) => {
                write!(f, "line 1: it is of format {found}, and this program reads format {SCHEMA}")
            }
            Damage::Line { number, why } => write!(f, "line {number}: {why}"),
            Damage::CutOff { entries } => {
                write!(f, "it is cut off after {entries} events: its last line is missing")
            }
            Damage::TooLong => write!(f, "it has more than {FLIGHT_ENTRIES_MAX} events"),
        }
    }
}

/// Only what tells that a first line is the head of a record of whatever version.
#[derive(serde::Deserialize)]
struct Version {
    flight: u32,
}

impl Record {
    /// Reads a record.
    pub fn read(text: &str) -> Result<Record, Damage> {
        let mut lines = text.lines();
        let head = read_head(lines.next().ok_or(Damage::Empty)?)?;
        let mut entries = Vec::new();
        for (number, line) in (2..).zip(lines.by_ref()) {
            if entries.len() > FLIGHT_ENTRIES_MAX {
                return Err(Damage::TooLong);
            }
            match serde_json::from_str(line) {
                Ok(entry) => entries.push(check(number, entry, entries.len(), head.nodes.len())?),
                Err(fault) => match serde_json::from_str(line) {
                    Ok(end) => return finish(head, entries, end, number, lines.next().is_some()),
                    Err(_) => return Err(Damage::Line { number, why: format!("not an event: {fault}") }),
                },
            }
        }
        Err(Damage::CutOff { entries: entries.len() })
    }

    /// An entry by its number.
    pub fn entry(&self, number: u64) -> Option<&Entry> {
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        self.entries.get(index)
    }

    /// The number of the node of this name; a bare number will do.
    pub fn node(&self, name: &str) -> Option<u16> {
        let named = self.head.nodes.iter().position(|node| node == name).map(|index| index + 1);
        let number = named.or_else(|| name.parse().ok()).filter(|n| (1..=self.head.nodes.len()).contains(n));
        number.and_then(|number| u16::try_from(number).ok())
    }

    /// A node's name.
    pub fn name(&self, node: u16) -> &str {
        self.head.nodes.get(usize::from(node).wrapping_sub(1)).map_or("?", String::as_str)
    }

    /// The entry `number` and what it followed from, back to the beginning; the latest first.
    pub fn chain(&self, number: u64) -> Vec<&Entry> {
        std::iter::successors(self.entry(number), |entry| self.entry(entry.from?)).collect()
    }
}

fn read_head(line: &str) -> Result<Head, Damage> {
    let Version { flight } = serde_json::from_str(line).map_err(|_| Damage::NotARecord)?;
    if flight != SCHEMA {
        return Err(Damage::Schema(flight));
    }
    serde_json::from_str(line).map_err(|fault| Damage::Line { number: 1, why: fault.to_string() })
}

/// An entry that stands in its place, at a node that exists, after what it followed from.
fn check(number: usize, entry: Entry, before: usize, nodes: usize) -> Result<Entry, Damage> {
    let bad = |why: String| Err(Damage::Line { number, why });
    match () {
        () if entry.n != before as u64 + 1 => {
            bad(format!("event {} stands where {} should be", entry.n, before + 1))
        }
        () if !(1..=nodes).contains(&usize::from(entry.node)) => {
            bad(format!("there is no node {}", entry.node))
        }
        () if entry.from.is_some_and(|from| from == 0 || from >= entry.n) => {
            bad("it follows from something that comes later".into())
        }
        () => Ok(entry),
    }
}

fn finish(head: Head, entries: Vec<Entry>, end: End, number: usize, more: bool) -> Result<Record, Damage> {
    match () {
        () if more => {
            Err(Damage::Line { number: number + 1, why: "there is something after the end".into() })
        }
        () if end.entries != entries.len() as u64 => {
            let why = format!("{} events are announced and {} are there", end.entries, entries.len());
            Err(Damage::Line { number, why })
        }
        () => Ok(Record { head, entries, end }),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::line::{Broken, Kind, write};

    pub(crate) fn entry(n: u64, at_millis: u64, node: u16, kind: Kind, from: Option<u64>) -> Entry {
        Entry { n, at: at_millis * 1_000_000, node, life: 1, kind, say: format!("event {n}"), from }
    }

    pub(crate) fn record() -> Record {
        let entries = vec![
            entry(1, 1_000, 1, Kind::Fault, None),
            entry(2, 1_400, 2, Kind::Path, Some(1)),
            entry(3, 1_450, 2, Kind::Message, Some(2)),
            entry(4, 9_000, 1, Kind::View, Some(2)),
        ];
        let broken = Broken { property: "ONE-OWNER".into(), say: "two".into(), at: 9_000_000_000 };
        let nodes = vec!["ada".into(), "bob".into()];
        let head = Head { flight: 1, seed: 7, command: "run".into(), nodes, cluster: "schema = 1\n".into() };
        Record { head, end: End { entries: 4, at: 9_000_000_000, broken: Some(broken) }, entries }
    }

    fn text(record: &Record) -> String {
        let entries: String = record.entries.iter().map(write).collect();
        format!("{}{entries}{}", write(&record.head), write(&record.end))
    }

    #[test]
    fn what_is_written_reads_back() {
        assert_eq!(Record::read(&text(&record())), Ok(record()));
    }

    #[test]
    fn a_bad_record_is_refused_with_the_line_that_is_wrong() {
        let good = text(&record());
        let check = |text: &str, said: &str| {
            assert_eq!(Record::read(text).map_err(|damage| damage.to_string()), Err(said.to_owned()));
        };
        check("", "it is empty");
        check("schema = 1\n", "line 1: this is not the head of a flight record");
        check("{\"flight\":9}\n", "line 1: it is of format 9, and this program reads format 1");
        let lines: Vec<&str> = good.lines().collect();
        check(&lines[..3].join("\n"), "it is cut off after 2 events: its last line is missing");
        check(&good.replace("\"n\":3", "\"n\":5"), "line 4: event 5 stands where 3 should be");
        check(&good.replace("\"node\":1", "\"node\":3"), "line 2: there is no node 3");
        check(
            &good.replace("\"from\":1", "\"from\":2"),
            "line 3: it follows from something that comes later",
        );
        check(
            &good.replace("\"entries\":4", "\"entries\":5"),
            "line 6: 5 events are announced and 4 are there",
        );
        check(&format!("{good}more\n"), "line 7: there is something after the end");
    }

    #[test]
    fn nodes_go_by_name_or_number() {
        let record = record();
        assert_eq!((record.node("bob"), record.node("2"), record.node("3")), (Some(2), Some(2), None));
        assert_eq!((record.node("0"), record.name(2)), (None, "bob"));
    }

    #[test]
    fn a_chain_goes_back_to_what_began_it() {
        let record = record();
        assert_eq!(record.chain(4).iter().map(|entry| entry.n).collect::<Vec<_>>(), [4, 2, 1]);
        assert!(record.chain(99).is_empty());
    }
}
