//! What can happen in a story: a command's words, read, and done to the world.

use super::clients::Habit;
use super::script::{Script, attributes, span, words_of};
use crate::core::Cores;
use crate::disk::DiskHealth;
use crate::net::{Link, NodeMask, QUIET, Trouble};
use crate::power::LATER;
use crate::random::MILLION;
use crate::world::{Happening, World};
use phalanx_conduct::{PlannerLevel, Request};
use phalanx_events::Service;
use phalanx_groups::Vote;
use phalanx_groups::domain::{
    Attributes, Change, Deactivation, Flag, LocalName, Message, Name, Phases, Proposal, ProviderId, Said,
    StateValue,
};
use phalanx_groups::services::{ClientAct, ClientId};
use phalanx_types::Span;
use std::collections::BTreeSet;

/// Longer than any story.
const FOR_GOOD: Span = Span::from_secs(24 * 60 * 60);
/// What frames are late by, if that is all that is told.
const LATE: Span = Span::from_millis(30);

/// A part of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// How long after the part before.
    pub after: Span,
    /// How long it is watched, if it says so.
    pub watched: Option<Span>,
    deed: Deed,
}

/// What is done. Hosts count from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Deed {
    Wait,
    Start(Vec<usize>),
    Crash(Vec<usize>),
    KillDaemon { host: usize, back: Span },
    Pause { host: usize, span: Span },
    Freeze { host: usize, span: Span, clock_stands: bool },
    Stop { host: usize, back: Span },
    Disk { host: usize, health: DiskHealth },
    Deadman { host: usize, gone: bool },
    TieBreaker { gone: bool },
    Install { host: usize, planner: PlannerLevel },
    Trouble { troubles: Vec<Trouble>, lasts: Option<Span> },
    Flap { troubles: Vec<Trouble>, times: u32, each: Span },
    Unplug { host: usize, lane: u8, silent: bool },
    Plug { host: usize, lane: u8 },
    Heal,
    Ask { host: usize, request: Request },
    Habit { seats: Option<(usize, i16)>, habit: Habit },
    Client { host: usize, instance: i16, deed: ClientDeed },
}

/// What a client does.
#[derive(Clone, Debug, PartialEq, Eq)]
enum ClientDeed {
    Join(Name, Attributes),
    Propose { group: Name, change: Proposed, phases: Phases, times: u32 },
    Vote { vote: Vote, said: Said },
    Act(ClientAct),
}

/// What it proposes; who is to be put out is known when it does.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Proposed {
    State(StateValue),
    Message(Message, Service),
    Leave,
    Expel { seats: Vec<(usize, i16)>, deactivate: bool },
    Attributes(Attributes),
}

impl Act {
    /// Reads a part of a command.
    pub fn read(script: &Script, text: &str) -> Result<Act, String> {
        let mut words = words_of(text);
        let mut after = Span::ZERO;
        if let ["after", number, unit, ..] = words[..] {
            after = span(number, unit)?;
            words.drain(..3);
        }
        let watched = match words[..] {
            ["wait", number, unit] => Some(span(number, unit)?),
            _ => None,
        };
        let reader = Reader { script };
        let deed = match reader.provider(words[0]) {
            Some(seat) => reader.client(seat, &words[1..])?,
            None => reader.cluster(&words)?,
        };
        Ok(Act { after, watched, deed })
    }

