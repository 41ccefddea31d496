//! The notes of the core, one sentence each.

use crate::names::Names;
use phalanx_events::{ManagerNote, MembershipNote, Note, StretchCause};
use phalanx_types::{Charter, CharterStage, Claim, GroupName, Majority, NodeSet, Span, Verb, Verdict, View};
use std::collections::BTreeSet;

/// A path that goes down after a shorter silence than this is still heard; the peer does not hear us.
const UNHEARD: Span = Span::from_millis(20);

/// A note as a sentence.
pub fn text(note: &Note, names: &Names) -> String {
    match note {
        Note::Membership(note) => membership(note, names),
        Note::Manager(note) => manager(note, names),
    }
}

fn membership(note: &MembershipNote, names: &Names) -> String {
    use MembershipNote as N;
    match note {
        N::PathUp { peer, path } => {
            format!("path to {} over {} works both ways", names.node(*peer), names.path(*path))
        }
        N::PathDown { peer, path, silent } if *silent < UNHEARD => {
            format!("{} no longer hears this node over {}", names.node(*peer), names.path(*path))
        }
        N::PathDown { peer, path, silent } => {
            format!("path to {} over {} silent for {silent}", names.node(*peer), names.path(*path))
        }
        N::AdapterSuspected { network } => {
            format!("nobody reached on {}: own adapter suspected", names.network(*network))
        }
        N::PeerUp { life } => format!("{} is reached", names.life(*life)),
        N::PeerDown { life, silent } if *silent < UNHEARD => {
            format!("{} is down: it no longer hears this node", names.life(*life))
        }
        N::PeerDown { life, silent } => {
            format!("{} is down: all its paths silent for {silent}", names.life(*life))
        }
        N::GraceGiven { life, silent, limit } => format!(
            "{} has been silent for {silent}, but its host answers an echo: given up after {limit}",
            names.life(*life)
        ),
        N::SelfPaused { gap } => format!("this node itself stood still for {gap}: no silence is believed"),
        N::TimingsInForce { timings } => {
            format!("in force here: detection after {}, leases of {}", timings.detect(), timings.lease())
        }
        N::MemberStalled { life } => {
            format!("{} beats but handles no ordered messages: left out", names.life(*life))
        }
        N::IdentityCloned { node } => {
            format!("two lives of {} beat at once: find the copied state directory", names.node(*node))
        }
        N::ViewAccepted { id, members } => {
            format!("view {id} accepted: {}", names.list(members.iter().copied()))
        }
        N::ViewInstalled { view, .. } => installed(view, names),
        N::ViewConfirmed { id } => format!("view {id} confirmed by a quorum"),
        N::Sent { message, .. } => format!("message {} of {} sent", message.number, names.life(message.life)),
        N::Delivered { message, sequence, .. } => {
            format!("message {} of {} delivered as {sequence}", message.number, names.life(message.life))
        }
        N::FifoSent { message, .. } => {
            format!("vote {} of {} sent", message.number, names.life(message.life))
        }
        N::FifoDelivered { message, .. } => {
            format!("vote {} of {} delivered", message.number, names.life(message.life))
        }
        N::Returned { message } => format!("message {} came back: its view ended", message.number),
        N::Leased { .. } => "lease renewed".into(),
        N::LettingGo { .. } => "lease not renewed in time: everything held here is let go".into(),
        N::QuarantineOver => "promises of an earlier life have run out: this node counts".into(),
        N::FrameDropped { from, reason } => format!("frame from {} dropped: {reason}", names.node(*from)),
        N::Reached { point } => point.name().to_owned(),
    }
}

fn installed(view: &View, names: &Names) -> String {
    let members = names.list(view.members.keys().copied());
    let primary = if view.primary { "primary" } else { "not primary" };
    format!("view {} installed, {primary}: {members}", view.id)
}

