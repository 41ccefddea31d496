//! Events in words, for people who read a trace.

use crate::event::{Event, GlobalTime, HoldEnd, What};
use phalanx_events::{ManagerNote, MembershipNote, MessageId, Note, Service};
use phalanx_types::{NodeId, PathId, View};
use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};

impl Display for GlobalTime {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06} s", self.0 / 1_000_000_000, self.0 / 1_000 % 1_000_000)
    }
}

impl Display for Event {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:>13}  {:>6}  {}", self.at.to_string(), self.life.to_string(), self.what)
    }
}

impl Display for What {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            What::Note(Note::Membership(note)) => membership(note, f),
            What::Note(Note::Manager(ManagerNote::Reached { point })) => write!(f, "({})", point.name()),
            What::Note(Note::Manager(note)) => write!(f, "manager: {note:?}"),
            What::Started { boot } => write!(f, "starts (boot {boot:?})"),
            What::DaemonCrashed => f.write_str("the daemon crashes"),
            What::HostCrashed => f.write_str("the host crashes"),
            What::Halted { why } => write!(f, "halts: {why}"),
            What::Paused => f.write_str("the daemon is stopped"),
            What::Resumed => f.write_str("the daemon runs again"),
            What::Frozen => f.write_str("the host is frozen"),
            What::Thawed => f.write_str("the host is thawed"),
            What::HoldBegan { group, epoch } => write!(f, "HOLDS {group} (epoch {epoch})"),
            What::HoldEnded { group, by: HoldEnd::LetGo } => write!(f, "HOLDS {group} NO MORE"),
            What::HoldEnded { group, by: HoldEnd::Torn } => write!(f, "HOLDS {group} NO MORE (torn away)"),
            What::GroupUp { group } => write!(f, "{group} is all active"),
            What::GroupDown { group } => write!(f, "{group} is all active no more"),
            What::AddressUp { group, resource } => write!(f, "address {group}/{resource} is up"),
            What::AddressDown { group, resource } => write!(f, "address {group}/{resource} is down"),
            What::OperationBegan { operation: o, local } => {
                write!(
                    f,
                    "begins {:?} of {}/{} (epoch {}, local {})",
                    o.verb, o.group, o.resource, o.epoch, local.0
                )
            }
            What::OperationEnded { operation: o, result } => {
                write!(f, "ends {:?} of {}/{}: {result:?}", o.verb, o.group, o.resource)
            }
            What::DiskWrite { group, epoch } => write!(f, "{group} writes (epoch {epoch})"),
            What::Fed { until, until_global } => {
                write!(f, "the deadman takes {} (that is {until_global})", until.0)
            }
            What::DeadmanGone { gone: true } => f.write_str("the deadman is gone"),
            What::DeadmanGone { gone: false } => f.write_str("the deadman is back"),
            What::DeadmanKilled => f.write_str("the deadman kills what is held"),
            What::DeadmanReset => f.write_str("the deadman resets the host"),
            What::Asked { id, words } => write!(f, "is asked to {words} (request {})", id.0),
            What::ClientActed { client, act } => write!(f, "client {} does {act:?}", client.0),
            What::ClientHeard { client, event } => write!(f, "client {} hears {event:?}", client.0),
            What::Replied { id, words } => write!(f, "answers request {}: {words}", id.0),
            What::Fault { kind, words } => write!(f, "FAULT {kind}: {words}"),
            What::LinksChanged { noisy: false } => f.write_str("the networks carry something else now"),
            What::LinksChanged { noisy: true } => f.write_str("the networks carry what chance lets pass now"),
            What::Excused { group } => write!(f, "{group} may be offline"),
            What::Expected { group } => write!(f, "{group} is wanted online"),
            What::TieDecided { claim } => {
                write!(f, "THE TIE-BREAKER gives generation {} to {:?}", claim.generation, claim.half)
            }
            What::AdapterDead { silent: false } => f.write_str("THE ADAPTER IS DEAD for good"),
            What::AdapterDead { silent: true } => f.write_str("THE ADAPTER IS DEAD for good, silently"),
            What::Healed { core } => write!(f, "ALL IS WELL with nodes {}", nodes(core)),
        }
    }
}

