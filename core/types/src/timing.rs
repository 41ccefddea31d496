//! The timings of a cluster and their algebra.
//!
//! A crash is seen `detect` after the last beat; whatever the crashed node held is free `takeover_wait` after the
//! last beat. In between the survivors agree on a view and a plan, so only the longer of the two is paid.
//! What a lease rests on: an isolated owner starts to let go at `lease - stop_budget` after the last beat that was
//! granted, is done at `lease`, and its deadman has acted by `lease + deadman_bound` (DESIGN.md, "Leases").

use crate::limits::DETECT_MAX;
use crate::stretch::Step;
use crate::time::{Span, Tick};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The named profiles of the cluster file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimingProfile {
    /// For quiet machines on one switch; a stall of 75 ms may cost a fallover.
    #[n(0)]
    Fast,
    /// The default: a crashed host is declared down after 400 ms, a stall of 300 ms costs nothing.
    #[n(1)]
    Auto,
    /// For busy or virtual machines: seconds.
    #[n(2)]
    Relaxed,
}

/// How nodes watch each other.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Monitoring {
    /// Each beats to all.
    #[default]
    #[n(0)]
    Mesh,
    /// On each network a ring in the order of addresses; each beats to its neighbour, and a leader speaks for all.
    #[n(1)]
    Ring,
}

/// What kind of failure a `LeaseExpired` proof covers (DESIGN.md, "Strength"), weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProofClass {
    /// Crash, partition, death or stop of the daemon. Not a host that is frozen as a whole and thawed.
    #[n(0)]
    Process,
    /// Also starved and killed processes (softdog). Not a frozen and thawed virtual machine.
    #[n(1)]
    Kernel,
    /// Also a frozen host: a watchdog outside the pause domain resets it.
    #[n(2)]
    Hardware,
    /// A device confirmed that the node is off or cut from the data; no lease is relied on.
    #[n(3)]
    Fenced,
}

/// The timings in force. Only [`Timings::checked`] makes one, so the algebra holds wherever one is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Timings {
    /// Between two beats to each peer.
    #[n(0)]
    beat: Span,
    /// Silence on all paths after which a node is declared down.
    #[n(1)]
    detect: Span,
    /// How long a grant lets its holder hold resources, from the sending of the beat granted.
    #[n(2)]
    lease: Span,
    /// The end of a lease kept for stopping what is held.
    #[n(3)]
    stop_budget: Span,
    /// How long after the lease's end the deadman may need to act.
    #[n(4)]
    deadman_bound: Span,
    /// Added to everything above before anything is taken over.
    #[n(5)]
    margin: Span,
    /// How much longer than `detect` the silence of a node may last whose kernel answers an echo. Part of `lease`.
    #[n(6)]
    #[cbor(default)]
    grace: Span,
}

/// Which inequality of the algebra does not hold. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimingFault {
    /// `beat` is zero.
    NoBeat,
    /// Fewer than [`BEATS_PER_DETECT_MIN`] beats fit into `detect`.
    DetectTooShort,
    /// `lease - stop_budget`, grace not counted, leaves less than three quarters of `detect` before letting go.
    LeaseTooShort,
    /// The deadman gets less than a millisecond.
    DeadmanTooShort,
    /// `margin` is shorter than a millisecond.
    MarginTooShort,
    /// `detect` is not twice the beat times a whole number.
    NoSensitivity,
    /// `lease - stop_budget` ends before a ring's crown prince can have renewed the lease in the leader's place.
    LeaseShortOfSuccession,
}

/// What each step of the ladder multiplies detection and lease by, in quarters: 1, 1.5, 2, 3, 4, 6, 8.
const LADDER_QUARTERS: [u64; 7] = [4, 6, 8, 12, 16, 24, 32];
/// A stall is forgiven with room for one that is longer by this part of it …
const STALL_MARGIN_PART: u64 = 4;
/// … and silence outlasts the stall that it comes from: by the beat before it, and by the one after it.
const STALL_BEATS: u64 = 2;
/// Beside detection and the tie-breaker's answer, to be decided takes this: the look that finds a node down, a view without it, and
/// a write to disk.
const TIE_BEATS: u64 = 4;
/// So many beats must be lost before a node is declared down.
pub const BEATS_PER_DETECT_MIN: u64 = 6;
/// After so many beats without a round of the leader a member of a ring asks the next in line for its lease.
pub const STANDIN_BEATS: u64 = 3;
/// The age of the newest grant that a member of a ring has, at most, while all is well: the request waits for a round, the
/// round that asks for it is answered at once, the next round brings the grants, and the one after it newer ones.
pub const RING_GRANT_BEATS: u64 = 3;
/// From the last round of a leader that died to the grants by way of the crown prince: he is asked after
/// [`STANDIN_BEATS`], at the next beat of the asker; his next round asks for grants, and the one after it brings them.
pub const RING_STANDIN_BEATS: u64 = STANDIN_BEATS + 3;

