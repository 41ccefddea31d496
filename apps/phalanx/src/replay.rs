//! `phalanx replay`: what a flight record of the simulator has, told for people or as lines of JSON.

use crate::ask;
use crate::cli::{Cli, ReplayArgs};
use crate::fault::{Exit, Fault};
use crate::paint::{Ink, Paint};
use phalanx_flight::{Choice, Entry, Kind, Record, Telling};
use phalanx_types::Span;
use std::collections::BTreeSet;
use std::fs;

/// So long before something was broken the telling begins.
const LEAD: Span = Span::from_secs(5);
/// A silence that is told.
const LULL: Span = Span::from_millis(500);
/// From the left edge to what happened.
const MARGIN: usize = 30;

/// Tells.
pub fn run(cli: &Cli, args: &ReplayArgs) -> Result<(), Fault> {
    let text = fs::read(&args.file).map_err(|error| Fault::file(&args.file, &error))?;
    let record = read(&text).map_err(|why| {
        let what = format!("{}: {why}", args.file.display());
        Fault::new(
            Exit::BadInput,
            "PHX-C060",
            what,
            "run its seed again: phalanx-sim --seeds 1 --from SEED --flight FILE",
        )
    })?;
    let entries = entries(&record, args)?;
    let shown = match (cli.json, args.why) {
        (true, _) => json(&record, &entries),
        (false, Some(_)) => lines(&record, &entries, Paint::of_stdout()),
        (false, None) => tell(&record, &entries, Paint::of_stdout()),
    };
    ask::print(&shown);
    Ok(())
}

fn read(bytes: &[u8]) -> Result<Record, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not text".to_owned())?;
    Record::read(text).map_err(|damage| damage.to_string())
}

/// What is asked for, in order.
fn entries<'a>(record: &'a Record, args: &ReplayArgs) -> Result<Vec<&'a Entry>, Fault> {
    if let Some(number) = args.why {
        let mut chain = record.chain(number);
        chain.reverse();
        let what = format!("there is no event {number}: they go from 1 to {}", record.entries.len());
        return match chain.is_empty() {
            true => Err(Fault::new(Exit::BadInput, "PHX-C061", what, "the numbers stand first in each line")),
            false => Ok(chain),
        };
    }
    let node = args.node.as_ref().map(|name| node(record, name)).transpose()?;
    if let Some(property) = &args.around {
        check_property(record, property)?;
    }
    let telling = if args.all { Telling::Everything } else { Telling::Main };
    let nanos = |moment: Option<Span>| moment.map(|moment| moment.0);
    let times = match (args.from, args.to) {
        (None, None) => Choice::last(record, LEAD),
        (from, to) => Choice { from: nanos(from), to: nanos(to), ..Choice::default() },
    };
    Ok(Choice { node, telling, ..times }.pick(record).collect())
}

fn node(record: &Record, name: &str) -> Result<u16, Fault> {
    record.node(name).ok_or_else(|| {
        let what = format!("there is no node {name} in this run");
        Fault::new(
            Exit::BadInput,
            "PHX-C062",
            what,
            format!("its nodes are {}", record.head.nodes.join(", ")),
        )
    })
}

fn check_property(record: &Record, property: &str) -> Result<(), Fault> {
    let broken = record.end.broken.as_ref().map(|broken| broken.property.as_str());
    let said = match broken {
        Some(broken) if broken.to_lowercase().contains(&property.to_lowercase()) => return Ok(()),
        Some(broken) => format!("what was broken is {broken}"),
        None => "nothing was broken in this run".to_owned(),
    };
    let what = format!("{property} was not broken in this run");
    Err(Fault::new(Exit::BadInput, "PHX-C063", what, said))
}

