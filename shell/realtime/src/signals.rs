//! Signals as something to read: blocked in every thread, told on a file descriptor.

use std::fs::File;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd};

/// A signal that a daemon listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Stop in order (SIGTERM, SIGINT).
    Stop,
    /// Nothing is reloaded by signal (SIGHUP).
    Hangup,
}

/// The signals of this process.
pub struct Signals {
    file: File,
}

impl Signals {
    /// Blocks the signals for the calling thread and for all that it starts from now on: call it first.
    pub fn begin() -> io::Result<Signals> {
        let mut set = MaybeUninit::uninit();
        // SAFETY: the set is made by sigemptyset before anything reads it; all calls get valid pointers to it.
        let fd = unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
                libc::sigaddset(set.as_mut_ptr(), signal);
            }
            libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut());
            libc::signalfd(-1, set.as_ptr(), libc::SFD_NONBLOCK | libc::SFD_CLOEXEC)
        };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made and nobody else has it.
        Ok(Signals { file: unsafe { File::from_raw_fd(fd) } })
    }

    /// The next signal, if one is waiting.
    pub fn take(&mut self) -> Option<Signal> {
        let mut record = [0; size_of::<libc::signalfd_siginfo>()];
        let length = self.file.read(&mut record).ok()?;
        let number = record.first_chunk::<4>().filter(|_| length == record.len())?;
        match u32::from_ne_bytes(*number) as libc::c_int {
            libc::SIGHUP => Some(Signal::Hangup),
            _ => Some(Signal::Stop), // the set has no others
        }
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
