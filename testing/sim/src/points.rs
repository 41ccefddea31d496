//! Sometimes points: rare branches that enough seeds must reach, or nobody knows that they work.
//!
//! Most are read from what nodes say anyway and from what an observer sees; where a branch leaves no such trace the core
//! says [`Point`]. Counts only: no point is good or bad.

use phalanx_events::{ManagerNote, MembershipNote, Note, Point, ShutdownCause, StretchCause};
use phalanx_oracle::{Event, HoldEnd, What};
use phalanx_types::limits::ADAPTER_UP_AFTER;
use phalanx_types::{OperationResult, Span, Verb, Verdict, ViewId};
use std::collections::BTreeMap;

/// Points that notes and ground truth show, in the order of the layers.
const SEEN: &[&str] = &[
    "path-hears-one-way",
    "adapter-suspected",
    "grace-given",
    "self-paused",
    "member-stalled",
    "later-node-coordinates",
    "left-alone",
    "view-without-quorum",
    "parts-merge",
    "quarantined-member",
    "quarantine-over",
    "message-returned",
    "delivered-at-view-end",
    "vote-at-view-end",
    "state-adopted",
    "timings-stretched",
    "timings-asked-back",
    "timings-met",
    "tie-won",
    "tie-lost",
    "tie-breaker-silent",
    "version-activated",
    "change-acknowledged",
    "plan-refused",
    "plan-voided",
    "leave-asked",
    "journal-failed",
    "adapter-relapses",
    "adapter-vouched",
    "network-down-everywhere",
    "address-swapped",
    "address-astray",
    "lease-runs-out",
    "restarted-in-place",
    "restarts-exhausted",
    "start-failed",
    "start-timed-out",
    "stop-failed",
    "group-stuck",
    "stuck-group-freed",
    "readopted-running",
    "readopted-half-started",
    "hold-torn-away",
    "deadman-kills",
    "deadman-resets",
];

/// A peer that is heard says at least so often whether it hears us.
const LATELY: Span = Span::from_millis(60);

/// How often each point was reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Points(BTreeMap<&'static str, u64>);

