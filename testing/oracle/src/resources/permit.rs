//! PERMIT: whoever acquires holds, at that very moment, a permit of its present primary view that has not run out, and
//! that its deadman knows to end.

use crate::checker::{Checker, demand};
use crate::event::{Event, What};
use phalanx_types::{Incarnation, NodeId, Permit, Tick, ViewId};
use std::collections::BTreeMap;

/// What each node may do.
#[derive(Default)]
pub(crate) struct PermitHeld {
    views: BTreeMap<Incarnation, (ViewId, bool)>,
    fed: BTreeMap<NodeId, Tick>,
}

impl PermitHeld {
    fn check(&self, life: Incarnation, permit: Permit, now: Tick) -> Result<(), String> {
        let (view, primary) = self.views.get(&life).copied().unwrap_or((ViewId::NONE, false));
        let fed = self.fed.get(&life.node).copied().unwrap_or(Tick::ZERO);
        demand(permit.view == view, || {
            format!("{life} acquires by a permit of view {} while in {view}", permit.view)
        })?;
        demand(primary, || format!("{life} acquires in view {view}, which is not primary"))?;
        demand(now < permit.valid_until, || {
            format!("{life} acquires {} after its permit ran out", now.since(permit.valid_until))
        })?;
        demand(permit.valid_until <= fed, || {
            format!(
                "{life} acquires by a permit that outlives what its deadman knows by {}",
                permit.valid_until.since(fed)
            )
        })
    }
}

impl Checker for PermitHeld {
    fn property(&self) -> &'static str {
        "PERMIT"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        if let Some(install) = event.install() {
            self.views.insert(event.life, (install.view.id, install.view.primary));
        }
        if event.ends_life() {
            self.views.remove(&event.life);
        }
        if event.what == What::HostCrashed {
            self.fed.remove(&event.life.node);
        }
        if let What::Fed { until, .. } = event.what {
            self.fed.insert(event.life.node, until);
        }
        match event.acquisition() {
            Some((_, permit, now)) => self.check(event.life, permit, now),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::{Story, bad, good};
    use phalanx_types::Span;

    const LEFT: Span = Span::from_millis(100);

    fn story() -> Story {
        let story = Story::new().start(&[1, 2, 3]).install(&[1, 2, 3], 1, &[1, 2, 3], 0);
        story.feed(1, Span::from_millis(500))
    }

    #[test]
    fn a_permit_of_the_present() {
        good(PermitHeld::default(), story().acquire(1, "shop", 1, LEFT));
        good(PermitHeld::default(), story().install(&[1, 2], 2, &[1, 2], 1).acquire(1, "shop", 2, LEFT));
    }

    #[test]
    fn a_permit_of_the_past() {
        let story = story().install(&[1, 2], 2, &[1, 2], 1);
        bad(PermitHeld::default(), story.acquire(1, "shop", 1, LEFT), "view 1/1 while in 2/1");
    }

    #[test]
    fn a_permit_that_ran_out() {
        bad(PermitHeld::default(), story().acquire(1, "shop", 1, Span::ZERO), "after its permit ran out");
    }

    #[test]
    fn a_view_that_may_run_nothing() {
        let story = story().install(&[1], 2, &[1], 1);
        bad(PermitHeld::default(), story.acquire(1, "shop", 2, LEFT), "not primary");
    }

    #[test]
    fn a_lease_that_the_deadman_never_heard_of() {
        bad(PermitHeld::default(), story().acquire(1, "shop", 1, Span::from_secs(9)), "outlives");
        bad(PermitHeld::default(), story().acquire(2, "shop", 1, LEFT), "outlives");
    }
}