impl Timings {
    /// The timings of a named profile under this way of monitoring.
    pub fn under(monitoring: Monitoring, profile: TimingProfile) -> Timings {
        match monitoring {
            Monitoring::Mesh => Timings::of(profile),
            Monitoring::Ring => Timings::of_ring(profile),
        }
    }

    /// Those of `mesh`, save that detection is a whole number of sensitivities.
    fn of_ring(profile: TimingProfile) -> Timings {
        let timings = Timings::of(profile);
        let timings = match profile {
            TimingProfile::Fast => Timings { beat: Span::from_millis(11), ..timings },
            TimingProfile::Auto | TimingProfile::Relaxed => timings,
        };
        timings.checked_for_ring().expect("the named profiles are tested to keep the algebra")
    }

    /// The timings of a named profile, each node beating to all.
    pub fn of(profile: TimingProfile) -> Timings {
        let [beat, detect, lease, stop_budget, deadman_bound, margin] = match profile {
            TimingProfile::Fast => [10, 110, 150, 50, 5, 5],
            TimingProfile::Auto => [40, 400, 540, 120, 10, 10],
            TimingProfile::Relaxed => [250, 4_000, 5_000, 1_500, 50, 50],
        }
        .map(Span::from_millis);
        Timings::checked(beat, detect, lease, stop_budget, deadman_bound, margin)
            .expect("the named profiles are tested to keep the algebra")
    }

    /// Timings that keep the algebra, or the first inequality that fails.
    pub fn checked(
        beat: Span,
        detect: Span,
        lease: Span,
        stop_budget: Span,
        deadman_bound: Span,
        margin: Span,
    ) -> Result<Timings, TimingFault> {
        let millisecond = Span::from_millis(1);
        let pause_covered = lease - stop_budget;
        match () {
            () if beat == Span::ZERO => Err(TimingFault::NoBeat),
            () if detect < beat * BEATS_PER_DETECT_MIN => Err(TimingFault::DetectTooShort),
            () if pause_covered * 4 < detect * 3 => Err(TimingFault::LeaseTooShort),
            () if deadman_bound < millisecond => Err(TimingFault::DeadmanTooShort),
            () if margin < millisecond => Err(TimingFault::MarginTooShort),
            () => Ok(Timings { beat, detect, lease, stop_budget, deadman_bound, margin, grace: Span::ZERO }),
        }
    }

    /// These timings where half of the nodes may go on once a tie-breaker has answered within `limit`: leases span detection, the
    /// view without the others, the answer and its way to the disk, so that an owner in the half that wins need not let go.
    #[must_use]
    pub fn with_tie_breaker(self, limit: Span) -> Timings {
        let decided = self.detect + self.beat * TIE_BEATS + limit;
        let lease = self.lease_without_grace().max(decided + self.stop_budget);
        Timings { lease: lease + self.grace, ..self }
    }

    /// These timings with a grace period: who is silent and whose kernel answers an echo is declared down so much later, and
    /// all leases are longer by as much, so that it need not let go of what it holds meanwhile.
    #[must_use]
    pub fn with_grace(self, grace: Span) -> Timings {
        Timings { grace, lease: self.lease_without_grace() + grace, ..self }
    }

    /// These timings if a ring can live by them, or the first inequality that fails: detection is twice the interval times
    /// the sensitivity, and a lease outlasts the death of the leader by whom it is renewed.
    fn checked_for_ring(self) -> Result<Timings, TimingFault> {
        let Timings { beat, detect, lease, stop_budget, deadman_bound, margin, grace } = self;
        let timings = Timings::checked(beat, detect, lease - grace, stop_budget, deadman_bound, margin)?;
        match () {
            () if beat * 2 * timings.sensitivity() != detect => Err(TimingFault::NoSensitivity),
            () if timings.lease - stop_budget < timings.ring_gap() => {
                Err(TimingFault::LeaseShortOfSuccession)
            }
            () => Ok(self),
        }
    }

    /// These timings, being the configured ones, at `step` of the ladder: detection and lease are longer, all else, grace
    /// too, is as it was. Detection is a whole number of pairs of beats. A step beyond the last is the last.
    #[must_use]
    pub fn stretched(&self, step: Step) -> Timings {
        let steps = self.ladder().take(usize::from(step.0) + 1);
        steps.last().unwrap_or(*self)
    }