fn manager(note: &ManagerNote, names: &Names) -> String {
    use ManagerNote as N;
    match note {
        N::Probed { group, found } => format!("{group}: probe found {found}"),
        N::Readopted { group, epoch } => format!("{group}: taken over as it runs, epoch {epoch}"),
        N::GroupChanged { group, epoch, from, to, cause } => {
            format!("{group}: {from} -> {to}, epoch {epoch}: {cause}")
        }
        N::PlanProposed { plan, groups } => format!("plan {} proposed for {}", short(plan), listed(groups)),
        N::PlanAgreed { plan, steps, .. } => format!("plan {} agreed: {}", short(plan), steps.join("; ")),
        N::PlanRefused { cause } => format!("plan refused: {cause}"),
        N::PlanDiverged { theirs, ours } => {
            format!("plans differ, {} here and {} there: groups left as they are", short(ours), short(theirs))
        }
        N::ChangeAcknowledged { config } => format!("configuration {} is active everywhere", short(config)),
        N::PlanVoided { group, cause } => format!("{group}: plan ended before its goal: {cause}"),
        N::PlanFinished { group, outcome } => format!("{group}: plan finished: {outcome}"),
        N::StandingStill { reason, .. } => reason.clone(),
        N::Cleared { group, epoch, proofs, waited } => {
            let proofs: Vec<_> =
                proofs.iter().map(|(node, proof)| format!("{}: {proof}", names.node(*node))).collect();
            format!("{group}: clear for epoch {epoch} after {waited} ({})", proofs.join("; "))
        }
        N::StepBegun { group, resource, verb, .. } => format!("{group}: {} {resource}", word(verb)),
        N::StepDone { group, resource, verb, took, .. } => {
            format!("{group}: {} {resource} done in {took}", word(verb))
        }
        N::StepFailed { group, resource, verb, took, why, .. } => {
            format!("{group}: {} {resource} failed after {took}: {why}", word(verb))
        }
        N::MonitorFailed { group, resource, failures, limit, why } => {
            format!("{group}: monitor of {resource} failed, {failures} of {limit}: {why}")
        }
        N::RestartedInPlace { group, resource, restart, limit, why } => {
            format!("{group}: {resource} restarted in place, {restart} of {limit}: {why}")
        }
        N::RestartsExhausted { group, resource, leaves, why } => {
            let then = if *leaves { "the group leaves this node" } else { "the group stays" };
            format!("{group}: {resource} has used up its restarts, {then}: {why}")
        }
        N::AdapterDown { network, cause } => {
            format!("PHX-E001 adapter down on {}: {cause}", names.network(*network))
        }
        N::AdapterVouched { network } => {
            format!(
                "no node answers on {}, but a target does: the adapter here works",
                names.network(*network)
            )
        }
        N::AdapterUp { network, settles_in } => {
            format!("adapter up on {}, relied on in {settles_in}", names.network(*network))
        }
        N::NetworkDown { network, node: Some(node) } => {
            format!("PHX-E002 network {} is down at {}", names.network(*network), names.node(*node))
        }
        N::NetworkDown { network, node: None } => {
            format!("PHX-E003 network {} is down everywhere: nothing moves", names.network(*network))
        }
        N::NetworkUp { network, node: Some(node) } => {
            format!("network {} is up at {}", names.network(*network), names.node(*node))
        }
        N::NetworkUp { network, node: None } => {
            format!("network {} is no longer down everywhere", names.network(*network))
        }
        N::SwapAdapter { group, resource, cause } => {
            format!("PHX-E004 {group}: {resource} changes to a good adapter: {cause}")
        }
        N::AdapterSwapped { group, resource, interface } => {
            format!("PHX-E008 {group}: {resource} is on interface {interface} now")
        }
        N::AddressAstray { group, resource, cause } => {
            format!("PHX-E007 {group}: {resource} is unreachable, no good adapter here: {cause}")
        }
        N::LettingGo { group, epoch, .. } => {
            format!("{group}: let go, epoch {epoch}: the lease runs out")
        }
        N::RequestBegun { asked, .. } => format!("request: {asked}"),
        N::RequestEnded { reply, .. } => format!("request ended: {reply}"),
        N::InStep { view, .. } => format!("in step with view {view}"),
        N::StateDiverged { groups, .. } => {
            format!("states differ: {} left alone; report this defect", listed(groups))
        }
        N::StateAdopted { from, .. } => format!("state taken over from {}", names.node(*from)),
        N::Activated { version, .. } => format!("configuration version {version} is active"),
        N::Formed { generation, few, without, by, why } => format!(
            "cluster formed against the quorum: {by} says that {} is down ({why}); generation {generation} is {}",
            names.list(without.iter()),
            names.list(few.iter())
        ),
        N::CharterChanged { charter } => charter_words(charter, names),
        N::TimingsChanged { cause, detect, lease } => {
            let why = stretch_words(cause, names);
            format!("PHX-E009 timings agreed on: detection after {detect}, leases of {lease}: {why}")
        }
        N::TimingsSettled { detect, lease } => {
            format!("all members go by detection after {detect} and leases of {lease}")
        }
        N::FormedWithoutUs { generation } => {
            format!("generation {generation} began without this node: all held here is let go")
        }
        N::TieClaimed { claim: Claim { generation, half } } => format!(
            "{} is half of those that decide, and claims generation {generation} at the tie-breaker",
            names.list(half.iter())
        ),
        N::TieJudged { claim, verdict } => verdict_words(claim, verdict, names),
        N::VersionLost { version, .. } => format!(
            "version {version} of the configuration was agreed on without those that formed the cluster: it is lost"
        ),
        N::ShutdownBegun { cause } => format!("leaving ({cause}): groups go elsewhere first"),
        N::Reached { point } => point.name().to_owned(),
    }
}

