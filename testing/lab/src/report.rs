//! What the demo ends with: the comparison with the disk, a table, and one line for programs.

use crate::client::Answer;
use crate::disk::Image;
use crate::outage::{Kind, Outages};
use crate::tool::{Outcome, While, run};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Instant;

/// One line of the shop's ledger: an order that is on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    id: u64,
    epoch: u64,
    node: String,
}

/// What the disk says, compared with what the client was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Orders that were answered.
    pub acknowledged: usize,
    /// Answered orders that are not on the disk.
    pub lost: Vec<Answer>,
    /// Orders on the disk under an older epoch after the first under a newer one.
    pub out_of_turn: usize,
    /// What the frozen owner did after it was thawed.
    pub paused: Paused,
}

/// An owner that was frozen: when it was, and what it owned.
#[derive(Clone, Debug)]
pub struct Freeze {
    /// When it was frozen.
    pub from: Instant,
    /// When it was reset, or known to have let go.
    pub to: Instant,
    /// Its acquisition.
    pub epoch: u64,
}

/// What a frozen owner did after it was thawed, which proofs of class `process` do not cover.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paused {
    /// Orders on the disk under its epoch after the first of its successor.
    pub late: usize,
    /// Orders that its successor answered and that are not on the disk: written over by what it still had under way.
    pub overwritten: usize,
}

/// Reads the shop's ledger from the image, mounted read-only after everything has stopped.
pub fn read_ledger(work: &Path, image: &Image) -> Outcome<Vec<Written>> {
    let mount = work.join("inspection");
    fs::create_dir_all(&mount).during("making a mount point")?;
    let (image, place) = (image.path().to_string_lossy(), mount.to_string_lossy());
    // A journal that was not replayed is replayed on a copy, so that the evidence stays as it is.
    let copy = work.join("copy.img").to_string_lossy().into_owned();
    run("cp", &["--sparse=always", &image, &copy])?;
    let _ = run("e2fsck", &["-p", &copy]);
    run("mount", &["-o", "ro,loop", &copy, &place])?;
    let text = fs::read_to_string(mount.join("ledger.log"));
    run("umount", &[&*place])?;
    Ok(text.during("reading the shop's ledger")?.lines().filter_map(parse).collect())
}

fn parse(line: &str) -> Option<Written> {
    let value: Value = serde_json::from_str(line).ok()?;
    let number = |key: &str| {
        let field = value.get(key)?;
        field.as_u64().or_else(|| field.as_str()?.parse().ok())
    };
    Some(Written {
        id: number("id")?,
        epoch: number("epoch")?,
        node: value.get("node")?.as_str()?.to_owned(),
    })
}

/// Compares the client's list with the disk.
pub fn compare(answers: &[Answer], written: &[Written], freeze: &Freeze) -> Comparison {
    let on_disk: BTreeSet<(u64, u64)> = written.iter().map(|line| (line.id, line.epoch)).collect();
    let is_lost = |answer: &&Answer| !on_disk.contains(&(answer.id, answer.epoch));
    let in_freeze = |answer: &Answer| (freeze.from..freeze.to).contains(&answer.came);
    let (overwritten, lost): (Vec<_>, Vec<_>) = answers.iter().filter(is_lost).cloned().partition(in_freeze);
    let mut newest = 0;
    let out_of_turn = written.iter().filter(|line| {
        newest = newest.max(line.epoch);
        line.epoch < newest
    });
    let (late, out_of_turn): (Vec<_>, Vec<_>) = out_of_turn.partition(|line| line.epoch == freeze.epoch);
    let paused = Paused { late: late.len(), overwritten: overwritten.len() };
    Comparison { acknowledged: answers.len(), lost, out_of_turn: out_of_turn.len(), paused }
}

/// The table that a person reads.
pub fn table(outages: &Outages) -> String {
    let mut text = String::from("\n  what happened            median    each, in milliseconds\n");
    let names = [
        (Kind::ColdStart, "cold start"),
        (Kind::Move, "planned move"),
        (Kind::AppRestart, "application killed"),
        (Kind::DaemonKill, "daemon killed, stopped"),
        (Kind::Crash, "owner host crashed"),
        (Kind::Fallback, "fallback"),
        (Kind::Isolation, "owner isolated"),
        (Kind::Adapter, "owner's adapter lost"),
    ];
    for (kind, name) in names {
        let each: Vec<String> = outages.of(kind).iter().map(u64::to_string).collect();
        let median = outages.median(kind).map_or("-".into(), |median| format!("{median} ms"));
        text.push_str(&format!("  {name:<24} {median:<9} {}\n", each.join(" ")));
    }
    text
}

/// The last line. `dual` is the number of moments with two owners outside the freeze.
pub fn line(outages: &Outages, comparison: &Comparison, dual: usize) -> String {
    let mut object: Map<String, Value> =
        Kind::ALL.into_iter().map(|kind| (kind.key().to_owned(), json!(outages.of(kind)))).collect();
    object.insert("lost_writes".into(), json!(comparison.lost.len()));
    object.insert("dual_owner".into(), json!(dual + comparison.out_of_turn));
    let Paused { late, overwritten } = comparison.paused;
    object.insert("paused_owner_writes".into(), json!(late + overwritten));
    Value::Object(object).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn answer(id: u64, epoch: u64, came: Instant) -> Answer {
        Answer { asked: came, came, id, epoch, node: "ada".into() }
    }

    fn written(id: u64, epoch: u64) -> Written {
        Written { id, epoch, node: "ada".into() }
    }

    fn frozen(from: Instant, epoch: u64) -> Freeze {
        Freeze { from, to: from + Duration::from_secs(5), epoch }
    }

    #[test]
    fn an_answer_that_is_not_on_the_disk_is_lost() {
        let now = Instant::now();
        let later = now + Duration::from_secs(60);
        let (kept, lost) = (answer(1, 7, now), answer(2, 7, now));
        let told = compare(&[kept, lost.clone()], &[written(1, 7), written(3, 7)], &frozen(later, 7));
        assert_eq!((told.acknowledged, told.lost), (2, vec![lost]));
    }

    #[test]
    fn what_is_lost_while_a_frozen_owner_may_still_write_is_its_doing() {
        let now = Instant::now();
        let told = compare(&[answer(2, 8, now)], &[], &frozen(now, 7));
        assert_eq!((told.lost.len(), told.paused), (0, Paused { late: 0, overwritten: 1 }));
    }

    #[test]
    fn a_write_of_an_older_owner_after_a_newer_one_is_out_of_turn() {
        let lines = [written(1, 7), written(2, 8), written(3, 7), written(4, 8)];
        let check = |frozen_epoch| {
            let told = compare(&[], &lines, &frozen(Instant::now(), frozen_epoch));
            (told.out_of_turn, told.paused.late)
        };
        assert_eq!(check(6), (1, 0));
        assert_eq!(check(7), (0, 1), "of the owner that was frozen it is another matter");
    }
}
