//! The watchdog device: it restarts the host when nobody has fed it for its timeout. Armed only while something is held.

use phalanx_types::{Span, Tick};
use rustix::ioctl::{Opcode, Updater, ioctl, opcode};
use std::ffi::c_int;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

/// WDIOC_SETTIMEOUT
const SET_TIMEOUT: Opcode = opcode::read_write::<c_int>(b'W', 6);
/// Written last, it tells the driver that the device is closed on purpose.
const MAGIC_CLOSE: &[u8] = b"V";
/// It is fed this often within its timeout.
const FEEDS_PER_TIMEOUT: u64 = 4;

/// A watchdog device, armed or not.
#[derive(Debug)]
pub struct Watchdog {
    path: PathBuf,
    seconds: u32,
    armed: Option<Armed>,
}

#[derive(Debug)]
struct Armed {
    device: File,
    feed_at: Tick,
}

impl Watchdog {
    /// The device at `path`, which is not opened yet.
    pub fn new(path: PathBuf, seconds: u32) -> Watchdog {
        Watchdog { path, seconds, armed: None }
    }

    /// Its timeout.
    pub fn seconds(&self) -> u32 {
        self.seconds
    }

    /// Arms it; it may be armed already.
    pub fn arm(&mut self) -> io::Result<()> {
        if self.armed.is_none() {
            let device = OpenOptions::new().write(true).open(&self.path)?;
            let mut seconds = c_int::try_from(self.seconds).map_err(io::Error::other)?;
            // SAFETY: the request takes a pointer to an int, which the value is, and writes an int back.
            let request = unsafe { Updater::<SET_TIMEOUT, c_int>::new(&mut seconds) };
            // SAFETY: the request is the one that Linux defines for watchdogs; another file answers ENOTTY.
            unsafe { ioctl(&device, request) }?;
            self.armed = Some(Armed { device, feed_at: Tick::ZERO });
        }
        Ok(())
    }

    /// Feeds it if that is due.
    pub fn feed(&mut self, now: Tick) -> io::Result<()> {
        let pause = Span::from_secs(u64::from(self.seconds)) / FEEDS_PER_TIMEOUT;
        match &mut self.armed {
            Some(armed) if now >= armed.feed_at => {
                armed.feed_at = now + pause;
                armed.device.write_all(b"\0")
            }
            Some(_) | None => Ok(()),
        }
    }

    /// When it wants to be fed.
    pub fn wake_at(&self) -> Tick {
        self.armed.as_ref().map_or(Tick::NEVER, |armed| armed.feed_at)
    }

    /// Disarms it, if the driver lets us.
    pub fn disarm(&mut self) -> io::Result<()> {
        match self.armed.take() {
            Some(mut armed) => armed.device.write_all(MAGIC_CLOSE),
            None => Ok(()),
        }
    }
}