    /// The step that forgives a stall of this length, and one that is longer by a quarter, if it can be; `None` if none does.
    pub fn step_for(&self, stall: Span) -> Option<Step> {
        let forgiving = |stall: Span| self.ladder().position(|timings| timings.forgives() >= stall);
        let step = forgiving(stall + stall / STALL_MARGIN_PART).or_else(|| forgiving(stall))?;
        Some(Step(step as u8))
    }

    /// The longest stall of a member that costs nothing: it is not declared down, and does not let go of what it holds.
    pub fn forgives(&self) -> Span {
        (self.detect_longest() - self.beat * STALL_BEATS).at_most(self.pause_covered())
    }

    /// The configured timings, and each step as long as detection is within its limit.
    fn ladder(&self) -> impl Iterator<Item = Timings> {
        let (pair, configured) = (self.beat * 2, *self);
        let detect = move |quarters: u64| {
            let exact = configured.detect * quarters / LADDER_QUARTERS[0];
            if quarters == LADDER_QUARTERS[0] { exact } else { pair * exact.0.div_ceil(pair.0) }
        };
        let at = move |quarters: u64| Timings {
            detect: detect(quarters),
            lease: configured.lease_without_grace() * quarters / LADDER_QUARTERS[0] + configured.grace,
            ..configured
        };
        let steps = LADDER_QUARTERS.into_iter().map(at);
        steps.take_while(move |timings| timings.detect <= DETECT_MAX.max(configured.detect))
    }

    /// How many heartbeats a neighbour may miss before it is doubted; twice as many make it dead (Topology Services).
    pub fn sensitivity(&self) -> u64 {
        self.detect.0 / (self.beat * 2).0.max(1)
    }

    /// The age of the newest grant when grants by way of the crown prince come first, the leader having died.
    pub fn ring_gap(&self) -> Span {
        self.beat * (RING_GRANT_BEATS - 1 + RING_STANDIN_BEATS)
    }

    /// Between two beats to each peer.
    pub fn beat(&self) -> Span {
        self.beat
    }

    /// Silence on all paths after which a node is declared down.
    pub fn detect(&self) -> Span {
        self.detect
    }

    /// Silence after which a node is doubted: somebody else's word that it is gone is believed then, and its host's kernel is
    /// asked for an echo if there is a grace period.
    pub fn doubt(&self) -> Span {
        self.detect / 2
    }

    /// How much longer silence may last while the kernel of the silent answers an echo; zero if echoes are not asked for.
    pub fn grace(&self) -> Span {
        self.grace
    }

    /// The longest silence before a node is declared down, whatever its kernel answers.
    pub fn detect_longest(&self) -> Span {
        self.detect + self.grace
    }

    /// When who would be given up at `due` is given up if its kernel answered an echo last at `echoed`: after the detection time
    /// without another answer, and at the latest when the grace period is over.
    pub fn given_up_at(&self, due: Tick, echoed: Tick) -> Tick {
        due.max((echoed + self.detect).min(due + self.grace))
    }

    /// How long a grant lets its holder hold resources, counted from the *sending* of the beat granted.
    pub fn lease(&self) -> Span {
        self.lease
    }

    /// The end of a lease kept for stopping what is held.
    pub fn stop_budget(&self) -> Span {
        self.stop_budget
    }

    /// How long after a lease's end its deadman may need to act.
    pub fn deadman_bound(&self) -> Span {
        self.deadman_bound
    }

    /// How long after *receiving* a beat its grantor takes no part in taking over from the sender.
    pub fn promise(&self) -> Span {
        self.lease.stretched()
    }

    /// From the last beat that anybody granted for as long as `lease` to where nothing can be held by it any more.
    pub fn free_after(&self, lease: Span) -> Span {
        lease.stretched() + self.takeover_margin()
    }

    /// What is added to the last promise before a lost node's resources are free.
    pub fn takeover_margin(&self) -> Span {
        self.deadman_bound + self.margin
    }

    /// From the last beat received to the first act of a takeover.
    pub fn takeover_wait(&self) -> Span {
        self.free_after(self.lease)
    }

    /// The part of a lease that is there without a grace period.
    fn lease_without_grace(&self) -> Span {
        self.lease - self.grace
    }

    /// The longest stall of an owner's daemon that costs nothing, if its next grant then comes at once.
    pub fn pause_covered(&self) -> Span {
        self.lease - self.stop_budget - self.beat * 3
    }
}

