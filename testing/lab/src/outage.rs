//! Measured outages, by kind.

use std::collections::BTreeMap;
use std::time::Duration;

/// What caused an outage; the name is the key in the last line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// From the start of the daemons to the first answer.
    ColdStart,
    /// A planned move, there and back.
    Move,
    /// The application was killed.
    AppRestart,
    /// The daemon was killed or stopped.
    DaemonKill,
    /// The owner's host crashed.
    Crash,
    /// The owner came back and took over.
    Fallback,
    /// Both networks of the owner were cut.
    Isolation,
    /// The owner's adapter on the network of the service address lost its cable.
    Adapter,
}

impl Kind {
    /// All, in the order of the last line.
    pub const ALL: [Kind; 8] = [
        Kind::Crash,
        Kind::Move,
        Kind::Fallback,
        Kind::AppRestart,
        Kind::DaemonKill,
        Kind::Isolation,
        Kind::Adapter,
        Kind::ColdStart,
    ];

    /// Its key in the last line.
    pub fn key(self) -> &'static str {
        match self {
            Kind::ColdStart => "cold_start_ms",
            Kind::Move => "move_ms",
            Kind::AppRestart => "app_restart_ms",
            Kind::DaemonKill => "daemon_kill_ms",
            Kind::Crash => "crash_ms",
            Kind::Fallback => "fallback_ms",
            Kind::Isolation => "isolation_ms",
            Kind::Adapter => "adapter_ms",
        }
    }
}

/// The outages measured so far.
#[derive(Clone, Debug, Default)]
pub struct Outages(BTreeMap<Kind, Vec<u64>>);

impl Outages {
    /// Adds one.
    pub fn add(&mut self, kind: Kind, lasted: Duration) {
        self.0.entry(kind).or_default().push(lasted.as_millis() as u64);
    }

    /// Those of one kind, in milliseconds.
    pub fn of(&self, kind: Kind) -> &[u64] {
        self.0.get(&kind).map_or(&[], Vec::as_slice)
    }

    /// The median of one kind.
    pub fn median(&self, kind: Kind) -> Option<u64> {
        let mut sorted = self.of(kind).to_vec();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    }
}