fn nodes(nodes: &BTreeSet<NodeId>) -> String {
    nodes.iter().map(|node| node.0.to_string()).collect::<Vec<_>>().join(",")
}

fn path(path: &PathId) -> String {
    format!("network {} index {}", path.network.0, path.index)
}

fn message(message: &MessageId) -> String {
    format!("message {}#{}", message.life, message.number)
}

fn unordered(message: &MessageId) -> String {
    format!("vote {}#{}", message.life, message.number)
}

fn service(service: Service) -> &'static str {
    match service {
        Service::Agreed => "agreed",
        Service::Safe => "safe",
    }
}

fn view(view: &View) -> String {
    let members = view.members.values();
    let member = |m: &phalanx_types::Member| {
        format!("{}{}", m.incarnation, if m.counts { "" } else { "(quarantine)" })
    };
    let members = members.map(member).collect::<Vec<_>>().join(",");
    format!("{} {{{members}}}{}", view.id, if view.primary { " primary" } else { "" })
}

fn membership(note: &MembershipNote, f: &mut Formatter<'_>) -> fmt::Result {
    use MembershipNote as M;
    match note {
        M::PathUp { peer, path: p } => write!(f, "path up to {peer}: {}", path(p)),
        M::PathDown { peer, path: p, silent } => write!(f, "path down to {peer}: {} ({silent})", path(p)),
        M::AdapterSuspected { network } => write!(f, "suspects its own adapter on network {}", network.0),
        M::PeerUp { life } => write!(f, "peer up: {life}"),
        M::PeerDown { life, silent } => write!(f, "peer down: {life}, silent for {silent}"),
        M::GraceGiven { life, silent, limit } => {
            write!(f, "waits for {life}, silent for {silent}, until {limit}: its host answers an echo")
        }
        M::SelfPaused { gap } => write!(f, "notices that it stood still for {gap}"),
        M::TimingsInForce { timings } => {
            write!(f, "goes by detection of {} and leases of {}", timings.detect(), timings.lease())
        }
        M::MemberStalled { life } => write!(f, "{life} answers no ordered messages"),
        M::IdentityCloned { node } => write!(f, "{node} exists twice"),
        M::ViewAccepted { id, members } => write!(f, "accepts view {id} of {}", nodes(members)),
        M::ViewInstalled { view: v, previous, transitional } => {
            write!(f, "INSTALLS view {} from {previous} with {}", view(v), nodes(transitional))
        }
        M::ViewConfirmed { id } => write!(f, "view {id} is confirmed"),
        M::Sent { message: m, view, service: s, .. } => {
            write!(f, "sends {} in {view} ({})", message(m), service(*s))
        }
        M::Delivered { message: m, view, sequence, service: s, transitional, .. } => {
            let late = if *transitional { ", transitional" } else { "" };
            write!(f, "delivers {} as {sequence} of {view} ({}{late})", message(m), service(*s))
        }
        M::FifoSent { message: m, view, .. } => write!(f, "tells all {} in {view}", unordered(m)),
        M::FifoDelivered { message: m, view, transitional, .. } => {
            let late = if *transitional { ", transitional" } else { "" };
            write!(f, "hears {} of {view}{late}", unordered(m))
        }
        M::Returned { message: m } => write!(f, "gets back {}", message(m)),
        M::Leased { until } => write!(f, "leased until {}", until.0),
        M::LettingGo { until } => write!(f, "LETS GO: lease ends at {}", until.0),
        M::QuarantineOver => f.write_str("quarantine is over"),
        M::FrameDropped { from, reason } => write!(f, "drops a frame from {from}: {reason}"),
        M::Reached { point } => write!(f, "({})", point.name()),
    }
}