impl fmt::Display for TimingFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TimingFault::NoBeat => write!(f, "beats need an interval above zero"),
            TimingFault::DetectTooShort => {
                write!(
                    f,
                    "detection must span at least {BEATS_PER_DETECT_MIN} beats, or one lost frame looks like a dead node"
                )
            }
            TimingFault::LeaseTooShort => write!(
                f,
                "lease less stop budget must be at least three quarters of detection, or a short stall stops a healthy owner"
            ),
            TimingFault::DeadmanTooShort => write!(f, "the deadman needs at least 1 ms to act"),
            TimingFault::MarginTooShort => write!(f, "the margin must be at least 1 ms"),
            TimingFault::NoSensitivity => {
                write!(f, "on a ring, detection must be twice the interval times a whole sensitivity")
            }
            TimingFault::LeaseShortOfSuccession => write!(
                f,
                "lease less stop budget must outlast a ring leader's death until the crown prince renews the lease"
            ),
        }
    }
}

impl fmt::Display for TimingProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TimingProfile::Fast => "fast",
            TimingProfile::Auto => "auto",
            TimingProfile::Relaxed => "relaxed",
        })
    }
}

impl fmt::Display for Monitoring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Monitoring::Mesh => "mesh",
            Monitoring::Ring => "ring",
        })
    }
}

