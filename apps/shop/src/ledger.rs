//! The ledger: one line for each order, on disk before it is confirmed.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{SystemTime, UNIX_EPOCH};

/// The open ledger.
pub struct Ledger {
    file: File,
    epoch: String,
    node: String,
    count: AtomicU64,
}

impl Ledger {
    /// Opens, or begins, the ledger in `directory`.
    pub fn open(directory: &Path, epoch: String, node: String) -> io::Result<Ledger> {
        let file = OpenOptions::new().create(true).append(true).open(directory.join("ledger.log"))?;
        // A ledger that was just begun must not be lost with its directory's entry.
        File::open(directory)?.sync_all()?;
        Ok(Ledger { file, epoch, node, count: AtomicU64::new(0) })
    }

    /// Writes down an order; once this returns it is on disk.
    ///
    /// The line is one write to the end of the file, so that lines of several connections do not mix.
    pub fn append(&self, id: &str) -> io::Result<()> {
        let (epoch, node, time) = (&self.epoch, &self.node, micros());
        let line = format!("{{\"id\":\"{id}\",\"epoch\":\"{epoch}\",\"node\":\"{node}\",\"time\":{time}}}\n");
        (&self.file).write_all(line.as_bytes())?;
        self.file.sync_data()?;
        self.count.fetch_add(1, SeqCst);
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

/// The wall clock, for people and for the demo's comparison; microseconds.
fn micros() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros())
}
