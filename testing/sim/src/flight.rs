//! Writes a seed's flight record: every event in words, and the earlier one that it followed from.
//!
//! What followed from what is known by the kind of event: an event says what it becomes a cause of ([`Thread`]), and which
//! threads it may have followed from; the latest of those is its cause. Nothing here judges.

use crate::thread::{Thread, threads};
use phalanx_events::{ManagerNote, MembershipNote, Note};
use phalanx_flight::{Broken, End, Entry, Head, Kind, SCHEMA, write};
use phalanx_oracle::{Event, Violation, What};
use phalanx_present::{Names, text};
use phalanx_types::{Digest, OperationResult, Verb};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// A record that is being written.
pub struct Recorder {
    out: Box<dyn Write + Send>,
    names: Names,
    entries: u64,
    threads: BTreeMap<Thread, u64>,
    /// The plan whose steps were told last; every member agrees to it, and one telling is enough.
    plan: Option<Digest>,
    /// The first thing that went wrong with the file; nothing is written after it.
    fault: Option<io::Error>,
}

impl Recorder {
    /// A record with nothing in it but its head.
    pub fn new(out: Box<dyn Write + Send>, seed: u64, command: String, cluster: &str) -> Recorder {
        let model = phalanx_model::parse("sim", cluster).expect("the simulator's own file is good").cluster;
        let nodes = model.nodes.values().map(|node| node.name.to_string()).collect();
        let names = Names::new(&model, *model.nodes.keys().next().expect("a cluster has nodes"));
        let head = Head { flight: SCHEMA, seed, command, nodes, cluster: cluster.to_owned() };
        let mut recorder =
            Recorder { out, names, entries: 0, threads: BTreeMap::new(), plan: None, fault: None };
        recorder.line(&write(&head));
        recorder
    }

    /// Writes down an event.
    pub fn event(&mut self, event: &Event) {
        self.entries += 1;
        let (followed, becomes) = threads(event);
        let from = followed.iter().filter_map(|thread| self.threads.get(thread)).max().copied();
        for thread in becomes {
            self.threads.insert(thread, self.entries);
        }
        let words = self.words(&event.what);
        let entry = Entry {
            n: self.entries,
            at: event.at.0,
            node: event.life.node.0,
            life: event.life.start,
            kind: kind(&event.what),
            say: words,
            from,
        };
        self.line(&write(&entry));
    }

    /// Writes the last line. The error is the first that any line met.
    pub fn end(mut self, at: u64, violation: Option<&Violation>) -> io::Result<()> {
        let broken = violation.map(|violation| Broken {
            property: violation.property.to_owned(),
            say: violation.words.clone(),
            at: violation.at.0,
        });
        self.line(&write(&End { entries: self.entries, at, broken }));
        self.fault.map_or_else(|| self.out.flush(), Err)
    }

    fn line(&mut self, line: &str) {
        if self.fault.is_none() {
            self.fault = self.out.write_all(line.as_bytes()).err();
        }
    }

    fn words(&mut self, what: &What) -> String {
        if let What::Note(Note::Manager(ManagerNote::PlanAgreed { plan, steps, .. })) = what {
            return match self.plan.replace(*plan) == Some(*plan) {
                true => "the same plan agreed".to_owned(),
                false => format!("plan agreed\n{}", steps.join("\n")),
            };
        }
        if let What::Note(note) = what {
            return text(note, &self.names);
        }
        if let What::OperationBegan { operation: o, .. } = what {
            return format!("begins to {} {} of {} (epoch {})", verb(&o.verb), o.resource, o.group, o.epoch);
        }
        if let What::OperationEnded { operation: o, result } = what {
            return format!("{} {} of {}: {}", verb(&o.verb), o.resource, o.group, outcome(result));
        }
        what.to_string()
    }
}

fn verb(verb: &Verb) -> &'static str {
    match verb {
        Verb::Probe => "probe",
        Verb::Scout => "scout for",
        Verb::Start(_) => "start",
        Verb::Stop => "stop",
        Verb::Kill => "kill",
        Verb::Monitor => "monitor",
    }
}

fn outcome(result: &OperationResult) -> String {
    match result {
        OperationResult::Done => "done".into(),
        OperationResult::Active { epoch: Some(epoch) } => format!("active, epoch {epoch}"),
        OperationResult::Active { epoch: None } => "active, of nobody knows which epoch".into(),
        OperationResult::Inactive => "not active".into(),
        OperationResult::Failed(why) => format!("FAILED: {why}"),
        OperationResult::TimedOut => "did not end in time".into(),
        OperationResult::Stale => "refused, its permit is stale".into(),
        OperationResult::Placed { interface } => format!("done, on {interface}"),
    }
}

