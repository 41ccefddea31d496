//! The text of a story, taken apart and put together again.

use crate::setting::{Group, Setting};
use phalanx_groups::domain::{Attributes, Batch, DefaultVote, Merge, Name, Phases};
use phalanx_model::Quorum;
use phalanx_types::{Monitoring, NodeId, Span, TimingProfile};
use std::collections::BTreeMap;
use std::ops::Range;

/// Fewest and most nodes of a story.
const NODES: std::ops::RangeInclusive<usize> = 1..=7;
/// Most ways for frames, over all networks and adapters.
const LANES_MAX: usize = 8;

/// What is wrong with a text, and in which line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub words: String,
}

/// A command, and what it is expected to lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// Where the command stands, from 0.
    pub line: usize,
    /// What happens, one after the other.
    pub command: String,
    /// The lines below it.
    pub expected: Range<usize>,
}

/// A story that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    lines: Vec<String>,
    /// The cluster, but for its monitoring.
    pub setting: Setting,
    /// How nodes watch each other: the story is played once with each.
    pub monitorings: Vec<Monitoring>,
    /// What clients take their groups for.
    pub groups: BTreeMap<Name, Attributes>,
    /// How many millionths the clocks of nodes gain.
    pub clocks: BTreeMap<NodeId, i64>,
    /// The commands.
    pub beats: Vec<Beat>,
}

/// Splits a text into words.
pub fn words_of(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

/// A span of time: `300 ms`, `2 s`.
pub fn span(number: &str, unit: &str) -> Result<Span, String> {
    let count: u64 = number.parse().map_err(|_| format!("{number:?} is not a number"))?;
    match unit {
        "us" => Ok(Span::from_micros(count)),
        "ms" => Ok(Span::from_millis(count)),
        "s" => Ok(Span::from_secs(count)),
        other => Err(format!("a time is told in us, ms or s, not in {other:?}")),
    }
}

impl Script {
    /// Reads a story.
    pub fn read(text: &str) -> Result<Script, Fault> {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let beats = beats(&lines);
        let head = beats.first().map_or(lines.len(), |beat| beat.line);
        let mut script = Script {
            setting: Setting::named(Vec::new(), vec!["lan".into()]),
            monitorings: vec![Monitoring::Mesh, Monitoring::Ring],
            groups: BTreeMap::new(),
            clocks: BTreeMap::new(),
            beats,
            lines,
        };
        let fault = |line: usize| move |words: String| Fault { line: line + 1, words };
        for line in 0..head {
            let text = script.lines[line].clone();
            if let Some((key, value)) = text.split_once(": ") {
                script.set(key, value).map_err(fault(line))?;
            }
        }
        script.whole().map_err(fault(0))?;
        Ok(script)
    }

    /// Whether it has all that a story needs.
    fn whole(&self) -> Result<(), String> {
        let prose = |line: usize| self.lines.get(line).is_some_and(|text| !text.trim().is_empty());
        if !prose(0) || !prose(1) {
            return Err("a story begins with a title and, below it, a sentence on what is seen".into());
        }
        if !NODES.contains(&self.setting.nodes) {
            return Err("a story has a cluster of 1 to 7 nodes: `cluster: ada bob cyd`".into());
        }
        if self.setting.lanes() > LANES_MAX {
            return Err(format!("more than {LANES_MAX} adapters of one node"));
        }
        if self.beats.is_empty() {
            return Err("nothing happens: a command is a line that begins with `> `".into());
        }
        let fault = |faults: Vec<phalanx_model::Fault>| {
            faults.iter().map(|fault| fault.what.clone()).collect::<Vec<_>>().join("; ")
        };
        phalanx_model::parse("story", &self.setting.text()).map(drop).map_err(fault)
    }

    /// Takes in a line of the form `key: value`; any other is prose.
    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let names = || words_of(value).into_iter().map(str::to_owned).collect::<Vec<_>>();
        match words_of(key)[..] {
            ["cluster"] => (self.setting.nodes, self.setting.node_names) = (names().len(), names()),
            ["networks"] => (self.setting.networks, self.setting.network_names) = (names().len(), names()),
            ["subnets", network] => self.subnets(network, value)?,
            ["adapters"] => {
                self.setting.adapters = value.parse().map_err(|_| format!("{value:?} is not a number"))?;
            }
            ["targets"] => self.setting.targets = targets(value)?,
            ["timing"] => self.setting.timing = timing(value)?,
            ["grace"] => self.setting.grace = Some(grace(value)?),
            ["tie-breaker"] => self.setting.tie_breaker = tie_breaker(value)?,
            ["quorum"] => self.setting.quorum = quorum(value)?,
            ["monitoring"] => self.monitorings = vec![monitoring(value)?],
            ["group", name] => self.resource_group(name, value)?,
            ["providers", name] => {
                let name = Name::new(name).map_err(|unfit| format!("{unfit:?}"))?;
                self.groups.insert(name, attributes(value)?);
            }
            ["clock", name] => {
                let node = self.node(name)?;
                self.clocks.insert(node, clock(value)?);
            }
            _ => {}
        }
        Ok(())
    }

    /// `ada bob | cyd`: which nodes are in one subnet of a network. Each is named once.
    fn subnets(&mut self, network: &str, value: &str) -> Result<(), String> {
        let known = self.setting.network_names.iter().position(|name| name == network);
        let network = known.ok_or_else(|| format!("{network:?} is no network of the cluster"))?;
        let mut seats: BTreeMap<NodeId, u8> = BTreeMap::new();
        for (subnet, names) in (0..).zip(value.split(" | ")) {
            for name in words_of(names) {
                if seats.insert(self.node(name)?, subnet).is_some() {
                    return Err(format!("{name:?} is in two subnets"));
                }
            }
        }
        if seats.len() != self.setting.nodes {
            return Err("each node is in one of the subnets".into());
        }
        self.setting.routed.insert(network, seats.into_values().collect());
        Ok(())
    }

    fn resource_group(&mut self, name: &str, value: &str) -> Result<(), String> {
        let (nodes, falls_back) = match value.strip_suffix(", no fallback") {
            Some(nodes) => (nodes, false),
            None => (value, true),
        };
        let nodes = words_of(nodes).into_iter().map(|name| self.node(name)).collect::<Result<_, _>>()?;
        self.setting.groups.push(Group::new(name, nodes, false, falls_back));
        Ok(())
    }

    /// The node of this name.
    pub fn node(&self, name: &str) -> Result<NodeId, String> {
        let known = self.setting.node_ids().find(|node| self.setting.name_of(*node) == name);
        known.ok_or_else(|| format!("{name:?} is no node of the cluster"))
    }

    /// What is expected of a command.
    pub fn expected(&self, beat: &Beat) -> &[String] {
        &self.lines[beat.expected.clone()]
    }

    /// The command that nothing is expected of, not even that nothing is said.
    pub fn unexpected(&self) -> Option<&Beat> {
        self.beats.iter().find(|beat| beat.expected.is_empty())
    }

    /// The text with other lines below its commands.
    pub fn with(&self, outcomes: &[Vec<String>]) -> String {
        let (mut text, mut next) = (Vec::new(), 0);
        for (beat, outcome) in self.beats.iter().zip(outcomes) {
            text.extend_from_slice(&self.lines[next..=beat.line]);
            text.extend_from_slice(outcome);
            next = beat.expected.end;
        }
        text.extend_from_slice(&self.lines[next..]);
        text.join("\n") + "\n"
    }
}