    /// Does it.
    pub fn happen(self, world: &mut World<Cores>) -> Result<(), String> {
        match self.deed {
            Deed::Wait => {}
            Deed::Start(hosts) => hosts.into_iter().for_each(|host| world.story_starts(host)),
            Deed::Crash(hosts) => hosts.into_iter().for_each(|host| world.crash_host(host, FOR_GOOD)),
            Deed::KillDaemon { host, back } => world.crash_daemon(host, back),
            Deed::Pause { host, span } => world.stop_daemon(host, span),
            Deed::Freeze { host, span, clock_stands } => world.freeze(host, span, clock_stands),
            Deed::Stop { host, back } => world.restart(host, back),
            Deed::Disk { host, health } => world.hosts[host].journal.set_health(health),
            Deed::Deadman { host, gone: true } => world.deadman_dies(host),
            Deed::Deadman { host, gone: false } => world.deadman_returns(host),
            Deed::TieBreaker { gone } => world.tie_breaker.go(gone),
            Deed::Install { host, planner } => world.hosts[host].planner = planner,
            Deed::Trouble { troubles, lasts } => world.story_trouble(troubles, Span::ZERO, lasts),
            Deed::Flap { troubles, times, each } => {
                for time in 0..times {
                    world.story_trouble(troubles.clone(), each * u64::from(2 * time), Some(each));
                }
            }
            Deed::Unplug { host, lane, silent } => {
                world.adapter_dies(fault_of(host, lane), host, lane, silent);
            }
            Deed::Plug { host, lane } => {
                world.lift(host, fault_of(host, lane));
                world.plug(host, fault_of(host, lane), lane);
            }
            Deed::Heal => {
                world.net.calm();
                world.tell_links(0);
            }
            Deed::Ask { host, request } => world.ask(host, request),
            Deed::Habit { seats, habit } => world.story_habit(seats, habit),
            Deed::Client { host, instance, deed } => return world.story_client(host, instance, deed),
        }
        Ok(())
    }
}

/// Names the trouble of an adapter that is unplugged.
fn fault_of(host: usize, lane: u8) -> u32 {
    1_000_000 + (host as u32) * 100 + u32::from(lane)
}

impl World<Cores> {
    /// A host gets power, or its daemon is started.
    fn story_starts(&mut self, host: usize) {
        let boot = self.hosts[host].boots;
        match self.hosts[host].up {
            false => self.later(Span::ZERO, Happening::PowersOn { host: host as u8, boot }),
            true => self.start_daemon_after(host, Span::ZERO),
        }
    }

    /// The networks are in trouble, now or in a while, for good or for a while.
    fn story_trouble(&mut self, troubles: Vec<Trouble>, after: Span, lasts: Option<Span>) {
        self.troubles += 1;
        let id = self.troubles;
        match after {
            Span::ZERO => self.lay(0, id, &troubles),
            _ => self.later(after, Happening::TroubleBegins { id, troubles }),
        }
        if let Some(lasts) = lasts {
            self.later(after + lasts, Happening::TroubleEnds { id });
        }
    }

    fn story_habit(&mut self, seat: Option<(usize, i16)>, habit: Habit) {
        let Some(manners) = &mut self.manners else { return };
        match seat {
            Some(seat) => {
                manners.habits.insert(seat, habit);
            }
            None => manners.all(habit),
        }
    }

    /// A client does something; a host without a daemon has none.
    fn story_client(&mut self, host: usize, instance: i16, deed: ClientDeed) -> Result<(), String> {
        let start = self.hosts[host].starts;
        if self.hosts[host].living(start).is_none() {
            return Err(format!("no daemon runs on {}", self.setting.node_names[host]));
        }
        for act in self.acts(host, instance, deed)? {
            self.client_does(host, start, ClientId(instance as u64), act);
        }
        Ok(())
    }

    fn acts(&self, host: usize, instance: i16, deed: ClientDeed) -> Result<Vec<ClientAct>, String> {
        match deed {
            ClientDeed::Act(act) => Ok(vec![act]),
            ClientDeed::Join(group, attributes) => {
                let local = LocalName::default();
                Ok(vec![ClientAct::Join { group, instance, local, attributes }])
            }
            ClientDeed::Vote { vote, said } => {
                let asked = self.manners.as_ref().and_then(|manners| manners.asked.get(&(host, instance)));
                let asked = asked.ok_or("it was never asked for a vote")?.clone();
                let (group, protocol, phase) = (asked.group, asked.protocol, asked.phase);
                Ok(vec![ClientAct::Vote { group, instance, protocol, phase, vote, said }])
            }
            ClientDeed::Propose { group, change, phases, times } => {
                let proposal = self.proposal(host, instance, change);
                let act = ClientAct::Propose { group, instance, proposal, phases };
                Ok(vec![act; times as usize])
            }
        }
    }

