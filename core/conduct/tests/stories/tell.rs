//! What a story prints: the notes that an operator would want to read, with the time since the command.

use crate::cluster::name;
use crate::world::World;
use phalanx_conduct::ManagerEffect;
use phalanx_events::{ManagerNote, StretchCause};
use phalanx_types::{CharterStage, Majority, NodeId, NodeSet, Tick, Verb};
use std::collections::BTreeSet;
use std::fmt::Write;

/// The effects since `began` in words. What all members say alike is told once.
pub fn tell(world: &mut World, began: Tick) -> String {
    let (mut text, mut told) = (String::new(), BTreeSet::new());
    for (at, node, effect) in std::mem::take(&mut world.effects) {
        for line in lines(node, effect) {
            let shared = line.strip_prefix('*');
            if shared.is_none() || told.insert((at, line.clone())) {
                let line = shared.unwrap_or(&line);
                writeln!(text, "{:>5} ms  {line}", at.since(began).as_millis()).unwrap();
            }
        }
    }
    text
}

fn lines(node: NodeId, effect: ManagerEffect) -> Vec<String> {
    match effect {
        ManagerEffect::Note(note) => note_lines(name(node), note),
        ManagerEffect::Reply { reply, .. } => vec![format!("{} answers {reply:?}", name(node))],
        ManagerEffect::Leave { why } => vec![format!("{} leaves — {why}", name(node))],
        ManagerEffect::Store { .. }
        | ManagerEffect::Operate(_)
        | ManagerEffect::AskTargets { .. }
        | ManagerEffect::Claim(_) => Vec::new(),
    }
}