/// The commands of a text. What stands below one belongs to it, up to an empty line or the next.
fn beats(lines: &[String]) -> Vec<Beat> {
    let command = |line: &usize| lines[*line].starts_with("> ");
    let beat = |line: usize| {
        let below = line + 1..lines.len();
        let end = below.clone().find(|line| lines[*line].is_empty() || command(line));
        Beat { line, command: lines[line][2..].to_owned(), expected: below.start..end.unwrap_or(below.end) }
    };
    (0..lines.len()).filter(command).map(beat).collect()
}

fn timing(word: &str) -> Result<TimingProfile, String> {
    match word {
        "fast" => Ok(TimingProfile::Fast),
        "auto" => Ok(TimingProfile::Auto),
        "relaxed" => Ok(TimingProfile::Relaxed),
        other => Err(format!("timing is fast, auto or relaxed, not {other:?}")),
    }
}

fn targets(word: &str) -> Result<bool, String> {
    match word {
        "routers" => Ok(true),
        "none" => Ok(false),
        other => Err(format!("targets are routers, one on each network, or none, not {other:?}")),
    }
}

fn quorum(word: &str) -> Result<Quorum, String> {
    match word {
        "majority" => Ok(Quorum::Majority),
        "dynamic" => Ok(Quorum::Dynamic),
        other => Err(format!("quorum is majority or dynamic, not {other:?}")),
    }
}