    fn proposal(&self, host: usize, instance: i16, change: Proposed) -> Proposal {
        let provider =
            |(host, instance): (usize, i16)| ProviderId { life: self.hosts[host].life(), instance };
        let bare = |change| Proposal { change, state: None, message: None };
        match change {
            Proposed::State(value) => Proposal { state: Some(value), ..bare(Change::State) },
            Proposed::Message(message, service) => {
                Proposal { message: Some(message), ..bare(Change::Message(service)) }
            }
            Proposed::Leave => bare(Change::Leave { provider: provider((host, instance)), code: 0 }),
            Proposed::Attributes(attributes) => bare(Change::Attributes(attributes)),
            Proposed::Expel { seats, deactivate } => {
                let providers: BTreeSet<_> = seats.into_iter().map(provider).collect();
                let deactivate =
                    deactivate.then(|| Deactivation { flag: Flag::default(), limit: Span::from_secs(5) });
                bare(Change::Expel { providers, deactivate })
            }
        }
    }
}

/// Reads words about this story's cluster.
struct Reader<'a> {
    script: &'a Script,
}

impl Reader<'_> {
    fn host(&self, name: &str) -> Result<usize, String> {
        self.script.node(name).map(|node| usize::from(node.0) - 1)
    }

    fn hosts(&self, names: &[&str]) -> Result<Vec<usize>, String> {
        match names {
            ["all"] => Ok((0..self.script.setting.nodes).collect()),
            names => names.iter().map(|name| self.host(name)).collect(),
        }
    }

    fn mask(&self, names: &[&str]) -> Result<NodeMask, String> {
        Ok(self.hosts(names)?.into_iter().fold(0, |mask, host| mask | 1 << host))
    }

    fn network(&self, name: &str) -> Result<usize, String> {
        let known = self.script.setting.network_names.iter().position(|network| network == name);
        known.ok_or_else(|| format!("{name:?} is no network of the cluster"))
    }

    fn lane(&self, network: &str, adapter: usize) -> Result<u8, String> {
        let (setting, network) = (&self.script.setting, self.network(network)?);
        if adapter >= setting.adapters {
            return Err(format!("no node has so many adapters on {}", setting.network_names[network]));
        }
        Ok(setting.lane(network, adapter) as u8)
    }

    /// Every lane of this network; of all, if none is told.
    fn lanes(&self, network: Option<&str>) -> Result<u8, String> {
        let setting = &self.script.setting;
        let Some(network) = network else { return Ok(u8::MAX >> (8 - setting.lanes())) };
        let lanes = (0..setting.adapters).map(|adapter| self.lane(network, adapter));
        lanes.into_iter().try_fold(0, |mask, lane| Ok(mask | 1 << lane?))
    }

    /// `ada/1`: the provider with this instance number there.
    fn provider(&self, word: &str) -> Option<(usize, i16)> {
        let (name, instance) = word.split_once('/')?;
        Some((self.host(name).ok()?, instance.parse().ok()?))
    }

    fn providers(&self, words: &[&str]) -> Result<Vec<(usize, i16)>, String> {
        let provider = |word: &&str| {
            self.provider(word).ok_or_else(|| format!("{word:?} is no provider, such as ada/1"))
        };
        words.iter().map(provider).collect()
    }

    fn cluster(&self, words: &[&str]) -> Result<Deed, String> {
        let unknown = || format!("there is no such command: {}", words.join(" "));
        Ok(match words {
            ["wait", ..] => Deed::Wait,
            ["start", names @ ..] => Deed::Start(self.hosts(names)?),
            ["crash", names @ ..] => Deed::Crash(self.hosts(names)?),
            ["kill", "daemon", "of", name] => Deed::KillDaemon { host: self.host(name)?, back: FOR_GOOD },
            ["kill", "daemon", "of", name, "for", number, unit] => {
                Deed::KillDaemon { host: self.host(name)?, back: span(number, unit)? }
            }
            ["pause", name, "for", number, unit] => {
                Deed::Pause { host: self.host(name)?, span: span(number, unit)? }
            }
            ["freeze", name, "for", number, unit] => {
                Deed::Freeze { host: self.host(name)?, span: span(number, unit)?, clock_stands: false }
            }
            ["freeze", name, "and", "its", "clock", "for", number, unit] => {
                Deed::Freeze { host: self.host(name)?, span: span(number, unit)?, clock_stands: true }
            }
            ["shut", "down", name] => Deed::Stop { host: self.host(name)?, back: FOR_GOOD },
            ["shut", "down", name, "for", number, unit] => {
                Deed::Stop { host: self.host(name)?, back: span(number, unit)? }
            }
            ["disk", "of", name, health] => Deed::Disk { host: self.host(name)?, health: disk(health)? },
            ["deadman", "of", name, "dies"] => Deed::Deadman { host: self.host(name)?, gone: true },
            ["deadman", "of", name, "is", "back"] => Deed::Deadman { host: self.host(name)?, gone: false },
            ["the", "tie-breaker", "dies"] => Deed::TieBreaker { gone: true },
            ["the", "tie-breaker", "is", "back"] => Deed::TieBreaker { gone: false },
            ["upgrade", name] => Deed::Install { host: self.host(name)?, planner: LATER },
            ["downgrade", name] => Deed::Install { host: self.host(name)?, planner: PlannerLevel::LATEST },
            ["unplug", rest @ ..] => self.unplug(rest)?,
            ["plug", name, "into", network] => {
                Deed::Plug { host: self.host(name)?, lane: self.lane(network, 0)? }
            }
            ["heal"] => Deed::Heal,
            ["on", name, request @ ..] => {
                Deed::Ask { host: self.host(name)?, request: self.request(request)? }
            }
            ["let", "all", habit @ ..] => Deed::Habit { seats: None, habit: habit_of(habit)? },
            ["let", provider, habit @ ..] => {
                let seat = self.providers(&[provider])?[0];
                Deed::Habit { seats: Some(seat), habit: habit_of(habit)? }
            }
            ["flap", one, other, times, "times", "for", number, unit] => Deed::Flap {
                troubles: both_ways(u8::MAX, self.mask(&[one])?, self.mask(&[other])?, Link::CUT),
                times: times.parse().map_err(|_| unknown())?,
                each: span(number, unit)?,
            },
            _ => self.trouble(words)?,
        })
    }

    fn unplug(&self, words: &[&str]) -> Result<Deed, String> {
        let (words, silent) = match words {
            [words @ .., "silently"] => (words, true),
            words => (words, false),
        };
        match words {
            [name, "from", network] => {
                Ok(Deed::Unplug { host: self.host(name)?, lane: self.lane(network, 0)?, silent })
            }
            ["second", "adapter", "of", name, "from", network] => {
                Ok(Deed::Unplug { host: self.host(name)?, lane: self.lane(network, 1)?, silent })
            }
            _ => Err(format!("there is no such command: unplug {}", words.join(" "))),
        }
    }

    fn request(&self, words: &[&str]) -> Result<Request, String> {
        let named = |group: &str| group.parse().map_err(|_| format!("{group:?} is no name"));
        Ok(match words {
            ["form", "alone"] => Request::Form { by: "root".into(), why: "the others are off".into() },
            ["shrink", "timings"] => Request::ShrinkTimings,
            ["move", group, "to", to] => Request::Move { group: named(group)?, to: self.script.node(to)? },
            ["online", group] => Request::Online { group: named(group)? },
            ["offline", group] => Request::Offline { group: named(group)? },
            _ => return Err(format!("nobody can ask: {}", words.join(" "))),
        })
    }

    /// What is wrong with the networks: on one of them, if it is told, and for a while, if that is.
    fn trouble(&self, words: &[&str]) -> Result<Deed, String> {
        let (words, lasts) = match words {
            [words @ .., "for", number, unit] => (words, Some(span(number, unit)?)),
            words => (words, None),
        };
        let (words, network) = match words {
            [words @ .., "on", network] => (words, Some(*network)),
            words => (words, None),
        };
        let networks = self.lanes(network)?;
        let troubles = self.troubles(words, networks)?;
        Ok(Deed::Trouble { troubles, lasts })
    }

    fn troubles(&self, words: &[&str], networks: u8) -> Result<Vec<Trouble>, String> {
        let (unknown, all) = (|| format!("there is no such command: {}", words.join(" ")), !0);
        let number = |text: &str| text.parse::<u32>().map_err(|_| unknown());
        let everywhere = |link| vec![Trouble { networks, from: all, to: all, link }];
        Ok(match words {
            ["take", "down", network] => {
                let networks = self.lanes(Some(network))?;
                vec![Trouble { networks, from: all, to: all, link: Link::CUT }]
            }
            ["take", "down", "the", "routers", "of", network] => {
                let (networks, network) = (self.lanes(Some(network))?, self.network(network)?);
                let subnets = self.script.setting.sides(network);
                let cut =
                    |from: &NodeMask| Trouble { networks, from: *from, to: all & !from, link: Link::CUT };
                subnets.iter().map(cut).collect()
            }
            ["cut", "the", "way", "from", one, "to", "all"] => {
                vec![Trouble { networks, from: self.mask(&[one])?, to: all, link: Link::CUT }]
            }
            ["cut", "the", "way", "from", "all", "to", one] => {
                vec![Trouble { networks, from: all, to: self.mask(&[one])?, link: Link::CUT }]
            }
            ["cut", "the", "way", "from", one, "to", other] => {
                let (from, to) = (self.mask(&[one])?, self.mask(&[other])?);
                vec![Trouble { networks, from, to, link: Link::CUT }]
            }
            ["cut", one, "from", other] => {
                both_ways(networks, self.mask(&[one])?, self.mask(&[other])?, Link::CUT)
            }
            ["lose", "frames", "above", bytes, "bytes", "between", one, "and", other] => {
                let link = Link { largest: number(bytes)?, ..QUIET };
                both_ways(networks, self.mask(&[one])?, self.mask(&[other])?, link)
            }
            ["part", sides @ ..] => self.part(sides, networks)?,
            ["lose", percent, "%", "of", "frames"] => {
                everywhere(Link { loss: number(percent)? * MILLION / 100, ..QUIET })
            }
            ["double", percent, "%", "of", "frames"] => {
                everywhere(Link { duplicate: number(percent)? * MILLION / 100, ..QUIET })
            }
            ["shuffle", "frames"] => everywhere(Link { reorder: true, jitter: LATE.0, ..QUIET }),
            ["delay", "frames", "by", millis, "ms"] => {
                everywhere(Link { delay: Span::from_millis(number(millis)?.into()).0, ..QUIET })
            }
            _ => return Err(unknown()),
        })
    }

    /// `ada bob | cyd | dan`: nobody reaches anybody on another side.
    fn part(&self, words: &[&str], networks: u8) -> Result<Vec<Trouble>, String> {
        let sides = words.split(|word| *word == "|").map(|side| self.mask(side));
        let sides: Vec<NodeMask> = sides.collect::<Result<_, _>>()?;
        let cut = |side: &NodeMask| Trouble { networks, from: *side, to: !side, link: Link::CUT };
        Ok(sides.iter().map(cut).collect())
    }

    /// What a client does: `joins web`, `proposes state x in web, voted 1 s` …
    fn client(&self, (host, instance): (usize, i16), words: &[&str]) -> Result<Deed, String> {
        let text = words.join(" ");
        let (deed, phases) = match text.rsplit_once(", voted ") {
            Some((deed, limit)) => (deed, voted(limit)?),
            None => (text.as_str(), Phases::One),
        };
        let (deed, times) = match deed.rsplit_once(" times ") {
            Some((deed, times)) => (deed, times.parse().map_err(|_| format!("{times:?} is not a number"))?),
            None => (deed, 1),
        };
        let words = words_of(deed);
        let propose = |group: &str, change| {
            Ok::<_, String>(ClientDeed::Propose { group: named(group)?, change, phases, times })
        };
        let deed = match words[..] {
            ["joins", group] => ClientDeed::Join(named(group)?, self.attributes(group)?),
            ["joins", group, "as", ref other @ ..] => {
                ClientDeed::Join(named(group)?, attributes(&other.join(" "))?)
            }
            ["proposes", "state", value, "in", group] => propose(group, Proposed::State(state(value)?))?,
            ["says", message, "in", group] => {
                propose(group, Proposed::Message(said(message)?, Service::Agreed))?
            }
            ["says", message, "in", group, "safely"] => {
                propose(group, Proposed::Message(said(message)?, Service::Safe))?
            }
            ["leaves", group] => propose(group, Proposed::Leave)?,
            ["expels", ref others @ .., "from", group] => {
                propose(group, Proposed::Expel { seats: self.providers(others)?, deactivate: false })?
            }
            ["expels", ref others @ .., "from", group, "and", "deactivates"] => {
                propose(group, Proposed::Expel { seats: self.providers(others)?, deactivate: true })?
            }
            ["makes", group, ref other @ ..] => {
                propose(group, Proposed::Attributes(attributes(&other.join(" "))?))?
            }
            ["approves", ref rest @ ..] => vote(Vote::Approve, rest)?,
            ["rejects", ref rest @ ..] => vote(Vote::Reject, rest)?,
            ["continues", ref rest @ ..] => vote(Vote::Continue, rest)?,
            ["goodbye", group] => ClientDeed::Act(ClientAct::Goodbye { group: named(group)?, instance }),
            ["subscribes", "to", group] => ClientDeed::Act(ClientAct::Subscribe { group: named(group)? }),
            ["unsubscribes", "from", group] => {
                ClientDeed::Act(ClientAct::Unsubscribe { group: named(group)? })
            }
            ["answers", "no", "more"] => ClientDeed::Act(ClientAct::Responsive { responsive: false }),
            ["answers", "again"] => ClientDeed::Act(ClientAct::Responsive { responsive: true }),
            ["dies"] => ClientDeed::Act(ClientAct::Quit),
            _ => return Err(format!("a client cannot: {text}")),
        };
        Ok(Deed::Client { host, instance, deed })
    }

    /// What the story says that the group is like.
    fn attributes(&self, group: &str) -> Result<Attributes, String> {
        Ok(self.script.groups.get(&named(group)?).cloned().unwrap_or_default())
    }
}