fn verdict_words(claim: &Claim, verdict: &Verdict, names: &Names) -> String {
    match verdict {
        Verdict::Won => {
            format!("PHX-E010 the tie-breaker is won: {} goes on alone", names.list(claim.half.iter()))
        }
        Verdict::Lost(winner) => format!(
            "PHX-E011 the tie-breaker is lost to {}: nothing runs here until they are met again",
            names.list(winner.iter())
        ),
        Verdict::Unknown(why) => {
            format!("PHX-E012 the tie-breaker does not answer: {why}; it is asked again")
        }
    }
}

fn stretch_words(cause: &StretchCause, names: &Names) -> String {
    match cause {
        StretchCause::Stall(stall) => {
            format!(
                "{} stood still for {}, and that would have to be forgiven",
                names.node(stall.node),
                stall.length
            )
        }
        StretchCause::Calm => "nobody has stood still for so long that longer ones are needed".to_owned(),
        StretchCause::Operator => "an operator asked for those that are configured".to_owned(),
        StretchCause::Met => "the others had agreed on them before".to_owned(),
    }
}

fn charter_words(charter: &Charter, names: &Names) -> String {
    let list = |nodes: NodeSet| names.list(nodes.iter());
    let most = |majority: Majority| match majority.only() {
        Some(nodes) => format!("a majority of {}", list(nodes)),
        None => "a majority of all nodes".to_owned(),
    };
    let decides = match (charter.few(), charter.stage) {
        (Some(few), CharterStage::Settled(_)) => format!("{} decides until a majority is back", list(few)),
        (Some(few), CharterStage::Passing { .. }) => {
            format!("a majority is back and decides with {} for a moment", list(few))
        }
        (None, CharterStage::Settled(now)) => format!("{} decides", most(now)),
        (None, CharterStage::Passing { from, to }) => {
            format!("{} and {} decide together for a moment", most(from), most(to))
        }
    };
    match charter.confirmed_down.is_empty() {
        true => decides,
        false => {
            format!("{decides}; down by the operator's word: {}", names.list(charter.confirmed_down.iter()))
        }
    }
}

fn listed(groups: &BTreeSet<GroupName>) -> String {
    groups.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn short(digest: &phalanx_types::Digest) -> String {
    digest.to_string().chars().take(8).collect()
}

fn word(verb: &Verb) -> &'static str {
    match verb {
        Verb::Probe => "probe",
        Verb::Scout => "scout",
        Verb::Start(_) => "start",
        Verb::Stop => "stop",
        Verb::Kill => "kill",
        Verb::Monitor => "monitor",
    }
}
