//! The ledger: one line for each order, on disk before it is confirmed.
//!
//! A line that was begun and not finished, because the disk was full or the power went, stays a line of its own: what comes
//! next begins on a new one, so that no confirmed order is ever glued to it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// The open ledger.
pub struct Ledger {
    file: File,
    epoch: String,
    node: String,
    count: AtomicU64,
    tail: Mutex<Tail>,
}

/// How the file ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tail {
    Whole,
    Torn,
}

impl Ledger {
    /// Opens, or begins, the ledger in `directory`.
    pub fn open(directory: &Path, epoch: String, node: String) -> io::Result<Ledger> {
        let mut file =
            OpenOptions::new().create(true).read(true).append(true).open(directory.join("ledger.log"))?;
        // A ledger that was just begun must not be lost with its directory's entry.
        File::open(directory)?.sync_all()?;
        let tail = Mutex::new(tail(&mut file)?);
        Ok(Ledger { file, epoch, node, count: AtomicU64::new(0), tail })
    }

    /// Writes down an order; once this returns it is on disk.
    pub fn append(&self, id: &str) -> io::Result<()> {
        let (epoch, node, time) = (&self.epoch, &self.node, micros());
        self.write(&format!(
            "{{\"id\":\"{id}\",\"epoch\":\"{epoch}\",\"node\":\"{node}\",\"time\":{time}}}\n"
        ))?;
        // Outside of the lock: orders of several connections reach the disk together.
        self.file.sync_data()?;
        self.count.fetch_add(1, SeqCst);
        Ok(())
    }

    /// One line at a time, whole, or torn and known to be.
    fn write(&self, line: &str) -> io::Result<()> {
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = if *tail == Tail::Torn { "\n" } else { "" };
        *tail = Tail::Torn;
        (&self.file).write_all(format!("{begin}{line}").as_bytes())?;
        *tail = Tail::Whole;
        Ok(())
    }

    /// The acquisition and the node under which orders are taken.
    pub fn owner(&self) -> String {
        format!("{} {}", self.epoch, self.node)
    }

    /// Orders taken since this was opened.
    pub fn count(&self) -> u64 {
        self.count.load(SeqCst)
    }
}

fn tail(file: &mut File) -> io::Result<Tail> {
    if file.metadata()?.len() == 0 {
        return Ok(Tail::Whole);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(if last == *b"\n" { Tail::Whole } else { Tail::Torn })
}

/// The wall clock, for people and for the demo's comparison; microseconds.
fn micros() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros())
}
