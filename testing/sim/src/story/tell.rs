//! What nodes and clients say, in an operator's words, and how that is written below a command.
//!
//! What happens within a second is told without an order between those who say it, and who says the same is named
//! together. So a story stays the same when a frame more or less is sent, and mostly whoever watches whom.

use crate::setting::Setting;
use phalanx_events::{ManagerNote, MembershipNote, Note, Service, StretchCause};
use phalanx_groups::domain::{
    Change, Gone, Name, Notice, Proposal, ProviderId, Standing, StateValue, Summary,
};
use phalanx_groups::services::{ClientEvent, ClientId};
use phalanx_model::Cluster;
use phalanx_oracle::{Event, HoldEnd, What};
use phalanx_present::{Names, text};
use phalanx_types::{Incarnation, NetworkId, NodeId, PathId, Span, View};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Times are told up to so much too late.
const GRAIN: Span = Span::from_secs(1);

/// What is said; within a second in this order, and what is of one kind in its speaker's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// What is seen of others and of adapters.
    Sight,
    /// What is agreed on, and what follows.
    News,
    /// Something is let go.
    Loss,
    /// Something is taken up.
    Gain,
}

/// Something that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// When, from the command on.
    pub after: Span,
    /// By whom.
    pub who: String,
    /// Of which kind it is.
    pub kind: Kind,
    /// What.
    pub words: String,
}

/// Puts events into words.
pub struct Teller {
    cluster: Cluster,
    setting: Setting,
    /// Paths that somebody said to be silent.
    silent: BTreeSet<(NodeId, NodeId, PathId)>,
    /// Networks on which a life has reached somebody.
    reached: BTreeSet<(Incarnation, NetworkId)>,
    /// Lives that said what their first view is.
    begun: BTreeSet<Incarnation>,
}

impl Teller {
    /// For this cluster.
    pub fn new(setting: &Setting) -> Teller {
        let read = phalanx_model::parse("story", &setting.text());
        let cluster = read.unwrap_or_else(|faults| panic!("a story's cluster is good: {faults:?}")).cluster;
        Teller {
            cluster,
            setting: setting.clone(),
            silent: BTreeSet::new(),
            reached: BTreeSet::new(),
            begun: BTreeSet::new(),
        }
    }

    /// What these events say, from `began` on.
    pub fn tell(&mut self, events: &[Event], began: Span) -> Vec<Said> {
        let mut all = Vec::new();
        for (index, event) in events.iter().enumerate() {
            let after = Span(event.at.0) - began;
            let near = |other: &&Event| other.at.0.abs_diff(event.at.0) < GRAIN.0;
            let around = || {
                let before = events[..index].iter().rev().take_while(near);
                let own = |other: &&Event| other.life == event.life;
                before.chain(events[index + 1..].iter().take_while(near)).filter(own)
            };
            let is_down = |peer: NodeId| around().any(|other| loses(other, peer));
            if let Some((who, words)) = self.say(event, &is_down) {
                all.push(Said { after, who, kind: kind(&event.what), words });
            }
        }
        all
    }

    fn say(&mut self, event: &Event, is_down: &dyn Fn(NodeId) -> bool) -> Option<(String, String)> {
        let node = event.life.node;
        if let What::ClientHeard { client, event } = &event.what {
            return Some(self.client(node, *client, event));
        }
        let words = match &event.what {
            What::Note(Note::Membership(MembershipNote::ViewInstalled { view, .. })) => {
                // Every life begins alone.
                let is_first = self.begun.insert(event.life) && view.members.len() == 1;
                (!is_first).then(|| self.view(view))?
            }
            What::Note(Note::Membership(note)) => self.membership(event.life, note, is_down)?,
            What::Note(Note::Manager(note)) => self.manager(node, note)?,
            What::Halted { why } => format!("halts: {why}"),
            What::GroupUp { group } => format!("{group} runs here"),
            What::HoldEnded { group, by: HoldEnd::LetGo } => format!("nothing of {group} is left here"),
            What::DeadmanKilled => "the deadman ends what is held".into(),
            What::DeadmanReset => "the deadman resets the host".into(),
            What::Replied { words, .. } => format!("answers {words}"),
            What::Started { .. }
            | What::DaemonCrashed
            | What::HostCrashed
            | What::Paused
            | What::Resumed
            | What::Frozen
            | What::Thawed
            | What::HoldBegan { .. }
            | What::HoldEnded { by: HoldEnd::Torn, .. }
            | What::GroupDown { .. }
            | What::AddressUp { .. }
            | What::AddressDown { .. }
            | What::OperationBegan { .. }
            | What::OperationEnded { .. }
            | What::DiskWrite { .. }
            | What::Fed { .. }
            | What::DeadmanGone { .. }
            | What::Asked { .. }
            | What::ClientActed { .. }
            | What::ClientHeard { .. }
            | What::Fault { .. }
            | What::LinksChanged { .. }
            | What::Excused { .. }
            | What::Expected { .. }
            | What::AdapterDead { .. }
            | What::TieDecided { .. }
            | What::Healed { .. } => return None,
        };
        Some((self.node(node), words))
    }

