//! What this node may do right now, in one value.

use phalanx_types::{Permit, Span, Tick, ViewId};
use serde::Serialize;

/// A node's standing: its view, and until when its lease holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// The view installed here.
    pub view: ViewId,
    /// Whether that view may run resources.
    pub primary: bool,
    /// Whether a quorum of its members is known to have installed it, so that no older primary can still decide.
    pub confirmed: bool,
    /// When everything held here must have been let go; [`Tick::ZERO`] without a lease. The deadman has accepted it.
    pub lease_until: Tick,
    /// The end of the lease that is kept for letting go.
    pub stop_budget: Span,
}

impl Standing {
    /// The standing of a node that may do nothing.
    pub fn none(view: ViewId, stop_budget: Span) -> Standing {
        Standing { view, primary: false, confirmed: false, lease_until: Tick::ZERO, stop_budget }
    }

    /// When letting go begins if the lease is not renewed.
    pub fn let_go_at(&self) -> Tick {
        self.lease_until.before(self.stop_budget)
    }

    /// Whether something may be acquired now: an agreed, confirmed primary view and a lease with more than the stop
    /// budget left.
    pub fn may_acquire(&self, now: Tick) -> bool {
        self.primary && self.confirmed && now < self.let_go_at()
    }

    /// The permit for an acquiring act begun now; `None` where [`Standing::may_acquire`] is false.
    pub(crate) fn permit(&self, now: Tick) -> Option<Permit> {
        self.may_acquire(now).then(|| Permit { view: self.view, valid_until: self.let_go_at() })
    }
}