fn both_ways(networks: u8, one: NodeMask, other: NodeMask, link: Link) -> Vec<Trouble> {
    [(one, other), (other, one)].map(|(from, to)| Trouble { networks, from, to, link }).to_vec()
}

fn disk(health: &str) -> Result<DiskHealth, String> {
    match health {
        "slow" => Ok(DiskHealth::Slow),
        "failing" => Ok(DiskHealth::Failing),
        "well" => Ok(DiskHealth::Well),
        other => Err(format!("a disk is slow, failing or well, not {other:?}")),
    }
}

fn habit_of(words: &[&str]) -> Result<Habit, String> {
    match words {
        ["approve"] => Ok(Habit::Approve),
        ["reject"] => Ok(Habit::Reject),
        ["be", "silent"] => Ok(Habit::Silent),
        ["continue", times, "times"] => {
            times.parse().map(Habit::Continue).map_err(|_| format!("{times:?} is not a number"))
        }
        other => Err(format!("nobody votes like this: {}", other.join(" "))),
    }
}

fn voted(limit: &str) -> Result<Phases, String> {
    match words_of(limit)[..] {
        [number, unit] => Ok(Phases::Many { limit: span(number, unit)? }),
        _ => Err(format!("{limit:?} is no time")),
    }
}

fn vote(vote: Vote, said: &[&str]) -> Result<ClientDeed, String> {
    let said = match said {
        [] => Said::default(),
        ["saying", message] => Said { message: Some(self::said(message)?), ..Said::default() },
        ["with", "state", value] => Said { state: Some(state(value)?), ..Said::default() },
        other => return Err(format!("no vote says this: {}", other.join(" "))),
    };
    Ok(ClientDeed::Vote { vote, said })
}

fn named(group: &str) -> Result<Name, String> {
    Name::new(group).map_err(|unfit| format!("{group:?}: {unfit:?}"))
}

fn state(value: &str) -> Result<StateValue, String> {
    StateValue::new(value.as_bytes().to_vec()).map_err(|unfit| format!("{value:?}: {unfit:?}"))
}

fn said(message: &str) -> Result<Message, String> {
    Message::new(message.as_bytes().to_vec()).map_err(|unfit| format!("{message:?}: {unfit:?}"))
}
