//! The words of a story: prose, `group …` lines, and `> command` lines each followed by what it led to.

use crate::cluster::{self, node};
use crate::tell::tell;
use crate::world::World;
use phalanx_conduct::{ManagerInput, PlannerLevel, Request};
use phalanx_events::ShutdownCause;
use phalanx_membership::Hearing;
use phalanx_types::{GroupName, NodeId, RequestId, Span};
use std::collections::BTreeSet;
use std::fmt::Write;

const AFTER_EACH: Span = Span::from_secs(3);

/// Plays a story and gives it back with what it led to.
pub fn play(written: &str) -> String {
    let groups: Vec<_> = written.lines().filter(|line| line.starts_with("group ")).collect();
    let mut world = World::new(cluster::of(&groups));
    let (mut played, mut asked) = (String::new(), 0);
    let mut in_output = false;
    for line in written.lines() {
        in_output &= !line.is_empty();
        if in_output && !line.starts_with("> ") {
            continue;
        }
        writeln!(played, "{line}").unwrap();
        if let Some(command) = line.strip_prefix("> ") {
            asked += 1;
            played.push_str(&obey(&mut world, command, asked));
            in_output = true;
        }
    }
    played
}

fn obey(world: &mut World, command: &str, asked: u64) -> String {
    let began = world.now;
    let words: Vec<_> = command.split_whitespace().collect();
    let wait = act(world, &words, RequestId(asked));
    world.run(wait);
    tell(world, began) + &where_things_are(world)
}

/// Does what a command says; gives how long to watch.
fn act(world: &mut World, words: &[&str], id: RequestId) -> Span {
    match words {
        ["start", "all"] => cluster::NODES.iter().for_each(|name| world.start(node(name))),
        ["start", one, two, "and", "isolate", name, "after", millis, "ms"] => {
            [one, two].into_iter().for_each(|name| world.start(node(name)));
            world.run(Span::from_millis(millis.parse().unwrap()));
            isolate(world, node(name));
        }
        ["start", names @ ..] => names.iter().for_each(|name| world.start(node(name))),
        ["crash", name, "and", "heal"] => {
            world.crash(node(name));
            world.heal();
        }
        ["crash", name] => world.crash(node(name)),
        ["kill", "daemon", name] => world.kill_daemon(node(name)),
        ["kill", "daemon", name, "and", "restart", "it", "after", millis, "ms"] => {
            world.kill_daemon(node(name));
            world.run(Span::from_millis(millis.parse().unwrap()));
            world.start(node(name));
        }
        ["break", "the", "deadman", "of", name] => {
            world.host(node(name)).deadman = false;
            world.two_owners_expected = true;
        }
        ["freeze", name] => world.freeze(node(name)),
        ["thaw", name] => world.thaw(node(name)),
        ["isolate", name] => isolate(world, node(name)),
        ["heal"] => world.heal(),
        ["application", "of", group, "dies"] => world.application_dies(&named(group)),
        ["unplug", name] => world.set_adapter(node(name), 0, false),
        ["plug", name] => world.set_adapter(node(name), 0, true),
        ["plug", "second", "adapter", "of", name] => world.set_adapter(node(name), 1, true),
        ["blink", name, "for", millis, "ms"] => {
            world.set_adapter(node(name), 0, false);
            world.run(Span::from_millis(millis.parse().unwrap()));
            world.set_adapter(node(name), 0, true);
        }
        ["take", "addresses", "off", name] => world.take_addresses(node(name)),
        ["switch", "dies"] => {
            cluster::NODES.iter().for_each(|name| world.hear(node(name), Hearing::NobodyHere));
        }
        ["switch", "is", "back"] => {
            cluster::NODES.iter().for_each(|name| world.hear(node(name), Hearing::Somebody));
        }
        [name, "stands", "still", "for", millis, "ms"] => {
            let length = Span::from_millis(millis.parse().unwrap());
            world.step(node(name), ManagerInput::StoodStill(length));
        }
        [name, "reaches", "nobody"] => world.hear(node(name), Hearing::NobodyHere),
        [name, "reaches", "somebody"] => world.hear(node(name), Hearing::Somebody),
        ["another", "host", "takes", address] => {
            for host in world.hosts.values_mut() {
                host.taken.insert(address.parse().unwrap());
            }
            return Span::ZERO;
        }
        ["wait", seconds, "s"] => return Span::from_secs(seconds.parse().unwrap()),
        ["let", "start", "of", resource, "fail", times, "times", "on", name] => {
            world.host(node(name)).bad_starts.insert(resource.parse().unwrap(), times.parse().unwrap());
            return Span::ZERO;
        }
        ["let", "stop", "of", resource, "fail", "on", name] => {
            world.host(node(name)).bad_stops.insert(resource.parse().unwrap());
            return Span::ZERO;
        }
        ["let", "start", "of", resource, "lie", "on", name] => {
            world.host(node(name)).lying_starts.insert(resource.parse().unwrap());
            return Span::ZERO;
        }
        ["mend", name] => {
            world.host(node(name)).lying_starts.clear();
            world.host(node(name)).objects = false;
            world.host(node(name)).bad_stops.clear();
            world.host(node(name)).bad_starts.clear();
            return Span::from_secs(15);
        }
        ["upgrade", name] => {
            world.host(node(name)).planner = PlannerLevel(PlannerLevel::LATEST.0 + 1);
            return Span::ZERO;
        }
        ["let", name, "object"] => {
            world.host(node(name)).objects = true;
            return Span::ZERO;
        }
        ["on", name, "apply", change @ .., "and", "crash", "it", "after", micros, "us"] => {
            apply(world, node(name), change, id);
            world.run(Span::from_micros(micros.parse().unwrap()));
            world.crash(node(name));
        }
        ["on", one, "and", other, "apply", first, "and", second] => {
            apply(world, node(one), &[first], id);
            apply(world, node(other), &[second], RequestId(id.0 + 1_000));
        }
        ["on", name, "apply", change @ ..] => apply(world, node(name), change, id),
        ["shut", "down", name] => world.step(node(name), ManagerInput::Shutdown(ShutdownCause::Asked)),
        ["on", name, request @ ..] => ask(world, node(name), request, id),
        other => panic!("no such command: {}", other.join(" ")),
    }
    AFTER_EACH
}

