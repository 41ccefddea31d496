//! What follows from what, by kind of event. A thread is something that goes on in a run: its latest event is the cause of
//! whatever follows from it.

use crate::fault::Class;
use phalanx_events::{ManagerNote, MembershipNote, MessageId, Note};
use phalanx_oracle::{Event, What};
use phalanx_types::{Digest, GroupName, Incarnation, NodeId, OperationId, RequestId, ResourceName, ViewId};

/// Something that goes on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Thread {
    /// What befell a host or its daemon.
    Trouble(NodeId),
    /// What befell the networks.
    Network,
    /// Whom a node reaches.
    Reach(NodeId),
    /// A view that is being formed.
    Round(ViewId),
    /// A node's view.
    View(NodeId),
    /// A message.
    Message(MessageId),
    /// A vote.
    Vote(MessageId),
    /// A plan.
    Plan(Digest),
    /// What is agreed on, as a node sees it.
    Agreed(NodeId),
    /// A group on a node.
    Group(NodeId, GroupName),
    /// A resource on a node.
    Resource(NodeId, GroupName, ResourceName),
    /// An operation.
    Operation(Incarnation, OperationId),
    /// A node's lease.
    Lease(NodeId),
    /// A node's deadman.
    Deadman(NodeId),
    /// What an operator asked of a node.
    Request(NodeId, RequestId),
}

/// The threads that an event may have followed from, and those that it carries on.
pub fn threads(event: &Event) -> (Vec<Thread>, Vec<Thread>) {
    let me = event.life.node;
    match &event.what {
        What::Note(Note::Membership(note)) => membership(me, note),
        What::Note(Note::Manager(note)) => manager(me, note),
        What::Fault { kind, .. } if is_of_networks(kind) => (vec![], vec![Thread::Network]),
        What::Fault { .. } => (vec![], vec![Thread::Trouble(me)]),
        What::TieDecided { .. } => (vec![Thread::Agreed(me)], vec![Thread::Agreed(me)]),
        What::AdapterDead { .. } | What::Healed { .. } | What::LinksChanged { .. } => {
            (vec![], vec![Thread::Network])
        }
        // A new life has nothing of the old one.
        What::Started { .. } => (vec![Thread::Trouble(me)], anew(me)),
        What::DaemonCrashed
        | What::Halted { .. }
        | What::Paused
        | What::Resumed
        | What::Frozen
        | What::Thawed => (vec![Thread::Trouble(me)], vec![Thread::Trouble(me)]),
        What::HostCrashed => (vec![Thread::Trouble(me), Thread::Deadman(me)], vec![Thread::Trouble(me)]),
        What::OperationBegan { operation: o, .. } => {
            let resource = Thread::Resource(me, o.group.clone(), o.resource.clone());
            let doing = Thread::Operation(event.life, o.id);
            (vec![resource.clone(), Thread::Group(me, o.group.clone())], vec![doing, resource])
        }
        What::OperationEnded { operation: o, .. } => {
            let resource = Thread::Resource(me, o.group.clone(), o.resource.clone());
            (vec![Thread::Operation(event.life, o.id)], vec![resource])
        }
        What::AddressUp { group, resource } | What::AddressDown { group, resource } => {
            let resource = Thread::Resource(me, group.clone(), resource.clone());
            (vec![resource, Thread::Deadman(me), Thread::Trouble(me)], vec![])
        }
        What::HoldBegan { group, .. }
        | What::HoldEnded { group, .. }
        | What::GroupUp { group }
        | What::GroupDown { group }
        | What::DiskWrite { group, .. } => {
            (vec![Thread::Group(me, group.clone()), Thread::Deadman(me), Thread::Trouble(me)], vec![])
        }
        What::Fed { .. } => (vec![Thread::Lease(me)], vec![Thread::Lease(me)]),
        What::DeadmanGone { .. } => (vec![Thread::Trouble(me)], vec![Thread::Trouble(me)]),
        What::DeadmanKilled => (vec![Thread::Lease(me)], vec![Thread::Deadman(me)]),
        What::DeadmanReset => (vec![Thread::Deadman(me)], vec![Thread::Deadman(me)]),
        What::Asked { id, .. } => (vec![Thread::Trouble(me)], vec![Thread::Request(me, *id)]),
        What::Replied { id, .. } => (vec![Thread::Request(me, *id)], vec![]),
        What::ClientActed { .. } | What::ClientHeard { .. } => (vec![Thread::Agreed(me)], vec![]),
        What::Excused { .. } | What::Expected { .. } => (vec![Thread::Trouble(me)], vec![]),
    }
}

