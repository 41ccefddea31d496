//! The bugs that are planted, and the property that must name each: chosen by what the bug removes, not by what finds it.

use Unit::{Caught, Missed};

/// How many bugs that no test of the core catches there are at least: only those count.
pub const COUNTING_MIN: usize = 20;
/// How many bugs of one layer count at most.
pub const PER_LAYER_MAX: usize = 6;

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planted {
    /// The bug, as `phalanx_types::Bug` names it.
    pub bug: &'static str,
    /// The layer whose protection it removes.
    pub layer: &'static str,
    /// The property that must name it.
    pub property: &'static str,
    /// Whether a test of the core catches it, as `cargo xtask planted --units` found: then it says nothing about the
    /// simulator that the test does not say.
    pub unit: Unit,
}

/// Whether a test of the core catches a bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Some does.
    Caught,
    /// None does.
    Missed,
}

impl Unit {
    /// The same in a word.
    pub fn word(self) -> &'static str {
        match self {
            Unit::Caught => "yes",
            Unit::Missed => "no",
        }
    }
}

const fn row(bug: &'static str, unit: Unit, layer: &'static str, property: &'static str) -> Planted {
    Planted { bug, layer, property, unit }
}

/// Every bug.
pub const PLANTED: &[Planted] = &[
    row("silence-forgiven", Caught, "topology", "L3 completeness"),
    row("shunned-for-good", Missed, "topology", "L1 precision"),
    row("rumours-ignored", Caught, "topology", "L12 no view loop"),
    row("ring-promise-unwritten", Caught, "ring", "ONE-OWNER"),
    row("link-outlives-life", Missed, "links", "L1 precision"),
    row("stretch-forgotten", Missed, "timings", "QUARANTINE"),
    row("half-is-quorum", Missed, "membership", "M7 primary continuity"),
    row("old-proposal-accepted", Missed, "membership", "M2 local monotonicity"),
    row("reused-counters", Missed, "membership", "M2 local monotonicity"),
    row("takeover-on-suspicion", Caught, "membership", "ONE-OWNER"),
    row("confirmed-at-once", Missed, "membership", "M6 primary order"),
    row("early-messages-lost", Missed, "membership", "L10 views per fault"),
    row("charter-not-brought", Caught, "charter", "M7 primary continuity"),
    row("silence-wins", Missed, "charter", "F4 one winner of a tie"),
    row("hole-in-ending", Caught, "messages", "G4 virtual synchrony"),
    row("state-not-transferred", Missed, "messages", "R4 determinism"),
    row("returned-lost", Missed, "messages", "G10 self-delivery"),
    row("safe-like-agreed", Caught, "messages", "G9 safe delivery"),
    row("votes-not-flushed", Caught, "messages", "G4 virtual synchrony"),
    row("lease-from-receipt", Caught, "leases", "ONE-OWNER"),
    row("grant-after-restart", Missed, "leases", "QUARANTINE"),
    row("grant-after-acceptance", Caught, "leases", "ONE-OWNER"),
    row("forgotten-promises", Missed, "leases", "ONE-OWNER"),
    row("promise-too-short", Caught, "leases", "ONE-OWNER"),
    row("lease-before-deadman", Caught, "leases", "F3 self-stop"),
    row("acknowledged-when-proposed", Caught, "ledger", "LEDGER"),
    row("old-version-kept", Caught, "ledger", "R4 determinism"),
    row("staged-not-brought", Caught, "ledger", "LEDGER"),
    row("newest-not-told", Caught, "ledger", "L7 online"),
    row("heard-while-waiting-lost", Missed, "groups", "V4 agreement"),
    row("notices-not-held", Missed, "groups", "R4 determinism"),
    row("waiting-is-in-step", Missed, "groups", "R4 determinism"),
    row("silence-waited-for", Missed, "groups", "L6c votes of clients end"),
    row("vacated-not-voted-for", Missed, "groups", "L6c votes of clients end"),
    row("departures-ignored", Missed, "groups", "V6 membership first"),
    row("proof-not-awaited", Caught, "manager", "ONE-OWNER"),
    row("releasing-is-released", Caught, "manager", "ONE-OWNER"),
    row("stamp-without-votes", Missed, "manager", "R4 determinism"),
    row("begun-called-unbegun", Caught, "agent", "ONE-OWNER"),
    row("reservation-not-awaited", Missed, "node", "M2 local monotonicity"),
    row("state-not-sent", Missed, "node", "L7 online"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Setting;
    use phalanx_oracle::Oracle;
    use phalanx_types::Bug;
    use std::collections::BTreeMap;

    #[test]
    fn every_bug_has_its_row_and_no_layer_has_too_many() {
        let known: Vec<_> = Bug::ALL.iter().map(|(name, _)| *name).collect();
        assert!(PLANTED.len() == known.len());
        assert!(PLANTED.iter().filter(|row| row.unit == Missed).count() >= COUNTING_MIN);
        assert!(PLANTED.iter().all(|row| known.contains(&row.bug)));
        let mut layers: BTreeMap<&str, usize> = BTreeMap::new();
        PLANTED.iter().for_each(|row| *layers.entry(row.layer).or_default() += 1);
        assert!(layers.values().all(|count| *count <= PER_LAYER_MAX), "{layers:?}");
    }

    #[test]
    fn every_property_of_the_table_is_checked() {
        let terms = Setting::plain(3, 1).terms();
        let checked = Oracle::safety(&terms).with_liveness(&terms).properties();
        PLANTED.iter().for_each(|row| assert!(checked.contains(&row.property), "{}", row.property));
    }
}
