//! The thread that makes records durable, in the order they were asked for.

use crate::inbox::Post;
use phalanx_journal::{Limits, StateDir, StateError};
use phalanx_node::{Input, Record, StoreToken};
use phalanx_realtime::make_helper;
use std::io;
use std::sync::mpsc::{self, Sender};
use std::thread;

const STACK_BYTES: usize = 256 * 1024;

/// Where records are handed in.
pub struct Keeper {
    records: Sender<(StoreToken, Record)>,
}

impl Keeper {
    /// Begins to keep; the state directory stays taken until the keeper is gone.
    pub fn begin(dir: StateDir, post: Post) -> io::Result<Keeper> {
        let (records, asked) = mpsc::channel();
        let work = move || {
            // If it is refused the main thread's own attempt tells why.
            let _ = make_helper();
            for (token, record) in asked {
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
        let alive = self.records.send((token, record)).is_ok();
        assert!(alive, "the keeper ends with the daemon");
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