    fn node(&self, node: NodeId) -> String {
        self.setting.name_of(node).to_owned()
    }

    fn names(&self, nodes: impl IntoIterator<Item = NodeId>) -> String {
        nodes.into_iter().map(|node| self.node(node)).collect::<Vec<_>>().join(", ")
    }

    fn network(&self, network: NetworkId) -> &str {
        &self.setting.network_names[usize::from(network.0)]
    }

    fn path(&self, path: PathId) -> String {
        let network = self.network(path.network);
        match path.index {
            0 => network.to_owned(),
            index => format!("{network} (adapter {})", index + 1),
        }
    }

    fn membership(
        &mut self,
        life: Incarnation,
        note: &MembershipNote,
        is_down: &dyn Fn(NodeId) -> bool,
    ) -> Option<String> {
        use MembershipNote as N;
        let me = life.node;
        Some(match note {
            N::PathDown { peer, path, silent } => {
                let known = self.setting.lanes() > 1 && !is_down(*peer);
                known.then(|| self.silent.insert((me, *peer, *path))).filter(|new| *new)?;
                let (peer, path) = (self.node(*peer), self.path(*path));
                match self.is_heard(*silent) {
                    true => format!("{peer} no longer hears it over {path}"),
                    false => format!("{peer} is silent over {path}"),
                }
            }
            N::PathUp { peer, path } => {
                self.reached.insert((life, path.network));
                self.silent.remove(&(me, *peer, *path)).then_some(())?;
                format!("{} is reached over {} again", self.node(*peer), self.path(*path))
            }
            N::PeerDown { life, silent } => {
                self.silent.retain(|(node, peer, _)| (*node, *peer) != (me, life.node));
                match self.is_heard(*silent) {
                    true => format!("{} no longer hears it", self.node(life.node)),
                    false => format!("{} is silent", self.node(life.node)),
                }
            }
            N::AdapterSuspected { network } => {
                // At a start one network answers before the other.
                self.reached.contains(&(life, *network)).then_some(())?;
                format!("reaches nobody on {}: its own adapter is suspected", self.network(*network))
            }
            N::GraceGiven { life, .. } => {
                format!("{} is silent, but its host answers: it is waited for", self.node(life.node))
            }
            N::SelfPaused { .. } => "stood still itself: it believes no silence".into(),
            N::MemberStalled { life } => {
                format!("{} handles no messages: it is left out", self.node(life.node))
            }
            N::IdentityCloned { node } => format!("there are two of {}", self.node(*node)),
            N::LettingGo { .. } => "its lease is not renewed: it lets everything go".into(),
            N::QuarantineOver => "what it promised before it was restarted is over: it counts".into(),
            N::PeerUp { .. }
            | N::ViewAccepted { .. }
            | N::ViewInstalled { .. }
            | N::ViewConfirmed { .. }
            | N::Sent { .. }
            | N::Delivered { .. }
            | N::FifoSent { .. }
            | N::FifoDelivered { .. }
            | N::Returned { .. }
            | N::Leased { .. }
            | N::TimingsInForce { .. }
            | N::FrameDropped { .. }
            | N::Reached { .. } => return None,
        })
    }

    /// Whether a peer that is down after so short a silence is still heard: it does not hear us.
    fn is_heard(&self, silent: Span) -> bool {
        silent < self.setting.timings().detect() / 2
    }

