//! What a takeover's outage consists of, read from the taker's own log.

use std::fmt;
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

const DAY_MS: u64 = 86_400_000;

/// The parts of one outage, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// From the crash until the node is declared down.
    pub detection: u64,
    /// Until the plan is agreed.
    pub agreement: u64,
    /// Until the lost node's lease is provably over.
    pub proof: u64,
    /// Until everything is started.
    pub acquisition: u64,
}

impl Parts {
    /// Reads them from the log of the node that took over; `None` if it tells no such story since `began`.
    pub fn read(log: &Path, began: SystemTime) -> Option<Parts> {
        Parts::parse(&fs::read_to_string(log).ok()?, since_midnight(began)?)
    }

    fn parse(log: &str, began: u64) -> Option<Parts> {
        let recent: Vec<(u64, &str)> = log.lines().filter_map(|line| Some((stamp(line)?, line))).collect();
        let recent = recent.iter().filter(|(at, _)| *at >= began);
        let first = |from: u64, words: &[&str]| {
            let mut later = recent.clone().filter(|(at, _)| *at >= from);
            later.find(|(_, line)| words.iter().all(|word| line.contains(word))).map(|(at, _)| *at)
        };
        let down = first(began, &[" is down"])?;
        let agreed = first(down, &["plan ", " agreed"])?;
        let clear = first(agreed, &["clear for epoch"])?;
        let online = first(clear, &["-> online"])?;
        let (detection, agreement, proof) = (down - began, agreed - down, clear - agreed);
        Some(Parts { detection, agreement, proof, acquisition: online - clear })
    }
}

impl fmt::Display for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { detection, agreement, proof, acquisition } = self;
        write!(
            f,
            "detection {detection} ms, agreement {agreement} ms, waiting for the lease {proof} ms, acquisition {acquisition} ms"
        )
    }
}

/// Milliseconds since midnight, UTC.
pub(crate) fn since_midnight(when: SystemTime) -> Option<u64> {
    let since = when.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok().map(|ms| ms % DAY_MS)
}

/// `2026-11-22T19:56:28.587Z …`, as milliseconds since midnight.
pub(crate) fn stamp(line: &str) -> Option<u64> {
    let clock = line.split_once('T')?.1.split_once('Z')?.0;
    let (hours, rest) = clock.split_once(':')?;
    let (minutes, seconds) = rest.split_once(':')?;
    let (seconds, ms) = seconds.split_once('.')?;
    let number = |text: &str| text.parse::<u64>().ok();
    Some(((number(hours)? * 60 + number(minutes)?) * 60 + number(seconds)?) * 1_000 + number(ms)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
2026-11-22T19:56:20.000Z warn  ada is down: all its paths silent for 400 ms
2026-11-22T19:56:28.587Z warn  ada is down: all its paths silent for 400 ms
2026-11-22T19:56:28.626Z info  plan c9e41c31 agreed: bob: await proof
2026-11-22T19:56:28.708Z info  shop: clear for epoch 8847360 after 81 ms
2026-11-22T19:56:28.776Z info  shop: acquiring -> online, epoch 8847360
";

    #[test]
    fn the_parts_of_a_takeover_are_read_from_the_log() {
        let began = stamp("2026-11-22T19:56:28.187Z").unwrap();
        let parts = Parts::parse(LOG, began).unwrap();
        assert_eq!(parts, Parts { detection: 400, agreement: 39, proof: 82, acquisition: 68 });
        assert_eq!(Parts::parse(LOG, began + 1_000), None, "nothing happened since");
    }
}
