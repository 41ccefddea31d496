//! What many seeds add up to, for people and for programs. Integers only.

use crate::points::Points;
use crate::run::Outcome;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::hash::Hasher;
use std::time::Duration;

/// Failing seeds that are told in full.
const FAILURES_TOLD: usize = 3;

/// The sum of many seeds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many.
    pub seeds: u64,
    /// Virtual nanoseconds.
    pub elapsed: u128,
    /// Events and frames.
    pub events: u64,
    /// Faults by class.
    pub faults: BTreeMap<&'static str, u64>,
    /// Fewest faults in a seed that ran to its end.
    pub fewest_faults: Option<u64>,
    /// Seeds in which the view changed after the first fault.
    pub with_view_change: u64,
    /// Seeds in which a group moved.
    pub with_group_move: u64,
    /// Views installed.
    pub views: u64,
    /// Views installed after each seed's first fault.
    pub views_after_faults: u64,
    /// Groups moved.
    pub moves: u64,
    /// Ordered messages delivered.
    pub deliveries: u64,
    /// Times a deadman killed what was held.
    pub deadman_kills: u64,
    /// Times a deadman reset a host.
    pub deadman_resets: u64,
    /// Moments in which two nodes held one group (judged only where the class of proof covers the faults).
    pub dual_owners: u64,
    /// Violations by property.
    pub violations: BTreeMap<&'static str, u64>,
    /// Which rare branches were taken.
    pub points: Points,
    /// Digest of all seeds' digests.
    pub digest: u64,
    /// The first failing seeds.
    pub failures: Vec<Outcome>,
}

fn percent(part: u64, whole: u64) -> u64 {
    part * 100 / whole.max(1)
}

fn object(counts: &BTreeMap<&'static str, u64>) -> String {
    let pairs: Vec<_> = counts.iter().map(|(name, count)| format!("\"{name}\": {count}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

fn list(names: &[&'static str]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
    format!("[{}]", names.join(", "))
}

impl Report {
    /// Adds the next seed's outcome.
    pub fn add(&mut self, outcome: Outcome) {
        let census = &outcome.census;
        self.seeds += 1;
        self.elapsed += u128::from(outcome.elapsed.0);
        self.events += outcome.events;
        self.points.add(&outcome.points);
        for (kind, count) in &census.faults {
            *self.faults.entry(kind).or_insert(0) += count;
        }
        if outcome.violation.is_none() {
            let count = census.fault_count();
            self.fewest_faults = Some(self.fewest_faults.map_or(count, |fewest| fewest.min(count)));
        }
        self.with_view_change += u64::from(census.views_after_faults > 0);
        self.with_group_move += u64::from(census.moves > 0);
        self.views += census.views;
        self.views_after_faults += census.views_after_faults;
        self.moves += census.moves;
        self.deliveries += census.deliveries;
        self.deadman_kills += census.deadman_kills;
        self.deadman_resets += census.deadman_resets;
        self.dual_owners += census.dual_owners;
        let mut digest = crate::trace::Digest64::default();
        digest.write_u64(self.digest);
        digest.write_u64(outcome.digest);
        self.digest = digest.finish();
        if let Some((violation, _)) = &outcome.violation {
            *self.violations.entry(violation.property).or_insert(0) += 1;
            if self.failures.len() < FAILURES_TOLD {
                self.failures.push(outcome);
            }
        }
    }

    /// Violations of all properties.
    pub fn violation_count(&self) -> u64 {
        self.violations.values().sum()
    }

    /// Faults of all classes.
    pub fn fault_count(&self) -> u64 {
        self.faults.values().sum()
    }

    fn seconds(&self) -> u64 {
        (self.elapsed / 1_000_000_000) as u64
    }

    /// Virtual hours with three decimals.
    fn hours(&self) -> String {
        let thousandths = self.elapsed / 3_600_000_000;
        format!("{}.{:03}", thousandths / 1_000, thousandths % 1_000)
    }

    /// Virtual seconds for each second of `wall` time.
    fn speed(&self, wall: Duration) -> u64 {
        (self.elapsed / wall.as_nanos().max(1)) as u64
    }

    /// One line for a program.
    pub fn json(&self, wall: Duration, jobs: usize) -> String {
        let (speed, cores) = (self.speed(wall), jobs as u64);
        let mut out = String::from("{");
        let mut field = |name: &str, value: &dyn std::fmt::Display| {
            let comma = if out.len() == 1 { "" } else { ", " };
            write!(out, "{comma}\"{name}\": {value}").expect("a string takes all that is written to it");
        };
        field("seeds", &self.seeds);
        field("virtual_hours", &self.hours());
        field("events", &self.events);
        field("faults", &object(&self.faults));
        field("fewest_faults_in_a_seed", &self.fewest_faults.unwrap_or(0));
        field("violations", &self.violation_count());
        field("violations_by_property", &object(&self.violations));
        field("virtual_seconds_per_second", &speed);
        field("virtual_seconds_per_core_second", &(speed / cores.max(1)));
        field("seeds_with_view_change_percent", &percent(self.with_view_change, self.seeds));
        field("seeds_with_group_move_percent", &percent(self.with_group_move, self.seeds));
        field("views", &self.views);
        field("views_per_100_faults", &(self.views_after_faults * 100 / self.fault_count().max(1)));
        field("group_moves", &self.moves);
        field("deliveries", &self.deliveries);
        field("deadman_kills", &self.deadman_kills);
        field("deadman_resets", &self.deadman_resets);
        field("dual_owners", &self.dual_owners);
        field("points", &object(&self.points.counts()));
        field("points_missed", &list(&self.points.missed()));
        field("trace_digest", &format!("\"{:016x}\"", self.digest));
        out.push('}');
        out
    }

    /// A few lines for people.
    pub fn words(&self, wall: Duration, jobs: usize) -> String {
        let speed = self.speed(wall);
        let mut out =
            format!("{} seeds, {} virtual seconds, {} events", self.seeds, self.seconds(), self.events);
        let mut line = |words: String| {
            out.push('\n');
            out.push_str(&words);
        };
        line(format!(
            "{speed} virtual seconds a second on {jobs} threads ({} each)",
            speed / jobs.max(1) as u64
        ));
        line(format!("{} faults: {}", self.fault_count(), object(&self.faults)));
        let (views, moves) =
            (percent(self.with_view_change, self.seeds), percent(self.with_group_move, self.seeds));
        line(format!(
            "{} views ({views} % of seeds change one), {} moves ({moves} % of seeds)",
            self.views, self.moves
        ));
        line(format!("deadman: {} kills, {} resets", self.deadman_kills, self.deadman_resets));
        line(format!("moments with two owners: {}", self.dual_owners));
        let (all, missed) = (Points::names().count(), self.points.missed());
        line(format!("{} of {all} rare branches taken", all - missed.len()));
        if !missed.is_empty() {
            line(format!("never taken: {}", missed.join(", ")));
        }
        line(format!("trace digest {:016x}", self.digest));
        match self.violation_count() {
            0 => line("no violation".into()),
            count => line(format!("VIOLATIONS in {count} seeds: {}", object(&self.violations))),
        }
        out
    }

    /// The first failing seeds, and the end of the first one's trace.
    pub fn failures_in_words(&self) -> String {
        let mut out = String::new();
        if let Some((_, tail)) = self.failures.first().and_then(|outcome| outcome.violation.as_ref()) {
            out.push_str(tail);
        }
        for outcome in &self.failures {
            if let Some((violation, _)) = &outcome.violation {
                out.push_str(&format!("seed {}: {violation}\n", outcome.seed));
            }
        }
        out
    }
}