    fn view(&self, view: &View) -> String {
        let waits = view.members.iter().filter(|(_, member)| !member.counts).map(|(node, _)| *node);
        let waits = self.names(waits);
        let waits = if waits.is_empty() { waits } else { format!("; not counted: {waits}") };
        let primary = if view.primary { "primary" } else { "not primary" };
        format!("view of {}: {primary}{waits}", self.names(view.members.keys().copied()))
    }

    /// What the manager says that an operator wants to know beside what is true of his groups.
    fn manager(&self, me: NodeId, note: &ManagerNote) -> Option<String> {
        use ManagerNote as N;
        match note {
            N::Readopted { group, .. } => Some(format!("{group} goes on here as it runs")),
            // Not for how long it stood still: that differs by a beat.
            N::TimingsChanged { cause: StretchCause::Stall(stall), detect, .. } => {
                let node = self.node(stall.node);
                Some(format!("a node is down after {detect} from now on, for {node} stood still too long"))
            }
            N::TimingsChanged { detect, .. } => Some(format!("a node is down after {detect} from now on")),
            N::AdapterDown { .. }
            | N::AdapterUp { .. }
            | N::AdapterVouched { .. }
            | N::NetworkDown { .. }
            | N::NetworkUp { .. }
            | N::AdapterSwapped { .. }
            | N::AddressAstray { .. }
            | N::Formed { .. }
            | N::TieJudged { .. }
            | N::CharterChanged { .. }
            | N::TimingsSettled { .. }
            | N::FormedWithoutUs { .. }
            | N::VersionLost { .. }
            | N::ShutdownBegun { .. } => {
                Some(text(&Note::Manager(note.clone()), &Names::new(&self.cluster, me)))
            }
            N::Probed { .. }
            | N::GroupChanged { .. }
            | N::TieClaimed { .. }
            | N::PlanProposed { .. }
            | N::PlanAgreed { .. }
            | N::PlanRefused { .. }
            | N::PlanDiverged { .. }
            | N::PlanVoided { .. }
            | N::PlanFinished { .. }
            | N::StandingStill { .. }
            | N::Cleared { .. }
            | N::StepBegun { .. }
            | N::StepDone { .. }
            | N::StepFailed { .. }
            | N::MonitorFailed { .. }
            | N::RestartedInPlace { .. }
            | N::RestartsExhausted { .. }
            | N::SwapAdapter { .. }
            | N::LettingGo { .. }
            | N::RequestBegun { .. }
            | N::RequestEnded { .. }
            | N::InStep { .. }
            | N::StateAdopted { .. }
            | N::StateDiverged { .. }
            | N::Activated { .. }
            | N::ChangeAcknowledged { .. }
            | N::Reached { .. } => None,
        }
    }

    fn provider(&self, provider: ProviderId) -> String {
        match provider.instance {
            // Of the groups that are always there.
            0 => self.node(provider.life.node),
            instance => format!("{}/{instance}", self.node(provider.life.node)),
        }
    }

    fn providers(&self, providers: impl IntoIterator<Item = ProviderId>) -> String {
        let names: Vec<_> = providers.into_iter().map(|provider| self.provider(provider)).collect();
        if names.is_empty() { "nobody".into() } else { names.join(", ") }
    }

    fn client(&self, node: NodeId, client: ClientId, event: &ClientEvent) -> (String, String) {
        let me = format!("{}/{}", self.node(node), client.0);
        let words = match event {
            ClientEvent::Provider { group, notice: Notice::Dissolved, .. } => {
                format!("{group}: is dissolved: it is no provider any more")
            }
            ClientEvent::Provider { group, notice, .. } => self.notice(group, notice),
            ClientEvent::Subscriber { group, notice } => self.notice(group, notice),
            ClientEvent::NotYours { group, .. } => format!("{group}: it is not its provider"),
            ClientEvent::Dissolved => "its domain is dissolved: it is no client any more".into(),
        };
        (me, words)
    }

