//! Real-time scheduling and locked memory.

use rustix::mm::{MlockAllFlags, mlockall};
use std::io;

/// Above everything that is not real-time, below the kernel's own threads.
const PRIORITY: libc::c_int = 20;

/// Makes the calling thread real-time; threads and processes that it starts are not.
pub fn make_realtime() -> io::Result<()> {
    let parameters = libc::sched_param { sched_priority: PRIORITY };
    let policy = libc::SCHED_RR | libc::SCHED_RESET_ON_FORK;
    // SAFETY: 0 names the calling thread, and the parameters outlive the call.
    match unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Keeps in memory every page that this process has touched or will touch.
pub fn lock_memory() -> io::Result<()> {
    Ok(mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT)?)
}
