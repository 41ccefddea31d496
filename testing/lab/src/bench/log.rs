//! What the logs of a host's daemons tell of: views that left somebody out, stalls, and hosts taken down.

use crate::parts::stamp;
use crate::site::NAMES;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The logs of one host, from where they ended when this was made.
pub struct Log {
    daemon: PathBuf,
    deadman: PathBuf,
    read_from: [usize; 2],
}

/// A stall that a daemon noticed of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall {
    /// When it was over, in milliseconds since midnight.
    pub ended: u64,
    /// How long it lasted, in milliseconds.
    pub lasted: u64,
}

impl Log {
    /// The logs in a host's folder.
    pub fn from_now(folder: &Path) -> Log {
        let (daemon, deadman) = (folder.join("phalanxd.log"), folder.join("phalanx-deadman.log"));
        let read_from = [&daemon, &deadman].map(|path| fs::read_to_string(path).unwrap_or_default().len());
        Log { daemon, deadman, read_from }
    }

    /// The views that were installed here with a node less, by name.
    pub fn exclusions(&self) -> BTreeSet<String> {
        self.daemon_lines().lines().filter_map(smaller_view).collect()
    }

    /// The stalls that the daemon noticed.
    pub fn stalls(&self) -> Vec<Stall> {
        self.daemon_lines().lines().filter_map(stall).collect()
    }

    /// Why the group stopped being online here, each time.
    pub fn causes(&self) -> Vec<String> {
        self.daemon_lines().lines().filter_map(cause).collect()
    }

    /// How often the deadman took the host down.
    pub fn resets(&self) -> usize {
        let text = fs::read_to_string(&self.deadman).unwrap_or_default();
        let recent = text.get(self.read_from[1]..).unwrap_or_default();
        recent.lines().filter(|line| line.contains("taking the host down")).count()
    }

    fn daemon_lines(&self) -> String {
        let text = fs::read_to_string(&self.daemon).unwrap_or_default();
        text.get(self.read_from[0]..).unwrap_or_default().to_owned()
    }
}

/// `… view 7.1 installed, primary: ada, bob`
fn smaller_view(line: &str) -> Option<String> {
    let (before, after) = line.split_once(" installed, ")?;
    let members = after.split_once(": ")?.1.split(", ").count();
    let name = before.rsplit_once("view ")?.1;
    (members < NAMES.len()).then(|| name.to_owned())
}

/// `… shop: online -> releasing, epoch 7: the lease runs out`
fn cause(line: &str) -> Option<String> {
    let (at, what) = line.split_once(": online -> ")?;
    let time = at.split_whitespace().next()?;
    Some(format!("{time} {}", what.split_once(": ")?.1))
}

/// `… this node itself stood still for 312 ms: …`
fn stall(line: &str) -> Option<Stall> {
    let lasted = line.split_once("stood still for ")?.1.split_once(':')?.0;
    let (number, unit) = lasted.split_once(' ')?;
    let number: f64 = number.parse().ok()?;
    let lasted = if unit == "s" { number * 1_000.0 } else { number };
    Some(Stall { ended: stamp(line)?, lasted: lasted as u64 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_with_a_node_less_is_told_by_its_name() {
        let check =
            |line, expected: Option<&str>| assert_eq!(smaller_view(line).as_deref(), expected, "{line}");
        check("2026-11-22T19:56:20.000Z info  view 7.1 installed, primary: ada, bob", Some("7.1"));
        check("2026-11-22T19:56:20.000Z info  view 8.1 installed, primary: ada, bob, cyd", None);
        check("2026-11-22T19:56:20.000Z info  view 8.1 confirmed by a quorum", None);
    }

    #[test]
    fn what_ends_a_group_is_told_with_its_time() {
        let line = "2026-11-22T19:56:20.000Z info  shop: online -> releasing, epoch 7: the lease runs out";
        assert_eq!(cause(line).as_deref(), Some("2026-11-22T19:56:20.000Z the lease runs out"));
        assert_eq!(cause("2026-11-22T19:56:20.000Z info  shop: acquiring -> online, epoch 7: done"), None);
    }

    #[test]
    fn a_stall_has_an_end_and_a_length() {
        let line =
            "2026-11-22T00:00:20.000Z warn  this node itself stood still for LONG: no silence is believed";
        let check = |long, lasted| {
            assert_eq!(stall(&line.replace("LONG", long)), Some(Stall { ended: 20_000, lasted }));
        };
        check("312 ms", 312);
        check("1.5 s", 1_500);
        assert_eq!(stall("2026-11-22T00:00:20.000Z info  lease renewed"), None);
    }
}