/// Applies the cluster's own file with some words exchanged: `fallback:never`, `cyd:dan` …
fn apply(world: &mut World, at: NodeId, change: &[&str], id: RequestId) {
    let mut text = world.cluster.to_toml();
    for words in change {
        let (key, value) = words.split_once(':').unwrap_or_else(|| panic!("{words:?} is not KEY:VALUE"));
        text = match key {
            "without" => without(&text, value),
            "fallback" => text
                .lines()
                .map(|line| match line.starts_with("fallback") {
                    true => format!("fallback = \"{value}\"\n"),
                    false => format!("{line}\n"),
                })
                .collect(),
            _ => text.replace(key, value),
        };
    }
    world.step(at, ManagerInput::Asked { id, request: Request::Apply { text } });
}

/// The text without one group.
fn without(text: &str, group: &str) -> String {
    let mut kept = true;
    let keep = |line: &&str| {
        if line.starts_with('[') {
            kept = !line.starts_with(&format!("[group.{group}"));
        }
        kept
    };
    text.lines().filter(keep).map(|line| format!("{line}\n")).collect()
}

fn isolate(world: &mut World, node: NodeId) {
    let alone = BTreeSet::from([node]);
    let rest = world.hosts.keys().copied().filter(|other| *other != node).collect();
    world.part(vec![alone, rest]);
}

fn ask(world: &mut World, at: NodeId, words: &[&str], id: RequestId) {
    let request = match words {
        ["shrink", "timings"] => Request::ShrinkTimings,
        ["move", group, "to", to] => Request::Move { group: named(group), to: node(to) },
        ["restore", group] => Request::Restore { group: named(group) },
        ["online", group] => Request::Online { group: named(group) },
        ["offline", group] => Request::Offline { group: named(group) },
        ["form", "alone"] => Request::Form { by: "root".into(), why: "the others are off".into() },
        other => panic!("no such request: {}", other.join(" ")),
    };
    world.step(at, ManagerInput::Asked { id, request });
}

fn named(group: &str) -> GroupName {
    group.parse().unwrap()
}

/// Where each group is active, and what the first daemon says of it.
fn where_things_are(world: &World) -> String {
    let mut text = String::new();
    let asked = world.hosts.values().find_map(|host| host.manager.as_ref());
    let Some(status) = asked.map(|manager| manager.status(world.now)) else { return text };
    for (group, known) in &status.groups {
        let owners = world.owners(group);
        let owners = if owners.is_empty() { "nowhere".to_owned() } else { owners.join(", ") };
        let word = format!("{:?}", known.state).to_lowercase();
        writeln!(text, "= {group} is active on: {owners}; {} says {word}: {}", status.node, known.reason)
            .unwrap();
    }
    text
}
