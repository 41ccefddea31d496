//! The thread that makes records durable, in the order they were asked for.

use crate::inbox::Post;
use phalanx_journal::{Limits, StateDir, StateError};
use phalanx_node::{Input, Record, StoreToken};
use phalanx_realtime::{Giver, make_helper, queue};
use std::io;
use std::thread;

/// Records that may wait for the disk.
const RECORDS_MAX: usize = 1_024;
const STACK_BYTES: usize = 256 * 1024;

/// Where records are handed in.
pub struct Keeper {
    records: Giver<(StoreToken, Record)>,
}

impl Keeper {
    /// Begins to keep; the state directory stays taken until the keeper is gone.
    pub fn begin(dir: StateDir, post: Post) -> io::Result<Keeper> {
        let (records, asked) = queue(RECORDS_MAX);
        let work = move || {
            // If it is refused the main thread's own attempt tells why.
            let _ = make_helper();
            while let Some((token, record)) = asked.wait() {
                post.input(match write(&dir, &record) {
                    Ok(()) => Input::StoreDone(token),
                    Err(error) => {
                        eprintln!("phalanxd: {error}");
                        Input::StoreFailed(token)
                    }
                });
            }
        };
        thread::Builder::new().name("keeper".into()).stack_size(STACK_BYTES).spawn(work)?;
        Ok(Keeper { records })
    }

    /// Has a record made durable; the answer comes to the inbox.
    pub fn keep(&self, token: StoreToken, record: Record) {
        let alive = self.records.give((token, record)).is_ok();
        assert!(alive, "the keeper ends with the daemon, and a disk that takes nothing ends both");
    }
}

fn write(dir: &StateDir, record: &Record) -> Result<(), StateError> {
    match record {
        Record::Limits { view_counter_max, lease_max } => {
            dir.write_limits(&Limits { view_counter_max: *view_counter_max, lease_max: *lease_max })
        }
        Record::Ledger(image) => dir.write_ledger(image),
    }
}
