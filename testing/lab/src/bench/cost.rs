//! What a process costs, by the kernel's own account.

use crate::tool::{Outcome, Trouble, While};
use std::fs;

/// The kernel's clock ticks in a second, as `/proc` counts time.
const TICKS_PER_SEC: u64 = 100;
/// Where in `/proc/PID/stat` user and system time stand, counted after the name.
const USER_AND_SYSTEM: [usize; 2] = [11, 12];

/// What a process has cost since it began, and the memory it has now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Time on a core, in milliseconds; threads that have ended count, child processes do not.
    pub cpu_ms: u64,
    /// How often one of its threads went to sleep, and so was woken.
    pub wakeups: u64,
    /// Memory, in KiB.
    pub resident_kib: u64,
}

impl Cost {
    /// Of a process that runs.
    pub fn of(pid: u32) -> Outcome<Cost> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).during("reading what a process costs")?;
        let status =
            fs::read_to_string(format!("/proc/{pid}/status")).during("reading what a process costs")?;
        let cpu_ms = ticks(&stat).ok_or_else(|| Trouble("a process without a stat line".into()))? * 1_000
            / TICKS_PER_SEC;
        let threads = fs::read_dir(format!("/proc/{pid}/task")).during("listing threads")?.flatten();
        let statuses = threads.filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok());
        let wakeups = statuses.filter_map(|status| field(&status, "voluntary_ctxt_switches")).sum();
        Ok(Cost { cpu_ms, wakeups, resident_kib: field(&status, "VmRSS").unwrap_or_default() })
    }
}

/// The name may hold blanks and parentheses; what follows its end does not.
fn ticks(stat: &str) -> Option<u64> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    USER_AND_SYSTEM.into_iter().map(|place| fields.get(place)?.parse::<u64>().ok()).sum()
}

fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_behind_a_name_of_any_kind() {
        let stat = "42 (a) b (c)) S 1 42 42 0 -1 4194560 900 0 0 0 17 25 3 4 20 0 5 0 100";
        assert_eq!(ticks(stat), Some(42));
        assert_eq!(ticks("42 (a) S 1"), None);
    }

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let status = "nonvoluntary_ctxt_switches:\t9\nvoluntary_ctxt_switches:\t7\nVmRSS:\t  12 kB\n";
        assert_eq!(field(status, "voluntary_ctxt_switches"), Some(7));
        assert_eq!(field(status, "VmRSS"), Some(12));
        assert_eq!(field(status, "Vm"), None);
    }
}
