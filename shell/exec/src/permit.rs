//! Check-then-act: whether an acquiring act is allowed at this very instant.
//!
//! The daemon publishes its standing here each time it changes; every acquiring system call, and every child process,
//! asks right before it acts. A clearance lives as long as its view and the lease, as last renewed, do.

use phalanx_host::now;
use phalanx_types::{NodeId, Permit, Tick, ViewId};
use std::fmt;
use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

/// Reads that meet a writer are repeated this often. A writer needs nanoseconds; one that was paused between two
/// stores leaves the answer no.
const READS_MAX: u32 = 1_000;

/// The permit no longer holds; nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stale;

/// This node's standing, shared by the one that publishes it and all that act on it. Waits for nobody.
#[derive(Debug, Default)]
pub struct Permits {
    /// Odd while a writer is at work.
    turn: AtomicU64,
    counter: AtomicU64,
    coordinator: AtomicU64,
    until: AtomicU64,
}

/// The right to acquire, for one operation; clones share its fate.
#[derive(Clone, Debug)]
pub struct Clearance {
    permits: Arc<Permits>,
    view: ViewId,
    revoked: Arc<AtomicBool>,
}

impl Permits {
    /// A standing that allows nothing.
    pub fn none() -> Arc<Permits> {
        Arc::new(Permits::default())
    }

    /// From now on acts decided in `view` are allowed before `until`; [`Tick::ZERO`] allows none. Called by one thread.
    pub fn publish(&self, view: ViewId, until: Tick) {
        self.turn.fetch_add(1, SeqCst);
        self.counter.store(view.counter, SeqCst);
        self.coordinator.store(u64::from(view.coordinator.0), SeqCst);
        self.until.store(until.0, SeqCst);
        self.turn.fetch_add(1, SeqCst);
    }

    /// The view that is installed, and until when it allows to acquire.
    pub fn standing(&self) -> (ViewId, Tick) {
        (0..READS_MAX).find_map(|_| self.read()).unwrap_or((ViewId::NONE, Tick::ZERO))
    }

    fn read(&self) -> Option<(ViewId, Tick)> {
        let before = self.turn.load(SeqCst);
        let counter = self.counter.load(SeqCst);
        let coordinator = NodeId(u16::try_from(self.coordinator.load(SeqCst)).ok()?);
        let until = Tick(self.until.load(SeqCst));
        let whole = before.is_multiple_of(2) && before == self.turn.load(SeqCst);
        if !whole {
            spin_loop();
        }
        whole.then_some((ViewId { counter, coordinator }, until))
    }
}

impl Clearance {
    /// The clearance that `permit` gives under the standing in `permits`.
    pub fn new(permits: &Arc<Permits>, permit: Permit) -> Clearance {
        Clearance { permits: Arc::clone(permits), view: permit.view, revoked: Arc::default() }
    }

    /// Ends it for good: what it was given for is no longer wanted.
    pub fn revoke(&self) {
        self.revoked.store(true, SeqCst);
    }

    /// Whether the act may be done now. Ask right before the system call.
    pub fn check(&self) -> Result<(), Stale> {
        match now() < self.until() {
            true => Ok(()),
            false => Err(Stale),
        }
    }

    /// Until when it holds if nothing is renewed; [`Tick::ZERO`] once its view is over or it is revoked.
    pub fn until(&self) -> Tick {
        let (view, until) = self.permits.standing();
        if view == self.view && !self.revoked.load(SeqCst) { until } else { Tick::ZERO }
    }
}

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the permit no longer held")
    }
}

impl std::error::Error for Stale {}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_types::Span;

    fn view(counter: u64) -> ViewId {
        ViewId { counter, coordinator: NodeId(1) }
    }

    fn check(published: ViewId, until: Tick, expected: Result<(), Stale>) {
        let permits = Permits::none();
        let clearance = Clearance::new(&permits, Permit { view: view(7), valid_until: Tick::NEVER });
        permits.publish(published, until);
        assert_eq!(clearance.check(), expected, "{published} until {until:?}");
    }

    #[test]
    fn a_clearance_needs_its_view_and_a_lease() {
        let later = now() + Span::from_secs(60);
        check(view(7), later, Ok(()));
        check(view(8), later, Err(Stale));
        check(ViewId { counter: 7, coordinator: NodeId(2) }, later, Err(Stale));
        check(view(7), now(), Err(Stale));
        check(view(7), Tick::ZERO, Err(Stale));
    }

    #[test]
    fn a_renewed_lease_renews_it_and_nothing_published_is_none() {
        let permits = Permits::none();
        let clearance = Clearance::new(&permits, Permit { view: view(7), valid_until: Tick::NEVER });
        assert_eq!(clearance.check(), Err(Stale));
        permits.publish(view(7), now() + Span::from_secs(60));
        assert_eq!(clearance.check(), Ok(()));
        clearance.clone().revoke();
        assert_eq!(clearance.check(), Err(Stale));
    }

    #[test]
    fn readers_never_see_half_a_standing() {
        let permits = Permits::none();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                (0..100_000u64).for_each(|n| {
                    permits.publish(ViewId { counter: n, coordinator: NodeId((n % 100) as u16) }, Tick(n))
                })
            });
            for _ in 0..100_000 {
                let (view, until) = permits.standing();
                assert_eq!((view.counter, view.counter % 100), (until.0, u64::from(view.coordinator.0)));
            }
        });
    }
}
