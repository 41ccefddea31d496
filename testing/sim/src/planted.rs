//! The bugs that are planted, and the property that must name each: chosen by what the bug removes, not by what finds it.

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
}

const fn row(bug: &'static str, layer: &'static str, property: &'static str) -> Planted {
    Planted { bug, layer, property }
}

/// Every bug.
pub const PLANTED: &[Planted] = &[
    row("silence-forgiven", "topology", "L3 completeness"),
    row("shunned-for-good", "topology", "L1 precision"),
    row("half-is-quorum", "membership", "M7 primary continuity"),
    row("old-proposal-accepted", "membership", "M2 local monotonicity"),
    row("reused-counters", "membership", "M2 local monotonicity"),
    row("takeover-on-suspicion", "membership", "ONE-OWNER"),
    row("charter-not-brought", "membership", "M7 primary continuity"),
    row("hole-in-ending", "messages", "G4 virtual synchrony"),
    row("state-not-transferred", "messages", "R4 determinism"),
    row("returned-lost", "messages", "G10 self-delivery"),
    row("safe-like-agreed", "messages", "G9 safe delivery"),
    row("early-acknowledgement", "messages", "G9 safe delivery"),
    row("votes-not-flushed", "messages", "G4 virtual synchrony"),
    row("lease-from-receipt", "leases", "ONE-OWNER"),
    row("grant-after-restart", "leases", "QUARANTINE"),
    row("grant-after-acceptance", "leases", "ONE-OWNER"),
    row("forgotten-promises", "leases", "ONE-OWNER"),
    row("promise-too-short", "leases", "ONE-OWNER"),
    row("lease-before-deadman", "leases", "F3 self-stop"),
    row("stretch-forgotten", "timings", "QUARANTINE"),
    row("acknowledged-when-proposed", "ledger", "LEDGER"),
    row("old-version-kept", "ledger", "R4 determinism"),
    row("proof-not-awaited", "manager", "ONE-OWNER"),
    row("releasing-is-released", "manager", "ONE-OWNER"),
    row("stamp-without-votes", "manager", "R4 determinism"),
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
        assert!(PLANTED.len() >= 20 && PLANTED.len() == known.len());
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
