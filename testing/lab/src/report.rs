//! What the demo ends with: the comparison with the disk, a table, and one line for programs.

use crate::client::Answer;
use crate::disk::Image;
use crate::outage::{Kind, Outages};
use crate::sampler::Seen;
use crate::tool::{Outcome, While, run};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

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
    pub lost: usize,
    /// Orders on the disk under an older epoch after the first under a newer one.
    pub out_of_turn: usize,
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
pub fn compare(answers: &[Answer], written: &[Written]) -> Comparison {
    let on_disk: BTreeSet<(u64, u64)> = written.iter().map(|line| (line.id, line.epoch)).collect();
    let lost = answers.iter().filter(|answer| !on_disk.contains(&(answer.id, answer.epoch))).count();
    let mut newest = 0;
    let out_of_turn = written.iter().filter(|line| {
        newest = newest.max(line.epoch);
        line.epoch < newest
    });
    Comparison { acknowledged: answers.len(), lost, out_of_turn: out_of_turn.count() }
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

/// The last line.
pub fn line(outages: &Outages, comparison: &Comparison, seen: &Seen, paused_owner_writes: usize) -> String {
    let mut object: Map<String, Value> =
        Kind::ALL.into_iter().map(|kind| (kind.key().to_owned(), json!(outages.of(kind)))).collect();
    object.insert("lost_writes".into(), json!(comparison.lost));
    object.insert("dual_owner".into(), json!(seen.dual.len() + comparison.out_of_turn));
    object.insert("paused_owner_writes".into(), json!(paused_owner_writes));
    Value::Object(object).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn answer(id: u64, epoch: u64) -> Answer {
        let now = Instant::now();
        Answer { asked: now, came: now, id, epoch, node: "ada".into() }
    }

    fn written(id: u64, epoch: u64) -> Written {
        Written { id, epoch, node: "ada".into() }
    }

    #[test]
    fn an_answer_that_is_not_on_the_disk_is_lost() {
        let comparison = compare(&[answer(1, 7), answer(2, 7)], &[written(1, 7), written(3, 7)]);
        assert_eq!(comparison, Comparison { acknowledged: 2, lost: 1, out_of_turn: 0 });
    }

    #[test]
    fn a_write_of_an_older_owner_after_a_newer_one_is_out_of_turn() {
        let comparison = compare(&[], &[written(1, 7), written(2, 8), written(3, 7), written(4, 8)]);
        assert_eq!(comparison.out_of_turn, 1);
    }
}
