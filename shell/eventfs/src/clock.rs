//! The clock that people set.

use phalanx_aha::Moment;
use rustix::time::{ClockId, clock_gettime};

/// What it says.
pub(crate) fn now() -> Moment {
    let now = clock_gettime(ClockId::Realtime);
    Moment { seconds: now.tv_sec, nanoseconds: now.tv_nsec as u32 }
}
