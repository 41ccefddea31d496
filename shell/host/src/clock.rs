//! The boot clock: the only clock that leases, deadlines and beats are measured with. It runs on during suspend.

use phalanx_types::{Span, Tick};
use rustix::time::{ClockId, Timespec, clock_gettime};
use std::time::Duration;

const NANOS_PER_SEC: u64 = 1_000_000_000;

/// What time it is on the boot clock.
pub fn now() -> Tick {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).expect("the boot clock begins at zero");
    let nanos = u64::try_from(time.tv_nsec).expect("nanoseconds are not negative");
    Tick(seconds * NANOS_PER_SEC + nanos)
}

/// How long until `deadline`; zero if it is past.
pub fn remaining(deadline: Tick) -> Span {
    now().until(deadline)
}

/// `span` as the standard library has it.
pub fn duration(span: Span) -> Duration {
    Duration::from_nanos(span.0)
}

/// `span` as system calls have it.
pub fn timespec(span: Span) -> Timespec {
    let seconds = i64::try_from(span.0 / NANOS_PER_SEC).expect("64 bits of nanoseconds are 585 years");
    let nanos = i64::try_from(span.0 % NANOS_PER_SEC).expect("less than a second");
    Timespec { tv_sec: seconds, tv_nsec: nanos }
}

/// Asks `done` again and again, every `pause`, until it says yes or `deadline` is past; what it said last.
pub fn poll_until(deadline: Tick, pause: Duration, mut done: impl FnMut() -> bool) -> bool {
    loop {
        if done() {
            return true;
        }
        if now() >= deadline {
            return false;
        }
        std::thread::sleep(pause.min(duration(remaining(deadline))));
    }
}
