//! What a child does between fork and exec: enters its cgroup, sheds what it inherited, and looks at the clock.
//!
//! Only system calls, no memory: the parent has other threads.

use phalanx_host::now;
use phalanx_types::Tick;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// What the child answers when its permit ran out on the way.
pub(crate) const STALE: Errno = Errno::CANCELED;

/// First file descriptor after standard input, output and error.
const FIRST_INHERITED: libc::c_uint = 3;

/// Has `command` enter the cgroup whose `cgroup.procs` is `procs`, and go on only before `until`.
pub(crate) fn prepare(command: &mut Command, procs: File, until: Tick) {
    let steps = move || become_child(&procs, until);
    // SAFETY: the closure only makes system calls on values it owns; it neither allocates nor takes a lock.
    unsafe { command.pre_exec(steps) };
}

fn become_child(procs: &File, until: Tick) -> io::Result<()> {
    rustix::io::write(procs, b"0")?;
    rustix::process::setsid()?;
    rustix::process::umask(Mode::WGRP | Mode::WOTH);
    leave_real_time()?;
    unblock_signals()?;
    become_killable();
    close_inherited_on_exec()?;
    match now() < until {
        true => Ok(()),
        false => Err(STALE.into()),
    }
}

/// A resource's process must never compete with heartbeats.
fn leave_real_time() -> io::Result<()> {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: 0 names the calling thread; the parameters outlive the call.
    let outcome = unsafe { libc::sched_setscheduler(0, libc::SCHED_OTHER, &parameters) };
    succeeded(outcome.into())
}

/// The daemon blocks the signals that it reads from a descriptor; a child that inherits that never hears SIGTERM.
fn unblock_signals() -> io::Result<()> {
    let mut none = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `sigemptyset` writes the whole set, which outlives the call.
    unsafe { libc::sigemptyset(none.as_mut_ptr()) };
    // SAFETY: the set was just written; nothing is asked back.
    let outcome = unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut()) };
    if outcome == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(outcome)) }
}

/// The daemon may be spared when memory runs out; what it starts is not. Without `/proc` nothing is lost by going on.
fn become_killable() {
    if let Ok(file) = rustix::fs::open(c"/proc/self/oom_score_adj", OFlags::WRONLY, Mode::empty()) {
        let _ = rustix::io::write(&file, b"0");
    }
}

fn close_inherited_on_exec() -> io::Result<()> {
    // SAFETY: marking descriptors changes no memory; that those of the parent go at exec is the purpose.
    let outcome = unsafe {
        libc::syscall(libc::SYS_close_range, FIRST_INHERITED, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC)
    };
    succeeded(outcome)
}

fn succeeded(outcome: libc::c_long) -> io::Result<()> {
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