impl Points {
    /// Every point there is.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Point::ALL.iter().map(|point| point.name()).chain(SEEN.iter().copied())
    }

    /// Counts what one event shows.
    pub fn see(&mut self, event: &Event) {
        match &event.what {
            What::Note(Note::Membership(note)) => self.see_membership(event, note),
            What::Note(Note::Manager(note)) => self.see_manager(note),
            What::HoldEnded { by: HoldEnd::Torn, .. } => self.count("hold-torn-away"),
            What::DeadmanKilled => self.count("deadman-kills"),
            What::DeadmanReset => self.count("deadman-resets"),
            What::OperationEnded { operation, result: OperationResult::TimedOut }
                if matches!(operation.verb, Verb::Start(_)) =>
            {
                self.count("start-timed-out");
            }
            // These happen in every seed, or are counted otherwise.
            What::Started { .. }
            | What::DaemonCrashed
            | What::HostCrashed
            | What::Halted { .. }
            | What::Paused
            | What::Resumed
            | What::Frozen
            | What::Thawed
            | What::HoldBegan { .. }
            | What::HoldEnded { .. }
            | What::GroupUp { .. }
            | What::GroupDown { .. }
            | What::AddressUp { .. }
            | What::AddressDown { .. }
            | What::OperationBegan { .. }
            | What::OperationEnded { .. }
            | What::DiskWrite { .. }
            | What::Fed { .. }
            | What::DeadmanGone { .. }
            | What::Asked { .. }
            | What::Replied { .. }
            | What::ClientActed { .. }
            | What::ClientHeard { .. }
            | What::Fault { .. }
            | What::Excused { .. }
            | What::Expected { .. }
            | What::AdapterDead { .. }
            | What::TieDecided { .. }
            | What::LinksChanged { .. }
            | What::Healed { .. } => {}
        }
    }

    /// Adds what another run reached.
    pub fn add(&mut self, other: &Points) {
        for (name, count) in &other.0 {
            *self.0.entry(name).or_insert(0) += count;
        }
    }

    /// Every point with its count, zero among them.
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        Points::names().map(|name| (name, self.0.get(name).copied().unwrap_or(0))).collect()
    }

    /// Those that nothing has reached.
    pub fn missed(&self) -> Vec<&'static str> {
        Points::names().filter(|name| !self.0.contains_key(name)).collect()
    }

    fn count(&mut self, name: &'static str) {
        *self.0.entry(name).or_insert(0) += 1;
    }

    fn see_membership(&mut self, event: &Event, note: &MembershipNote) {
        use MembershipNote as N;
        match note {
            N::Reached { point } => self.count(point.name()),
            N::PathDown { silent, .. } if *silent < LATELY => self.count("path-hears-one-way"),
            N::AdapterSuspected { .. } => self.count("adapter-suspected"),
            N::GraceGiven { .. } => self.count("grace-given"),
            N::SelfPaused { .. } => self.count("self-paused"),
            N::MemberStalled { .. } => self.count("member-stalled"),
            N::QuarantineOver => self.count("quarantine-over"),
            N::Returned { .. } => self.count("message-returned"),
            N::Delivered { transitional: true, .. } => self.count("delivered-at-view-end"),
            N::FifoDelivered { transitional: true, .. } => self.count("vote-at-view-end"),
            N::ViewInstalled { .. } => self.see_view(event),
            N::PathUp { .. }
            | N::TimingsInForce { .. }
            | N::PathDown { .. }
            | N::PeerUp { .. }
            | N::PeerDown { .. }
            | N::IdentityCloned { .. }
            | N::ViewAccepted { .. }
            | N::ViewConfirmed { .. }
            | N::Sent { .. }
            | N::Delivered { .. }
            | N::FifoSent { .. }
            | N::FifoDelivered { .. }
            | N::Leased { .. }
            | N::LettingGo { .. }
            | N::FrameDropped { .. } => {}
        }
    }

    /// Told by every member alike: counted where its coordinator says it.
    fn see_view(&mut self, event: &Event) {
        let Some(install) = event.install() else { return };
        let (view, alone) = (install.view, install.view.members.len() == 1);
        if view.id.coordinator != event.life.node || install.previous == ViewId::NONE {
            return;
        }
        if view.members.keys().next() != Some(&view.id.coordinator) {
            self.count("later-node-coordinates");
        }
        if alone {
            self.count("left-alone");
        }
        if !view.primary && !alone {
            self.count("view-without-quorum");
        }
        if install.transitional.len() > 1 && install.transitional.len() < view.members.len() {
            self.count("parts-merge");
        }
        if view.members.values().any(|member| !member.counts) {
            self.count("quarantined-member");
        }
    }

    fn see_manager(&mut self, note: &ManagerNote) {
        use ManagerNote as N;
        match note {
            N::Reached { point } => self.count(point.name()),
            N::TimingsChanged { cause, .. } => self.count(stretch_point(*cause)),
            N::StateAdopted { .. } => self.count("state-adopted"),
            N::Activated { .. } => self.count("version-activated"),
            N::ChangeAcknowledged { .. } => self.count("change-acknowledged"),
            N::PlanRefused { .. } => self.count("plan-refused"),
            N::PlanVoided { .. } => self.count("plan-voided"),
            N::ShutdownBegun { cause: ShutdownCause::Asked } => self.count("leave-asked"),
            N::ShutdownBegun { cause: ShutdownCause::NotDurable } => self.count("journal-failed"),
            N::AdapterUp { settles_in, .. } if *settles_in > ADAPTER_UP_AFTER => {
                self.count("adapter-relapses");
            }
            N::TieJudged { verdict, .. } => match verdict {
                Verdict::Won => self.count("tie-won"),
                Verdict::Lost(_) => self.count("tie-lost"),
                Verdict::Unknown(_) => self.count("tie-breaker-silent"),
            },
            N::AdapterVouched { .. } => self.count("adapter-vouched"),
            N::NetworkDown { node: None, .. } => self.count("network-down-everywhere"),
            N::SwapAdapter { .. } => self.count("address-swapped"),
            N::AddressAstray { .. } => self.count("address-astray"),
            N::LettingGo { .. } => self.count("lease-runs-out"),
            N::RestartedInPlace { .. } => self.count("restarted-in-place"),
            N::RestartsExhausted { .. } => self.count("restarts-exhausted"),
            N::StepFailed { verb: Verb::Start(_), .. } => self.count("start-failed"),
            N::StepFailed { verb: Verb::Stop, .. } => self.count("stop-failed"),
            N::GroupChanged { from, to, .. } => self.see_group(from, to),
            N::Probed { .. }
            | N::Readopted { .. }
            | N::PlanProposed { .. }
            | N::PlanAgreed { .. }
            | N::PlanDiverged { .. }
            | N::PlanFinished { .. }
            | N::StandingStill { .. }
            | N::Cleared { .. }
            | N::StepBegun { .. }
            | N::StepDone { .. }
            | N::StepFailed { .. }
            | N::MonitorFailed { .. }
            | N::AdapterSwapped { .. }
            | N::AdapterDown { .. }
            | N::AdapterUp { .. }
            | N::NetworkDown { .. }
            | N::NetworkUp { .. }
            | N::RequestBegun { .. }
            | N::RequestEnded { .. }
            | N::InStep { .. }
            | N::StateDiverged { .. }
            | N::Formed { .. }
            | N::TieClaimed { .. }
            | N::CharterChanged { .. }
            | N::TimingsSettled { .. }
            | N::FormedWithoutUs { .. }
            | N::VersionLost { .. } => {}
        }
    }

    fn see_group(&mut self, from: &str, to: &str) {
        match (from, to) {
            (_, "stuck") => self.count("group-stuck"),
            ("stuck", "free") => self.count("stuck-group-freed"),
            ("probing", "online") => self.count("readopted-running"),
            ("probing", "acquiring") => self.count("readopted-half-started"),
            _ => {}
        }
    }
}