/// Whether a fault strikes what is between hosts.
fn is_of_networks(kind: &str) -> bool {
    [Class::Partition, Class::OneWay, Class::Noise, Class::Flap, Class::NetworkDown, Class::Adapter]
        .iter()
        .any(|class| class.name() == kind)
}

fn anew(me: NodeId) -> Vec<Thread> {
    vec![Thread::Trouble(me), Thread::Reach(me), Thread::View(me), Thread::Agreed(me), Thread::Lease(me)]
}

fn membership(me: NodeId, note: &MembershipNote) -> (Vec<Thread>, Vec<Thread>) {
    use MembershipNote as N;
    match note {
        N::PathUp { peer, .. } | N::PathDown { peer, .. } => {
            (vec![Thread::Trouble(*peer), Thread::Network, Thread::Trouble(me)], vec![])
        }
        N::AdapterSuspected { .. } | N::FrameDropped { .. } => (vec![Thread::Network], vec![]),
        N::PeerUp { life } | N::PeerDown { life, .. } | N::GraceGiven { life, .. } => {
            let causes = vec![Thread::Trouble(life.node), Thread::Network, Thread::Trouble(me)];
            (causes, vec![Thread::Reach(me)])
        }
        N::IdentityCloned { node } => (vec![Thread::Trouble(*node)], vec![Thread::Reach(me)]),
        N::SelfPaused { .. } => (vec![Thread::Trouble(me)], vec![Thread::Reach(me)]),
        N::MemberStalled { life } => {
            (vec![Thread::Trouble(life.node), Thread::View(me)], vec![Thread::Reach(me)])
        }
        N::TimingsInForce { .. } => (vec![Thread::Agreed(me)], vec![]),
        N::QuarantineOver => (vec![Thread::Trouble(me)], vec![Thread::Reach(me)]),
        N::ViewAccepted { id, .. } if id.coordinator == me => {
            (vec![Thread::Reach(me), Thread::View(me)], vec![Thread::Round(*id)])
        }
        N::ViewAccepted { id, .. } => (vec![Thread::Round(*id)], vec![]),
        N::ViewInstalled { view, .. } => {
            (vec![Thread::Round(view.id)], vec![Thread::View(me), Thread::Agreed(me)])
        }
        N::ViewConfirmed { .. } => (vec![Thread::View(me)], vec![]),
        N::Sent { message, .. } => (vec![Thread::Agreed(me)], vec![Thread::Message(*message)]),
        N::Delivered { message, .. } | N::Returned { message } => (vec![Thread::Message(*message)], vec![]),
        N::FifoSent { message, .. } => (vec![Thread::Agreed(me)], vec![Thread::Vote(*message)]),
        N::FifoDelivered { message, .. } => (vec![Thread::Vote(*message)], vec![]),
        N::Leased { .. } | N::LettingGo { .. } => (vec![Thread::Lease(me)], vec![Thread::Lease(me)]),
        N::Reached { .. } => (vec![], vec![]),
    }
}