    fn notice(&self, group: &Name, notice: &Notice) -> String {
        let words = match notice {
            Notice::Phase { phase, summary, proposal, .. } => {
                format!("asked in phase {phase}: {}{}", self.proposal(proposal), because(*summary))
            }
            Notice::Approved { summary, proposal, standing, .. } => {
                let (what, now) = (self.proposal(proposal), self.standing(standing));
                format!("{what}: approved{}; now {now}", because(*summary))
            }
            Notice::Rejected { summary, proposal, against, standing, .. } => {
                let by = self.providers(against.keys().copied());
                let by = if against.is_empty() { String::new() } else { format!(" by {by}") };
                let (what, now) = (self.proposal(proposal), self.standing(standing));
                format!("{what}: rejected{by}{}; now {now}", because(*summary))
            }
            Notice::Silent { providers, .. } => {
                format!("{} said nothing in time", self.providers(providers.iter().copied()))
            }
            Notice::Refused(refused) => format!("refused, {}", spaced(&format!("{refused:?}"))),
            Notice::Changed { standing, .. } => format!("is now {}", self.standing(standing)),
            Notice::Deactivate(_) => "its deactivate command runs".into(),
            Notice::Responsiveness { provider, responsive } => {
                let does = if *responsive { "answers again" } else { "does not answer" };
                format!("{} {does}", self.provider(*provider))
            }
            Notice::Dissolved => "has no providers any more".into(),
        };
        format!("{group}: {words}")
    }

    fn standing(&self, standing: &Standing) -> String {
        let members = self.providers(standing.members.iter().copied());
        match standing.state == StateValue::default() {
            true => members,
            false => format!("{members} with {}", value(&standing.state)),
        }
    }

    fn proposal(&self, proposal: &Proposal) -> String {
        let mut words = self.change(&proposal.change);
        match (&proposal.change, &proposal.state) {
            (Change::State, Some(state)) => words = format!("state {}", value(state)),
            (_, Some(state)) => words = format!("{words}, with state {}", value(state)),
            (_, None) => {}
        }
        if let Some(message) = &proposal.message {
            words = format!("{words} {:?}", String::from_utf8_lossy(message.bytes()));
        }
        words
    }

    fn change(&self, change: &Change) -> String {
        match change {
            Change::Join(who) => format!("{} joins", self.providers(who.keys().copied())),
            Change::FailureLeave(gone) => self.gone(gone),
            Change::Leave { provider, .. } => format!("{} leaves", self.provider(*provider)),
            Change::Expel { providers, .. } => {
                format!("{} is expelled", self.providers(providers.iter().copied()))
            }
            Change::CastOut(providers) => {
                format!("{} is cast out", self.providers(providers.iter().copied()))
            }
            Change::State => "state".into(),
            Change::Attributes(_) => "other attributes".into(),
            Change::Message(Service::Agreed) => "message".into(),
            Change::Message(Service::Safe) => "safe message".into(),
            Change::Own { .. } => "the manager's own".into(),
            Change::Reflection { source, value: state } => format!("{source} is {}", value(state)),
        }
    }