fn stretch_point(cause: StretchCause) -> &'static str {
    match cause {
        StretchCause::Stall(_) => "timings-stretched",
        StretchCause::Calm => "timings-shrunk",
        StretchCause::Operator => "timings-asked-back",
        StretchCause::Met => "timings-met",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_oracle::GlobalTime;
    use phalanx_types::{Incarnation, NodeId};
    use std::collections::BTreeSet;

    fn event(what: What) -> Event {
        Event { at: GlobalTime(1), life: Incarnation { node: NodeId(1), start: 1 }, what }
    }

    #[test]
    fn every_point_has_a_name_of_its_own_and_there_are_many() {
        let names: BTreeSet<_> = Points::names().collect();
        assert_eq!(names.len(), Points::names().count());
        assert!(names.len() >= 40, "{}", names.len());
    }

    #[test]
    fn what_is_reached_is_counted_and_the_rest_is_missed() {
        let mut points = Points::default();
        points.see(&event(What::DeadmanKilled));
        let note = MembershipNote::Reached { point: Point::ProposalParked };
        points.see(&event(What::Note(note.into())));
        let mut sum = points.clone();
        sum.add(&points);
        assert_eq!((sum.counts()["deadman-kills"], sum.counts()["proposal-parked"]), (2, 2));
        assert_eq!(sum.counts()["deadman-resets"], 0);
        assert_eq!(sum.missed().len(), Points::names().count() - 2);
    }

    #[test]
    fn nothing_is_counted_that_is_not_listed() {
        let groups =
            [("online", "stuck"), ("stuck", "free"), ("probing", "online"), ("probing", "acquiring")];
        let mut points = Points::default();
        groups.into_iter().for_each(|(from, to)| points.see_group(from, to));
        assert!(points.0.keys().all(|name| SEEN.contains(name)), "{points:?}");
    }
}