fn manager(me: NodeId, note: &ManagerNote) -> (Vec<Thread>, Vec<Thread>) {
    use ManagerNote as N;
    let group = |group: &GroupName| Thread::Group(me, group.clone());
    let resource = |group: &GroupName, name: &ResourceName| Thread::Resource(me, group.clone(), name.clone());
    match note {
        N::Probed { group: of, .. } | N::Readopted { group: of, .. } => {
            (vec![Thread::Trouble(me)], vec![group(of)])
        }
        N::GroupChanged { group: of, .. } => {
            (vec![group(of), Thread::Agreed(me), Thread::View(me)], vec![group(of)])
        }
        N::Cleared { group: of, .. } => (vec![group(of), Thread::View(me)], vec![group(of)]),
        N::StepBegun { group: of, resource: name, .. } => (vec![group(of)], vec![resource(of, name)]),
        N::StepDone { group: of, resource: name, .. } => (vec![resource(of, name)], vec![]),
        N::StepFailed { group: of, resource: name, .. }
        | N::MonitorFailed { group: of, resource: name, .. }
        | N::RestartedInPlace { group: of, resource: name, .. }
        | N::RestartsExhausted { group: of, resource: name, .. } => {
            (vec![resource(of, name)], vec![group(of), resource(of, name)])
        }
        N::SwapAdapter { group: of, resource: name, .. }
        | N::AdapterSwapped { group: of, resource: name, .. }
        | N::AddressAstray { group: of, resource: name, .. } => {
            (vec![resource(of, name), Thread::Trouble(me), Thread::Network], vec![resource(of, name)])
        }
        N::LettingGo { group: of, .. } => (vec![Thread::Lease(me)], vec![group(of)]),
        N::PlanProposed { plan, .. } => (vec![Thread::Agreed(me)], vec![Thread::Plan(*plan)]),
        N::PlanAgreed { plan, .. } => (vec![Thread::Plan(*plan)], vec![Thread::Agreed(me)]),
        N::PlanDiverged { theirs, .. } => (vec![Thread::Plan(*theirs)], vec![Thread::Agreed(me)]),
        N::PlanFinished { group: of, .. } => (vec![group(of), Thread::Agreed(me)], vec![Thread::Agreed(me)]),
        N::PlanRefused { .. }
        | N::PlanVoided { .. }
        | N::StandingStill { .. }
        | N::StateAdopted { .. }
        | N::StateDiverged { .. }
        | N::Activated { .. }
        | N::CharterChanged { .. }
        | N::TimingsChanged { .. }
        | N::TimingsSettled { .. }
        | N::FormedWithoutUs { .. }
        | N::VersionLost { .. }
        | N::InStep { .. } => (vec![Thread::Agreed(me), Thread::View(me)], vec![]),
        N::RequestBegun { id, .. } => {
            (vec![Thread::Request(me, *id)], vec![Thread::Request(me, *id), Thread::Agreed(me)])
        }
        N::RequestEnded { id, .. } => (vec![Thread::Request(me, *id)], vec![Thread::Request(me, *id)]),
        N::TieClaimed { .. } => (vec![Thread::View(me)], vec![Thread::Agreed(me)]),
        N::ChangeAcknowledged { .. } | N::Formed { .. } | N::TieJudged { .. } => {
            (vec![Thread::Agreed(me)], vec![Thread::Agreed(me)])
        }
        N::AdapterDown { .. }
        | N::AdapterUp { .. }
        | N::AdapterVouched { .. }
        | N::NetworkDown { .. }
        | N::NetworkUp { .. } => (vec![Thread::Trouble(me), Thread::Network], vec![Thread::Agreed(me)]),
        N::ShutdownBegun { .. } => (vec![Thread::Trouble(me)], vec![Thread::Trouble(me), Thread::Agreed(me)]),
        N::Reached { .. } => (vec![], vec![]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_oracle::GlobalTime;
    use std::collections::BTreeSet;

    fn check(what: What, follows: &[Thread], carries: &[Thread]) {
        let life = Incarnation { node: NodeId(1), start: 1 };
        let (followed, becomes) = threads(&Event { at: GlobalTime(0), life, what });
        assert_eq!((&followed[..], &becomes[..]), (follows, carries));
    }

    #[test]
    fn a_member_follows_its_coordinator_and_that_what_it_saw() {
        let accepted = |coordinator| {
            let id = ViewId { counter: 9, coordinator: NodeId(coordinator) };
            (id, What::Note(MembershipNote::ViewAccepted { id, members: BTreeSet::new() }.into()))
        };
        let (round, own) = accepted(1);
        let seen = [Thread::Reach(NodeId(1)), Thread::View(NodeId(1))];
        check(own, &seen, &[Thread::Round(round)]);
        let (round, other) = accepted(2);
        check(other, &[Thread::Round(round)], &[]);
    }

    #[test]
    fn a_reset_follows_from_the_kill_and_that_from_the_lease() {
        let (lease, deadman) = (Thread::Lease(NodeId(1)), Thread::Deadman(NodeId(1)));
        check(What::DeadmanKilled, &[lease], std::slice::from_ref(&deadman));
        check(What::DeadmanReset, std::slice::from_ref(&deadman), std::slice::from_ref(&deadman));
    }
}