fn grace(value: &str) -> Result<Span, String> {
    match words_of(value)[..] {
        [number, unit] => span(number, unit),
        _ => Err(format!("grace is a number and a unit, and none if it is not told, not {value:?}")),
    }
}

fn tie_breaker(word: &str) -> Result<bool, String> {
    match word {
        "yes" => Ok(true),
        other => Err(format!("tie-breaker is yes, and there is none if it is not told, not {other:?}")),
    }
}

fn monitoring(word: &str) -> Result<Monitoring, String> {
    match word {
        "mesh" => Ok(Monitoring::Mesh),
        "ring" => Ok(Monitoring::Ring),
        other => Err(format!("monitoring is mesh or ring, and both if it is not told, not {other:?}")),
    }
}

fn clock(value: &str) -> Result<i64, String> {
    let millionths = |number: &str| number.parse().map_err(|_| format!("{number:?} is not a number"));
    match words_of(value)[..] {
        ["gains", number, "ppm"] => millionths(number),
        ["loses", number, "ppm"] => millionths(number).map(|number: i64| -number),
        _ => Err("a clock gains or loses some ppm".into()),
    }
}

/// Reads `voted 2 s, default approve, batch both, source disk, reflected 1 s`.
pub fn attributes(text: &str) -> Result<Attributes, String> {
    let mut attributes = Attributes::default();
    for part in text.split(", ") {
        match words_of(part)[..] {
            ["not", "voted"] => attributes.membership = Phases::One,
            ["voted", number, unit] => attributes.membership = Phases::Many { limit: span(number, unit)? },
            ["reflected", number, unit] => {
                attributes.reflection = Phases::Many { limit: span(number, unit)? };
            }
            ["default", "approve"] => attributes.default_vote = DefaultVote::Approve,
            ["default", "reject"] => attributes.default_vote = DefaultVote::Reject,
            ["deactivates", "failures"] => attributes.deactivate_on_failure = true,
            ["batch", "joins"] => attributes.batch = Batch::Joins,
            ["batch", "leaves"] => attributes.batch = Batch::Leaves,
            ["batch", "both"] => attributes.batch = Batch::Both,
            ["merge", "larger"] => attributes.merge = Merge::Larger,
            ["merge", "smaller"] => attributes.merge = Merge::Smaller,
            ["merge", "dissolve"] => attributes.merge = Merge::Dissolve,
            ["source", name] => {
                attributes.source = Some(Name::new(name).map_err(|unfit| format!("{unfit:?}"))?);
            }
            ["version", number] => {
                attributes.client_version =
                    number.parse().map_err(|_| format!("{number:?} is not a number"))?;
            }
            _ => return Err(format!("{part:?} is no attribute of a group")),
        }
    }
    Ok(attributes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "A title\nA sentence.\n\ncluster: ada bob cyd\ntiming: fast\n\n> start all\n  nothing\n\nProse.\n\n> wait 2 s\n> crash ada\n  0.5 s  bob: alone\n";

    #[test]
    fn a_story_is_put_together_as_it_was_with_other_outcomes() {
        let script = Script::read(TEXT).expect("it is a story");
        assert_eq!(script.setting.node_names, ["ada", "bob", "cyd"]);
        let commands: Vec<_> = script.beats.iter().map(|beat| beat.command.as_str()).collect();
        assert_eq!(commands, ["start all", "wait 2 s", "crash ada"]);
        assert_eq!(script.unexpected().map(|beat| beat.line), Some(11));
        let outcomes: Vec<Vec<String>> =
            script.beats.iter().map(|beat| script.expected(beat).to_vec()).collect();
        assert_eq!(script.with(&outcomes), TEXT);
    }

    #[test]
    fn a_network_may_have_subnets() {
        let script = |subnets| Script::read(&TEXT.replace("timing: fast", subnets));
        let routed = script("subnets lan: cyd | ada bob").map(|script| script.setting.routed);
        assert_eq!(routed, Ok([(0, vec![1, 1, 0])].into()));
        for wrong in ["subnets lan: ada | bob", "subnets lan: ada bob | cyd bob", "subnets net: ada bob cyd"]
        {
            assert!(script(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let fault = |text: &str| Script::read(text).expect_err("it is no story");
        assert_eq!(fault("A title\n\n> start all\n").line, 1);
        assert_eq!(fault("A title\nA sentence.\n\ntiming: soon\n> start all\n").line, 4);
        assert!(fault("A title\nA sentence.\n> start all\n").words.contains("cluster"));
    }
}