/// A look changes nothing and comes often.
fn operation(verb: &Verb) -> Kind {
    match verb {
        Verb::Probe | Verb::Scout | Verb::Monitor => Kind::Routine,
        Verb::Start(_) | Verb::Stop | Verb::Kill => Kind::Group,
    }
}

fn kind(what: &What) -> Kind {
    match what {
        What::Note(Note::Membership(note)) => membership(note),
        What::Note(Note::Manager(note)) => manager(note),
        What::Fault { .. } | What::AdapterDead { .. } | What::LinksChanged { .. } | What::Healed { .. } => {
            Kind::Fault
        }
        What::Started { .. }
        | What::DaemonCrashed
        | What::HostCrashed
        | What::Halted { .. }
        | What::Paused
        | What::Resumed
        | What::Frozen
        | What::Thawed => Kind::Life,
        What::HoldBegan { .. }
        | What::HoldEnded { .. }
        | What::GroupUp { .. }
        | What::GroupDown { .. }
        | What::AddressUp { .. }
        | What::AddressDown { .. } => Kind::Group,
        What::OperationBegan { operation: o, .. } | What::OperationEnded { operation: o, .. } => {
            operation(&o.verb)
        }
        What::DiskWrite { .. } | What::Fed { .. } => Kind::Routine,
        What::DeadmanGone { .. } | What::DeadmanKilled | What::DeadmanReset => Kind::Lease,
        What::ClientActed { .. } | What::ClientHeard { .. } => Kind::Message,
        What::TieDecided { .. }
        | What::Asked { .. }
        | What::Replied { .. }
        | What::Excused { .. }
        | What::Expected { .. } => Kind::Plan,
    }
}

fn membership(note: &MembershipNote) -> Kind {
    use MembershipNote as N;
    match note {
        N::PathUp { .. }
        | N::PathDown { .. }
        | N::AdapterSuspected { .. }
        | N::PeerUp { .. }
        | N::PeerDown { .. }
        | N::GraceGiven { .. }
        | N::IdentityCloned { .. } => Kind::Path,
        N::SelfPaused { .. } => Kind::Life,
        N::MemberStalled { .. }
        | N::ViewAccepted { .. }
        | N::ViewInstalled { .. }
        | N::ViewConfirmed { .. } => Kind::View,
        N::Sent { .. }
        | N::Delivered { .. }
        | N::Returned { .. }
        | N::FifoSent { .. }
        | N::FifoDelivered { .. }
        | N::FrameDropped { .. } => Kind::Message,
        N::LettingGo { .. } | N::QuarantineOver | N::TimingsInForce { .. } => Kind::Lease,
        N::Leased { .. } => Kind::Routine,
        N::Reached { .. } => Kind::Branch,
    }
}

fn manager(note: &ManagerNote) -> Kind {
    use ManagerNote as N;
    match note {
        N::Probed { .. }
        | N::Readopted { .. }
        | N::GroupChanged { .. }
        | N::Cleared { .. }
        | N::StepFailed { .. }
        | N::MonitorFailed { .. }
        | N::RestartedInPlace { .. }
        | N::RestartsExhausted { .. }
        | N::SwapAdapter { .. }
        | N::AdapterSwapped { .. }
        | N::AddressAstray { .. } => Kind::Group,
        N::PlanProposed { .. }
        | N::PlanAgreed { .. }
        | N::PlanRefused { .. }
        | N::PlanDiverged { .. }
        | N::PlanVoided { .. }
        | N::PlanFinished { .. }
        | N::StandingStill { .. }
        | N::RequestBegun { .. }
        | N::RequestEnded { .. }
        | N::StateAdopted { .. }
        | N::StateDiverged { .. }
        | N::Activated { .. }
        | N::ChangeAcknowledged { .. }
        | N::Formed { .. }
        | N::TieClaimed { .. }
        | N::TieJudged { .. }
        | N::CharterChanged { .. }
        | N::TimingsChanged { .. }
        | N::TimingsSettled { .. }
        | N::FormedWithoutUs { .. }
        | N::VersionLost { .. } => Kind::Plan,
        N::AdapterDown { .. }
        | N::AdapterUp { .. }
        | N::AdapterVouched { .. }
        | N::NetworkDown { .. }
        | N::NetworkUp { .. } => Kind::Path,
        N::LettingGo { .. } => Kind::Lease,
        N::ShutdownBegun { .. } => Kind::Life,
        // The operation itself is told by whoever runs it; being in step follows from each view.
        N::StepBegun { .. } | N::StepDone { .. } | N::InStep { .. } => Kind::Routine,
        N::Reached { .. } => Kind::Branch,
    }
}