impl fmt::Display for ProofClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ProofClass::Process => "process",
            ProofClass::Kernel => "kernel",
            ProofClass::Hardware => "hardware",
            ProofClass::Fenced => "fenced",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILES: [TimingProfile; 3] = [TimingProfile::Fast, TimingProfile::Auto, TimingProfile::Relaxed];

    #[test]
    fn the_named_profiles_keep_the_algebra() {
        for profile in PROFILES {
            let timings = Timings::of(profile);
            assert!(timings.takeover_wait() > timings.lease(), "{profile}");
            assert!(timings.takeover_wait() >= timings.detect(), "{profile}: the wait would be for nothing");
        }
    }

    #[test]
    fn a_ring_detects_as_fast_as_a_mesh_and_its_leases_outlast_its_leader() {
        for profile in PROFILES {
            let (mesh, ring) = (Timings::of(profile), Timings::under(Monitoring::Ring, profile));
            assert_eq!(ring.detect(), mesh.detect(), "{profile}");
            assert_eq!(ring.beat() * 2 * ring.sensitivity(), ring.detect(), "{profile}");
            assert!(ring.lease() - ring.stop_budget() > ring.ring_gap(), "{profile}");
        }
    }

    #[test]
    fn each_inequality_of_a_ring_bites() {
        let auto = Timings::of(TimingProfile::Auto);
        let check = |timings: Timings| timings.checked_for_ring().unwrap_err();
        assert_eq!(check(Timings { beat: Span::from_millis(41), ..auto }), TimingFault::NoSensitivity);
        let slow =
            Timings { beat: Span::from_millis(50), lease: auto.stop_budget() + auto.beat() * 9, ..auto };
        assert_eq!(check(slow), TimingFault::LeaseShortOfSuccession);
    }

    /// Each profile under each way of monitoring.
    fn all() -> impl Iterator<Item = (Monitoring, Timings)> {
        let ways = [Monitoring::Mesh, Monitoring::Ring].into_iter();
        ways.flat_map(|way| PROFILES.map(|profile| (way, Timings::under(way, profile))))
    }

    #[test]
    fn every_step_keeps_the_algebra_and_forgives_more_than_the_one_below() {
        for (monitoring, configured) in all() {
            let steps: Vec<Timings> = configured.ladder().collect();
            assert_eq!(steps[0], configured);
            assert!((3..=LADDER_QUARTERS.len()).contains(&steps.len()), "{configured:?}");
            for timings in &steps {
                let Timings { beat, detect, lease, stop_budget, deadman_bound, margin, grace: _ } = *timings;
                let checked = match monitoring {
                    Monitoring::Mesh => {
                        Timings::checked(beat, detect, lease, stop_budget, deadman_bound, margin)
                    }
                    Monitoring::Ring => timings.checked_for_ring(),
                };
                assert_eq!(checked, Ok(*timings), "{monitoring}");
                assert!(timings.takeover_wait() >= timings.detect(), "the wait would be for nothing");
            }
            assert!(steps.is_sorted_by(|lower, higher| lower.forgives() < higher.forgives()));
            assert!(steps.last().is_some_and(|last| last.detect() <= DETECT_MAX));
        }
    }

    #[test]
    fn a_stall_longer_than_detection_is_forgiven_by_a_step_and_one_beyond_the_last_by_none() {
        for (_, configured) in all() {
            let stall = configured.detect() * 13 / 10;
            let step = configured.step_for(stall).expect("the ladder goes that far");
            assert!(configured.stretched(step).forgives() >= stall + stall / STALL_MARGIN_PART);
            assert!(configured.stretched(step.lower()).forgives() < stall + stall / STALL_MARGIN_PART);
            let last = configured.stretched(Step(u8::MAX));
            assert_eq!(configured.step_for(last.forgives() + Span(1)), None);
            assert_eq!(
                configured.step_for(last.forgives()).map(|step| configured.stretched(step)),
                Some(last)
            );
            assert_eq!(configured.step_for(Span::ZERO), Some(Step::CONFIGURED));
        }
    }

    #[test]
    fn a_grace_period_lengthens_leases_by_as_much_and_forgives_a_stall_as_long_at_each_step() {
        let grace = Span::from_millis(1_500);
        for (monitoring, configured) in all() {
            let graced = configured.with_grace(grace);
            assert_eq!(graced.lease(), configured.lease() + grace);
            assert_eq!(graced.with_grace(Span::ZERO), configured);
            for (longer, without) in graced.ladder().zip(configured.ladder()) {
                assert_eq!(longer.forgives(), without.forgives() + grace, "{monitoring}");
                assert_eq!(longer.detect(), without.detect());
                assert!(longer.takeover_wait() >= longer.detect_longest(), "the wait would be for nothing");
                assert!(monitoring == Monitoring::Mesh || longer.checked_for_ring() == Ok(longer));
            }
            let stall = graced.forgives() * 4 / 5;
            assert_eq!(graced.step_for(stall), Some(Step::CONFIGURED));
            assert_ne!(configured.step_for(stall), Some(Step::CONFIGURED));
        }
    }

    #[test]
    fn who_answers_echoes_is_given_up_when_they_end_and_at_the_end_of_the_grace_period() {
        let timings = Timings::of(TimingProfile::Auto).with_grace(Span::from_secs(2));
        let at = |ms| Tick::ZERO + Span::from_millis(ms);
        let due = at(1_000);
        assert_eq!(timings.given_up_at(due, Tick::ZERO), due, "none came");
        assert_eq!(timings.given_up_at(due, at(550)), due, "none since it fell silent");
        assert_eq!(timings.given_up_at(due, at(900)), at(1_300));
        assert_eq!(timings.given_up_at(due, at(2_900)), at(3_000));
        assert_eq!(Timings::of(TimingProfile::Auto).given_up_at(due, at(900)), due, "no grace");
    }

    #[test]
    fn with_a_tie_breaker_the_lease_of_an_owner_lasts_until_its_half_has_won() {
        let limit = Span::from_millis(250);
        for (monitoring, configured) in all() {
            for timings in configured.with_tie_breaker(limit).ladder() {
                let decided = timings.detect() + timings.beat() * TIE_BEATS + limit;
                assert!(timings.lease() >= decided + timings.stop_budget(), "{monitoring} {timings:?}");
                assert!(monitoring == Monitoring::Mesh || timings.checked_for_ring() == Ok(timings));
            }
            let grace = Span::from_secs(1);
            let (one, other) = (configured.with_grace(grace), configured.with_tie_breaker(limit));
            assert_eq!(one.with_tie_breaker(limit), other.with_grace(grace));
        }
    }

    #[test]
    fn auto_shrugs_off_a_stall_of_300_ms() {
        assert!(Timings::of(TimingProfile::Auto).pause_covered() >= Span::from_millis(300));
    }

    #[test]
    fn each_inequality_bites() {
        let ms = Span::from_millis;
        let check = |beat, detect, lease, stop, dead, margin| {
            Timings::checked(ms(beat), ms(detect), ms(lease), ms(stop), ms(dead), ms(margin)).unwrap_err()
        };
        assert_eq!(check(0, 400, 500, 120, 10, 10), TimingFault::NoBeat);
        assert_eq!(check(100, 400, 500, 120, 10, 10), TimingFault::DetectTooShort);
        assert_eq!(check(25, 400, 500, 250, 10, 10), TimingFault::LeaseTooShort);
        assert_eq!(check(25, 400, 500, 120, 0, 10), TimingFault::DeadmanTooShort);
        assert_eq!(check(25, 400, 500, 120, 10, 0), TimingFault::MarginTooShort);
    }
}
