//! Where acts of clients wait for the real-time thread, which takes them when it likes and as many as it likes.

use phalanx_groups::services::{ClientAct, ClientId};
use phalanx_realtime::{Bell, Giver, Taker, queue};
use phalanx_types::limits::{GS_CLIENTS_MAX, GS_REQUESTS_MAX};
use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Acts that may wait: all that clients may have under way, and that each of them goes.
const ACTS_MAX: usize = GS_CLIENTS_MAX * (GS_REQUESTS_MAX + 1);

/// What a client does. It is under way until it is dropped.
pub struct Act {
    /// Which client.
    pub client: ClientId,
    /// What.
    pub act: ClientAct,
    _ticket: Ticket,
}

/// The real-time thread's end.
pub struct Acts {
    acts: Taker<Act>,
    bell: Arc<Bell>,
}

/// The server's end.
pub(crate) struct Desk {
    acts: Giver<Act>,
    bell: Arc<Bell>,
    /// Some were left since it was rung for.
    is_left: Cell<bool>,
}

/// How many requests of one client are under way, and how many bytes they had.
#[derive(Clone, Default)]
pub(crate) struct UnderWay(Arc<(AtomicUsize, AtomicUsize)>);

/// One of them, with its bytes.
struct Ticket(UnderWay, usize);

/// Nothing more can wait: the act was not taken on.
pub(crate) struct Full;

pub(crate) fn acts() -> io::Result<(Desk, Acts)> {
    let (giver, taker) = queue(ACTS_MAX);
    let bell = Arc::new(Bell::new()?);
    Ok((Desk { acts: giver, bell: Arc::clone(&bell), is_left: Cell::new(false) }, Acts { acts: taker, bell }))
}

impl Acts {
    /// The next act, if there is one.
    pub fn take(&self) -> Option<Act> {
        self.acts.take()
    }

    /// Silences the bell; before acts are taken, so that none is missed.
    pub fn hush(&self) {
        self.bell.hush();
    }

    /// Has the bell ring again: some acts were left.
    pub fn ring(&self) {
        self.bell.ring();
    }
}

impl AsFd for Acts {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

impl Desk {
    /// Leaves an act, for which [`Desk::ring`] rings. If the daemon is ending nobody takes it any more, and that is as well.
    pub fn leave(
        &self,
        client: ClientId,
        act: ClientAct,
        under_way: &UnderWay,
        bytes: usize,
    ) -> Result<(), Full> {
        let act = Act { client, act, _ticket: under_way.ticket(bytes) };
        match self.acts.give(act) {
            Ok(()) => self.is_left.set(true),
            Err(phalanx_realtime::Refused::Gone) => {}
            Err(phalanx_realtime::Refused::Full) => return Err(Full),
        }
        Ok(())
    }

    /// Has the acts taken that were left since it rang last: many at a time, for the thread that takes them is more urgent
    /// than this one and would come for each.
    pub fn ring(&self) {
        if self.is_left.take() {
            self.bell.ring();
        }
    }
}

impl UnderWay {
    pub fn count(&self) -> usize {
        self.0.0.load(Ordering::Relaxed)
    }

    pub fn bytes(&self) -> usize {
        self.0.1.load(Ordering::Relaxed)
    }

    fn ticket(&self, bytes: usize) -> Ticket {
        self.0.0.fetch_add(1, Ordering::Relaxed);
        self.0.1.fetch_add(bytes, Ordering::Relaxed);
        Ticket(self.clone(), bytes)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let Ticket(UnderWay(counts), bytes) = self;
        counts.0.fetch_sub(1, Ordering::Relaxed);
        counts.1.fetch_sub(*bytes, Ordering::Relaxed);
    }
}