    fn gone(&self, gone: &BTreeMap<ProviderId, Gone>) -> String {
        let how = |gone: &Gone| match gone {
            Gone::Goodbye => "said goodbye",
            Gone::Failed => "failed",
            Gone::NodeLost => "is gone with its node",
        };
        let one =
            |(provider, gone): (&ProviderId, &Gone)| format!("{} {}", self.provider(*provider), how(gone));
        gone.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

/// Whether the event says that a peer is down.
fn loses(event: &Event, peer: NodeId) -> bool {
    let lost = |life: &Incarnation| life.node == peer;
    matches!(event.membership(), Some(MembershipNote::PeerDown { life, .. }) if lost(life))
}

fn value(state: &StateValue) -> String {
    format!("{:?}", String::from_utf8_lossy(state.bytes()))
}

fn because(summary: Summary) -> String {
    let mut causes = Vec::new();
    if summary.time_limit_exceeded {
        causes.push("the time was over");
    }
    if summary.provider_failed {
        causes.push("a provider failed");
    }
    match (summary.default_vote, causes.is_empty()) {
        (false, _) => String::new(),
        (true, true) => " (default vote)".into(),
        (true, false) => format!(" (default vote: {})", causes.join(", ")),
    }
}

/// `DuplicateInstance` as words.
fn spaced(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

fn kind(what: &What) -> Kind {
    use {ManagerNote as M, MembershipNote as N};
    let is_sight = matches!(
        what,
        What::Note(
            Note::Membership(
                N::PathUp { .. } | N::PathDown { .. } | N::PeerDown { .. } | N::AdapterSuspected { .. }
            ) | Note::Manager(M::AdapterDown { .. } | M::AdapterUp { .. } | M::AdapterVouched { .. })
        )
    );
    match (is_sight, matches!(what, What::HoldEnded { .. }), matches!(what, What::GroupUp { .. })) {
        (true, ..) => Kind::Sight,
        (_, true, _) => Kind::Loss,
        (.., true) => Kind::Gain,
        (false, false, false) => Kind::News,
    }
}

fn seconds(span: Span) -> u64 {
    span.0.div_ceil(GRAIN.0)
}

/// Line by line, to the millisecond.
pub fn exactly(said: Vec<Said>) -> Vec<String> {
    let line = |said: Said| format!("{:>6} ms  {}: {}", said.after.as_millis(), said.who, said.words);
    said.into_iter().map(line).collect()
}

/// Second by second, with all who said the same.
pub fn told(said: Vec<Said>) -> Vec<String> {
    let mut grains: BTreeMap<u64, BTreeMap<String, VecDeque<(Kind, String)>>> = BTreeMap::new();
    for Said { after, who, kind, words } in said {
        let grain = seconds(after).max(1);
        grains.entry(grain).or_default().entry(who).or_default().push_back((kind, words));
    }
    let line = |grain: u64, (who, words): (Vec<String>, String)| {
        format!("{grain:>3} s  {}: {words}", who.join(", "))
    };
    let lines = |(grain, said)| counted(together(said)).into_iter().map(move |one| line(grain, one));
    grains.into_iter().flat_map(lines).collect()
}

/// What is said again and again is told once.
fn counted(lines: Vec<(Vec<String>, String)>) -> Vec<(Vec<String>, String)> {
    let runs = lines.chunk_by(|one, other| one == other);
    let once = |run: &[(Vec<String>, String)]| match run {
        [one] => one.clone(),
        [(who, words), ..] => (who.clone(), format!("{words} ({} times)", run.len())),
        [] => unreachable!("a run has a line"),
    };
    runs.map(once).collect()
}

/// Puts together what several said, each of one kind in its own order: first what nobody is to say later, too.
fn together(mut said: BTreeMap<String, VecDeque<(Kind, String)>>) -> Vec<(Vec<String>, String)> {
    let mut lines = Vec::new();
    said.values_mut().for_each(|all| by_kind(all.make_contiguous()));
    loop {
        let heads: BTreeSet<(Kind, String)> =
            said.values().filter_map(|words| words.front().cloned()).collect();
        let later =
            |words: &&(Kind, String)| said.values().any(|all| all.iter().skip(1).any(|one| one == *words));
        let Some(next) = heads.iter().find(|head| !later(head)).or(heads.first()).cloned() else {
            return lines;
        };
        let mut who = Vec::new();
        for (name, words) in &mut said {
            if words.pop_front_if(|head| *head == next).is_some() {
                who.push(name.clone());
            }
        }
        lines.push((who, next.1));
    }
}

/// Each kind in its own order, but sights: beats are missed as they were due.
fn by_kind(all: &mut [(Kind, String)]) {
    all.sort_by_key(|(kind, words)| match kind {
        Kind::Sight => (*kind, words.clone()),
        Kind::News | Kind::Loss | Kind::Gain => (*kind, String::new()),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(after: u64, who: &str, words: &str) -> Said {
        let kind = match words {
            "cyd is silent" => Kind::Sight,
            "shop runs here" => Kind::Gain,
            _ => Kind::News,
        };
        Said { after: Span::from_millis(after), who: who.into(), kind, words: words.into() }
    }

    #[test]
    fn who_says_the_same_is_named_together_and_each_keeps_its_order() {
        let all = vec![
            said(410, "ada", "cyd is silent"),
            said(411, "ada", "view of ada, bob"),
            said(420, "bob", "view of ada, bob"),
            said(425, "bob", "cyd is silent"),
            said(430, "ada", "shop runs here"),
            said(1_001, "ada", "late"),
        ];
        let lines = [
            "  1 s  ada, bob: cyd is silent",
            "  1 s  ada, bob: view of ada, bob",
            "  1 s  ada: shop runs here",
            "  2 s  ada: late",
        ];
        assert_eq!(told(all), lines);
    }

    #[test]
    fn what_two_say_in_another_order_is_told_all_the_same() {
        let all = ["x", "y"].map(|words| said(1, "ada", words)).into_iter();
        let all = all.chain(["y", "x"].map(|words| said(2, "bob", words)));
        assert_eq!(told(all.collect()).len(), 3);
    }
}
