//! Whether the cluster keeps calm: every core is busy, and now and then a daemon is stopped for a moment. Nothing may move.

use super::burners::Burners;
use super::dice::Dice;
use super::log::Log;
use super::witness::Witness;
use super::{cluster, setting, tell};
use crate::client::{Answer, Client};
use crate::demo::client;
use crate::parts::since_midnight;
use crate::site::{NAMES, Site};
use crate::tool::{Outcome, Trouble, wait_until};
use phalanx_realtime::make_realtime;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

/// How long it lasts unless `MINUTES` says so.
const MINUTES_DEFAULT: u64 = 10;
/// How long a daemon is stopped.
const STOP: Duration = Duration::from_millis(300);
/// Between two stops, in milliseconds: at least, and so much more by chance.
const PAUSE_MS: (u64, u64) = (2_000, 4_000);
/// How long the service may take to come up.
const UP_LIMIT: Duration = Duration::from_secs(10);
/// A daemon that was stopped notices at most this long after it was told to go on, in milliseconds.
const NOTICE_MS: u64 = 100;

/// What is going on.
struct Trial {
    site: Site,
    client: Client,
    dice: Dice,
    /// Which node was told to go on, and when, in milliseconds since midnight.
    stops: Vec<(usize, u64)>,
    longest_stop: Duration,
    resets: usize,
}

/// Keeps at it for a while, and prints what moved.
pub fn run(work: &Path) -> Outcome<()> {
    let (minutes, timing) = (setting("MINUTES", MINUTES_DEFAULT)?, setting("TIMING", "auto".to_owned())?);
    let seed = setting("SEED", since_midnight(SystemTime::now()).unwrap_or_default())?;
    let site = cluster(work, &timing)?;
    let mut trial = Trial {
        site,
        client: client()?,
        dice: Dice::new(seed),
        stops: Vec::new(),
        longest_stop: Duration::ZERO,
        resets: 0,
    };
    let began = Instant::now();
    trial.client.first_after(began, UP_LIMIT).ok_or_else(|| Trouble("the service does not answer".into()))?;
    let logs: Vec<Log> = NAMES.iter().map(|name| Log::from_now(&work.join(name))).collect();
    let (burners, witness) = (Burners::light(), Witness::start());
    // A stop shall last as long as it is meant to, however busy the cores are.
    let _ = make_realtime();
    tell(&format!("SEED={seed}: {} cores burn for {minutes} min at {timing}", burners.count()));
    let (began, end) = (Instant::now(), Instant::now() + Duration::from_secs(minutes * 60));
    while Instant::now() < end {
        trial.disturb()?;
    }
    let gap = trial.client.longest_gap(began);
    let waited = witness.worst_ms();
    drop((burners, witness));
    trial.client.stop();
    println!("{}", trial.line(&Setup { timing, minutes, seed }, began, &logs, gap, waited));
    trial.site.shut_down();
    Ok(())
}

/// How it was set up.
struct Setup {
    timing: String,
    minutes: u64,
    seed: u64,
}

impl Trial {
    /// Stops a daemon for a moment; boots a host that its deadman took down.
    fn disturb(&mut self) -> Outcome<()> {
        sleep(Duration::from_millis(PAUSE_MS.0 + self.dice.below(PAUSE_MS.1)));
        let number = self.dice.below(NAMES.len() as u64) as usize;
        if self.site.signal_daemon(number, Signal::STOP).is_ok() {
            let stopped = Instant::now();
            sleep(STOP);
            self.site.signal_daemon(number, Signal::CONT)?;
            self.longest_stop = self.longest_stop.max(stopped.elapsed());
            self.stops.push((number, since_midnight(SystemTime::now()).unwrap_or_default()));
        }
        (0..NAMES.len()).try_for_each(|number| self.revive(number))
    }

    fn revive(&mut self, number: usize) -> Outcome<()> {
        if self.site.machine(number)?.host.is_up() {
            return Ok(());
        }
        tell(&format!("{} was reset by its deadman; it boots again", NAMES[number]));
        self.resets += 1;
        self.site.bury(number);
        self.site.boot(number)?;
        self.site.start_daemon(number)?;
        wait_until(UP_LIMIT, || self.site.members() == NAMES.len());
        Ok(())
    }

    /// Stalls that nobody ordered, in milliseconds.
    fn unordered_stalls(&self, logs: &[Log]) -> Vec<u64> {
        let ordered = |number: usize, ended: u64| {
            self.stops.iter().any(|(stopped, on)| *stopped == number && ended.abs_diff(*on) <= NOTICE_MS)
        };
        let of = |(number, log): (usize, &Log)| {
            let stalls = log.stalls().into_iter().filter(move |stall| !ordered(number, stall.ended));
            stalls.map(|stall| stall.lasted).collect::<Vec<_>>()
        };
        logs.iter().enumerate().flat_map(of).collect()
    }

    fn line(&self, setup: &Setup, began: Instant, logs: &[Log], gap: Duration, machine_ms: u64) -> Value {
        let moves = moves(&self.client.answers(), began);
        let exclusions: BTreeSet<String> = logs.iter().flat_map(Log::exclusions).collect();
        let causes: BTreeSet<String> = logs.iter().flat_map(Log::causes).collect();
        let resets = logs.iter().map(Log::resets).sum::<usize>().max(self.resets);
        let goal = (setup.timing != "fast").then_some(0);
        json!({
            "figure": "false_fallovers", "value": moves, "unit": format!("in {} min", setup.minutes),
            "goal": goal, "met": goal.is_none() || moves == 0,
            "timing": setup.timing, "seed": setup.seed, "stops": self.stops.len(), "stop_ms": STOP.as_millis() as u64, "longest_stop_ms": self.longest_stop.as_millis() as u64,
            "causes": causes, "exclusions": exclusions.len(), "deadman_resets": resets, "longest_gap_ms": gap.as_millis() as u64,
            "unordered_stalls_ms": self.unordered_stalls(logs), "machine_stall_ms": machine_ms,
        })
    }
}

/// How often the service was taken anew: by another node, or by the same under another epoch.
fn moves(answers: &[Answer], since: Instant) -> usize {
    let recent: Vec<&Answer> = answers.iter().filter(|answer| answer.came >= since).collect();
    recent.windows(2).filter(|pair| (pair[0].epoch, &pair[0].node) != (pair[1].epoch, &pair[1].node)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_owner_and_another_epoch_are_moves() {
        let now = Instant::now();
        let answer = |epoch, node: &str| Answer { asked: now, came: now, id: 1, epoch, node: node.into() };
        let answers =
            [answer(1, "ada"), answer(1, "ada"), answer(2, "bob"), answer(2, "bob"), answer(3, "bob")];
        assert_eq!(moves(&answers, now), 2);
        assert_eq!(moves(&answers, now + Duration::from_millis(1)), 0, "what was before does not count");
    }
}
