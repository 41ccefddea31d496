//! One process, held by a pidfd: no other process can ever be taken for it.

use crate::ending::Ending;
use crate::tail::{Flow, Tail};
use phalanx_host::clock::{remaining, timespec};
use phalanx_host::process::{Birth, birth};
use phalanx_types::Tick;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid,
};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A process, and what it prints.
#[derive(Debug)]
pub struct Process {
    pid: Pid,
    handle: OwnedFd,
    output: Option<OwnedFd>,
    tail: Tail,
}

impl Process {
    /// A child just started; `output` is the end of its output that does not block.
    pub(crate) fn child(pid: Pid, output: OwnedFd) -> io::Result<Process> {
        let handle = pidfd_open(pid, PidfdFlags::empty())?;
        Ok(Process { pid, handle, output: Some(output), tail: Tail::default() })
    }

    /// A process that an earlier life of the daemon started; `None` if it is gone, also if its number is in use again.
    pub fn adopt(pid: Pid, born: Birth, output: Option<OwnedFd>) -> Option<Process> {
        let handle = pidfd_open(pid, PidfdFlags::empty()).ok()?;
        // The pidfd holds the number from here on: what it names now it names for ever.
        let process = Process { pid, handle, output, tail: Tail::default() };
        (birth(pid) == Some(born)).then_some(process)
    }

    /// Its number.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// When it began; `None` if it is over.
    pub fn birth(&self) -> Option<Birth> {
        birth(self.pid)
    }

    /// Sends it a signal; one that is over needs none.
    pub fn signal(&self, signal: Signal) {
        let _ = pidfd_send_signal(&self.handle, signal);
    }

    /// The newest of its output.
    pub fn output(&self) -> String {
        self.tail.text()
    }

    /// Waits for its end until `deadline`, and takes in what it prints meanwhile. `None` if it still runs.
    pub fn wait(&mut self, deadline: Tick) -> Option<Ending> {
        loop {
            if self.look(deadline) {
                self.drain();
                return Some(self.reap());
            }
            if remaining(deadline).0 == 0 {
                return None;
            }
        }
    }

    /// Sleeps until something happens; whether it is the end.
    fn look(&mut self, deadline: Tick) -> bool {
        let mut fds = vec![PollFd::new(&self.handle, PollFlags::IN)];
        fds.extend(self.output.iter().map(|output| PollFd::new(output, PollFlags::IN)));
        let timeout = (deadline != Tick::NEVER).then(|| timespec(remaining(deadline)));
        if poll(&mut fds, timeout.as_ref()).is_err() {
            return false;
        }
        let happened: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        if happened.get(1) == Some(&true) {
            self.drain();
        }
        happened[0]
    }

    fn drain(&mut self) {
        if self.output.as_ref().is_some_and(|output| self.tail.drain(output) == Flow::Ended) {
            self.output = None;
        }
    }

    fn reap(&self) -> Ending {
        match waitid(WaitId::PidFd(self.handle.as_fd()), WaitIdOptions::EXITED) {
            Ok(Some(status)) => Ending::of(&status),
            // It is a child of another process, which is told instead.
            Ok(None) | Err(_) => Ending::Unseen,
        }
    }
}

impl AsFd for Process {
    /// Readable once the process has ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}