fn note_lines(node: &str, note: ManagerNote) -> Vec<String> {
    match note {
        ManagerNote::PlanAgreed { steps, .. } => std::iter::once("*plan".to_owned())
            .chain(steps.into_iter().map(|step| format!("*  {step}")))
            .collect(),
        ManagerNote::StandingStill { reason, .. } if reason.ends_with("under way") => Vec::new(),
        ManagerNote::StandingStill { reason, .. } => vec![format!("*{reason}")],
        ManagerNote::PlanVoided { group, cause } => vec![format!("*plan for {group} void: {cause}")],
        ManagerNote::PlanDiverged { .. } | ManagerNote::StateDiverged { .. } => {
            vec![format!("{node} DIVERGED")]
        }
        ManagerNote::Cleared { group, proofs, waited, .. } => {
            let proofs: Vec<_> = proofs
                .into_iter()
                .map(|(other, proof)| format!("{} {}", name(other), proof.split(" (").next().unwrap()))
                .collect();
            vec![format!("{node} is cleared to acquire {group}: {}; waited {waited}", proofs.join(", "))]
        }
        ManagerNote::StepDone { resource, verb, took, .. } => {
            vec![format!("{node}: {} {resource} done in {took}", word(verb))]
        }
        ManagerNote::StepFailed { resource, verb, why, .. } => {
            vec![format!("{node}: {} {resource} FAILED: {why}", word(verb))]
        }
        ManagerNote::GroupChanged { group, to: "stuck", cause, .. } => {
            vec![format!("{node}: {group} stuck: {cause}")]
        }
        ManagerNote::GroupChanged { group, from, to, .. } if from != "probing" => {
            vec![format!("{node}: {group} {from} -> {to}")]
        }
        ManagerNote::Readopted { group, .. } => vec![format!("{node} finds {group} running and keeps it")],
        ManagerNote::RestartedInPlace { resource, restart, limit, why, .. } => {
            vec![format!("{node}: restart {restart} of {limit} of {resource} in place: {why}")]
        }
        ManagerNote::RestartsExhausted { resource, .. } => {
            vec![format!("{node}: {resource} has used up its restarts")]
        }
        ManagerNote::LettingGo { group, .. } => vec![format!("{node} lets {group} go: its lease runs out")],
        ManagerNote::Activated { version, .. } => vec![format!("{node}: version {version} is active")],
        ManagerNote::PlanRefused { cause } => vec![format!("*plan refused: {cause}")],
        ManagerNote::Formed { generation, few, without, by, why } => {
            let (few, without) = (names(few), names(without));
            vec![format!("{node}: {by} forms generation {generation} of {few} without {without}: {why}")]
        }
        ManagerNote::TieClaimed { claim } => {
            vec![format!("{node}: {} claim generation {}", names(claim.half), claim.generation)]
        }
        ManagerNote::TieJudged { claim, verdict } => {
            vec![format!("{node}: the claim of {} is {verdict:?}", names(claim.half))]
        }
        ManagerNote::FormedWithoutUs { generation } => {
            vec![format!("{node}: generation {generation} was formed without it, all it holds goes")]
        }
        ManagerNote::TimingsChanged { cause, detect, lease } => {
            let why = match cause {
                StretchCause::Stall(stall) => {
                    format!("{} stood still for {}", name(stall.node), stall.length)
                }
                StretchCause::Calm => "all is calm".to_owned(),
                StretchCause::Operator => "an operator asked".to_owned(),
                StretchCause::Met => "the others had".to_owned(),
            };
            vec![format!("*detection {detect}, leases {lease}: {why}")]
        }
        ManagerNote::TimingsSettled { detect, .. } => vec![format!("*all go by detection {detect}")],
        ManagerNote::CharterChanged { charter } => {
            let (down, generation) = (charter.confirmed_down, charter.generation);
            let decides = match (charter.few(), charter.stage) {
                (Some(few), CharterStage::Settled(_)) => format!("{} decides", names(few)),
                (Some(few), CharterStage::Passing { .. }) => {
                    format!("{} decides with a majority", names(few))
                }
                (None, CharterStage::Settled(now)) => format!("{} decides", most(now)),
                (None, CharterStage::Passing { from, to }) => {
                    format!("{} and {} decide", most(from), most(to))
                }
            };
            let down = if down.is_empty() {
                String::new()
            } else {
                format!("; {} is down by the operator's word", names(down))
            };
            vec![format!("{node}: generation {generation}: {decides}{down}")]
        }
        ManagerNote::VersionLost { version, .. } => vec![format!("{node}: version {version} is LOST")],
        ManagerNote::AdapterDown { cause, .. } => vec![format!("{node}: adapter down: {cause}")],
        ManagerNote::AdapterVouched { .. } => vec![format!("{node}: adapter works, a target answers")],
        ManagerNote::AdapterUp { settles_in, .. } => {
            vec![format!("{node}: adapter up, relied on again in {settles_in}")]
        }
        ManagerNote::NetworkDown { node, .. } => vec![format!("*network down {}", at(node))],
        ManagerNote::NetworkUp { node, .. } => vec![format!("*network up {}", at(node))],
        ManagerNote::SwapAdapter { resource, cause, .. } => {
            vec![format!("{node}: {resource} is put on a good adapter: {cause}")]
        }
        ManagerNote::AdapterSwapped { resource, interface, .. } => {
            vec![format!("{node}: {resource} is on {interface} now")]
        }
        ManagerNote::AddressAstray { resource, cause, .. } => {
            vec![format!("{node}: {resource} is astray: {cause}")]
        }
        ManagerNote::GroupChanged { .. }
        | ManagerNote::Probed { .. }
        | ManagerNote::PlanProposed { .. }
        | ManagerNote::PlanFinished { .. }
        | ManagerNote::StepBegun { .. }
        | ManagerNote::MonitorFailed { .. }
        | ManagerNote::RequestBegun { .. }
        | ManagerNote::RequestEnded { .. }
        | ManagerNote::InStep { .. }
        | ManagerNote::StateAdopted { .. }
        | ManagerNote::ChangeAcknowledged { .. }
        | ManagerNote::ShutdownBegun { .. }
        | ManagerNote::Reached { .. } => Vec::new(),
    }
}

fn most(majority: Majority) -> String {
    majority.only().map_or("a majority".to_owned(), |nodes| format!("a majority of {}", names(nodes)))
}

fn names(nodes: NodeSet) -> String {
    nodes.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn at(node: Option<NodeId>) -> String {
    node.map_or("everywhere".to_owned(), |node| format!("on {}", name(node)))
}

fn word(verb: Verb) -> &'static str {
    match verb {
        Verb::Probe => "probe",
        Verb::Scout => "scout",
        Verb::Start(_) => "start",
        Verb::Stop => "stop",
        Verb::Kill => "kill",
        Verb::Monitor => "monitor",
    }
}
