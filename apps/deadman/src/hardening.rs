//! Makes this process one that runs when others do not: in memory, in real time, spared when memory runs out.

use crate::say::say;
use rustix::mm::{MlockAllFlags, mlockall};
use std::{fs, io};

/// Above the daemon's heartbeats.
const PRIORITY: libc::c_int = 50;

/// Does what can be done, and says what cannot.
pub fn harden() {
    let locked = mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE).map_err(io::Error::from);
    warn("lock its memory", "it can be swapped out", locked);
    warn("run in real time", "a busy host can make it late", real_time());
    let spared = fs::write("/proc/self/oom_score_adj", "-1000");
    warn("be spared when memory runs out", "the kernel may choose it", spared);
}

fn warn(what: &str, consequence: &str, outcome: io::Result<()>) {
    if let Err(error) = outcome {
        say(&format!("warning: cannot {what} ({error}); {consequence}"));
    }
}

/// Round robin. Its helpers inherit that: what they do is as urgent.
fn real_time() -> io::Result<()> {
    let parameters = libc::sched_param { sched_priority: PRIORITY };
    // SAFETY: 0 names the calling thread; the parameters outlive the call.
    let outcome = unsafe { libc::sched_setscheduler(0, libc::SCHED_RR, &parameters) };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