/// The record for people: what was run, what was broken, what led to it.
pub fn tell(record: &Record, entries: &[&Entry], paint: Paint) -> String {
    let mut page = heading(record);
    if let Some(broken) = &record.end.broken {
        let mark = paint.ink(Ink::Bad, &format!("BROKEN at {}: {}", clock(broken.at), broken.property));
        page += &format!("{mark}\n  {}\n\n", broken.say);
        let mut chain = record.chain(record.entries.len() as u64);
        chain.reverse();
        page += &format!("{}\n{}", paint.ink(Ink::Bold, "How it came to that"), lines(record, &chain, paint));
    }
    page += &format!("\n{}\n", paint.ink(Ink::Bold, "What happened"));
    page += &lines(record, entries, paint);
    if entries.is_empty() {
        page += "nothing happened then; --all tells small things, --from 0 everything before\n";
    }
    page
}

fn heading(record: &Record) -> String {
    let head = &record.head;
    let ended = match record.end.broken {
        Some(_) => "stopped",
        None => "ended well",
    };
    format!(
        "seed {}: {} events on {}, {ended} after {}\n  again: {}\n",
        head.seed,
        record.entries.len(),
        head.nodes.join(", "),
        clock(record.end.at),
        head.command
    )
}

/// The events a line each, with the events they followed from where those are not shown.
fn lines(record: &Record, entries: &[&Entry], paint: Paint) -> String {
    let mut told: BTreeSet<u64> = entries.iter().map(|entry| entry.n).collect();
    let mut page = String::new();
    let mut before: Option<&Entry> = None;
    for entry in entries {
        if let Some(lull) = before.map(|before| before.before(entry.at)).filter(|lull| *lull >= LULL) {
            page += &paint.ink(Ink::Dim, &format!("{:>MARGIN$}{lull} later\n", ""));
        }
        page += &line(record, entry, paint);
        let cause = entry.from.filter(|from| told.insert(*from)).and_then(|from| record.entry(from));
        page += &cause.map(|cause| because(record, cause, paint)).unwrap_or_default();
        before = Some(entry);
    }
    page
}

fn line(record: &Record, entry: &Entry, paint: Paint) -> String {
    let start =
        format!("{:>7} {:>12}  {:<6} ", format!("#{}", entry.n), clock(entry.at), record.name(entry.node));
    let from = entry.from.map(|from| paint.ink(Ink::Dim, &format!("  <- #{from}"))).unwrap_or_default();
    let margin = format!("\n{:MARGIN$}  ", "");
    let (first, rest) = entry.say.split_once('\n').unwrap_or((&entry.say, ""));
    let rest =
        if rest.is_empty() { String::new() } else { format!("{margin}{}", rest.replace('\n', &margin)) };
    format!("{start}{}{from}{rest}\n", paint.ink(ink(entry.kind), first))
}

fn because(record: &Record, cause: &Entry, paint: Paint) -> String {
    let Entry { n, at, node, say, .. } = cause;
    let words = format!("because #{n}, {} {}: {}", clock(*at), record.name(*node), first_line(say));
    format!("{:MARGIN$}{}\n", "", paint.ink(Ink::Dim, &words))
}

fn first_line(words: &str) -> &str {
    words.lines().next().unwrap_or_default()
}

fn ink(kind: Kind) -> Ink {
    match kind {
        Kind::Fault => Ink::Bad,
        Kind::Life | Kind::Lease => Ink::Warn,
        Kind::View => Ink::Bold,
        Kind::Path | Kind::Plan | Kind::Group => Ink::Plain,
        Kind::Message | Kind::Routine | Kind::Branch => Ink::Dim,
    }
}

/// A moment of the run, to the microsecond.
fn clock(nanos: u64) -> String {
    format!("{}.{:06} s", nanos / 1_000_000_000, nanos / 1_000 % 1_000_000)
}

/// The same for programs: the head, the events asked for, the end.
pub fn json(record: &Record, entries: &[&Entry]) -> String {
    let lines: String = entries.iter().map(phalanx_flight::write).collect();
    format!("{}{lines}{}", phalanx_flight::write(&record.head), phalanx_flight::write(&record.end))
}
