//! Real-time scheduling.
//!
//! A real-time thread is only as prompt as the threads that it shares locks, queues and an allocator with. Whoever is
//! preempted half way through sending, or with a lock taken, keeps it waiting; and if every core is busy with ordinary
//! programs that lasts until the scheduler gets round to it, hundreds of milliseconds. So each thread of such a process
//! is real-time, the helpers below the one that they help: no ordinary program comes between.

use std::io;

/// Above everything that is not real-time, below the kernel's own threads.
const PRIORITY: libc::c_int = 20;
/// Above everything that is not real-time, below everything that is.
const HELPER_PRIORITY: libc::c_int = 1;

/// Makes the calling thread real-time; threads and processes that it starts are not.
pub fn make_realtime() -> io::Result<()> {
    set_priority(PRIORITY)
}

/// Makes the calling thread one that a real-time thread may share locks with; threads and processes that it starts are
/// not.
pub fn make_helper() -> io::Result<()> {
    set_priority(HELPER_PRIORITY)
}

fn set_priority(sched_priority: libc::c_int) -> io::Result<()> {
    let parameters = libc::sched_param { sched_priority };
    let policy = libc::SCHED_RR | libc::SCHED_RESET_ON_FORK;
    // SAFETY: 0 names the calling thread, and the parameters outlive the call.
    match unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
