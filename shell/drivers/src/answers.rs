//! Exactly one answer to each operation, at its deadline at the latest.
//!
//! A worker that has not answered by then is abandoned: its operation is answered for it, and it is counted until it
//! comes back.

use crate::host::{Key, Report, Reporter, lock};
use phalanx_exec::Clearance;
use phalanx_host::clock::duration;
use phalanx_host::now;
use phalanx_realtime::make_helper;
use phalanx_types::{OperationId, OperationResult, Tick};
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::{io, thread};

/// Workers of one resource that may be abandoned at a time. What hangs costs its own resource only.
pub(crate) const ABANDONED_MAX: usize = 8;
const STACK_BYTES: usize = 128 * 1024;

struct Open {
    key: Key,
    deadline: Tick,
    /// Revoked when the time is up: what wakes late must not acquire.
    clearance: Option<Clearance>,
}

#[derive(Default)]
struct Books {
    open: BTreeMap<OperationId, Open>,
    abandoned: BTreeMap<OperationId, Key>,
    closed: bool,
}

/// The operations under way.
pub(crate) struct Answers {
    books: Mutex<Books>,
    changed: Condvar,
    report: Reporter,
}

/// The operation was not taken on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

impl Answers {
    /// Begins to keep the time.
    pub(crate) fn begin(report: Reporter) -> io::Result<Arc<Answers>> {
        let answers = Arc::new(Answers { books: Mutex::default(), changed: Condvar::new(), report });
        let keeper = Arc::clone(&answers);
        thread::Builder::new().name("deadlines".into()).stack_size(STACK_BYTES).spawn(move || {
            // Where it is refused so is the daemon's own attempt, which tells why.
            let _ = make_helper();
            keeper.keep_time();
        })?;
        Ok(answers)
    }

    /// Takes on an operation.
    pub(crate) fn open(
        &self,
        id: OperationId,
        key: &Key,
        deadline: Tick,
        clearance: Option<Clearance>,
    ) -> Result<(), TooMany> {
        let mut books = lock(&self.books);
        if books.abandoned.values().filter(|other| *other == key).count() >= ABANDONED_MAX {
            return Err(TooMany);
        }
        books.open.insert(id, Open { key: key.clone(), deadline, clearance });
        self.changed.notify_all();
        Ok(())
    }

    /// Answers an operation, unless that was done for it.
    pub(crate) fn answer(&self, id: OperationId, result: OperationResult) {
        let mut books = lock(&self.books);
        books.abandoned.remove(&id);
        let is_open = books.open.remove(&id).is_some();
        drop(books);
        if is_open {
            (self.report)(Report::Operated { id, result });
        }
    }

    /// Workers that have not come back.
    pub(crate) fn abandoned(&self) -> usize {
        lock(&self.books).abandoned.len()
    }

    /// Stops keeping the time.
    pub(crate) fn close(&self) {
        lock(&self.books).closed = true;
        self.changed.notify_all();
    }

    fn keep_time(&self) {
        let mut books = lock(&self.books);
        while !books.closed {
            let late = books.expire(now());
            if !late.is_empty() {
                drop(books);
                late.into_iter().for_each(|id| {
                    (self.report)(Report::Operated { id, result: OperationResult::TimedOut });
                });
                books = lock(&self.books);
                continue;
            }
            let next = books.open.values().map(|open| open.deadline).min().unwrap_or(Tick::NEVER);
            let pause = duration(now().until(next));
            let waited = self.changed.wait_timeout(books, pause);
            books = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Books {
    /// Moves what is late to the abandoned.
    fn expire(&mut self, now: Tick) -> Vec<OperationId> {
        let late = self.open.extract_if(.., |_, open| open.deadline <= now);
        let late: Vec<(OperationId, Open)> = late.collect();
        for (id, open) in &late {
            open.clearance.iter().for_each(Clearance::revoke);
            self.abandoned.insert(*id, open.key.clone());
        }
        late.into_iter().map(|(id, _)| id).collect()
    }
}
