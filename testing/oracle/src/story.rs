//! Hand-made traces for the checkers' own tests: each call tells one thing and lets a millisecond pass.

use crate::checker::Checker;
use crate::event::{Event, GlobalTime, HoldEnd, What};
use phalanx_events::{ManagerNote, MembershipNote, MessageId, Note, Service};
use phalanx_types::{
    BootId, Charter, Digest, GroupName, Incarnation, Member, NodeId, Operation, OperationId, OwnershipEpoch,
    Permit, RequestId, Span, Tick, TimingProfile, Timings, Verb, View, ViewId,
};
use std::collections::BTreeMap;

/// A trace in the making. Nodes, views and messages go by plain numbers.
#[derive(Clone, Default)]
pub(crate) struct Story {
    events: Vec<Event>,
    now: GlobalTime,
    starts: BTreeMap<u16, u64>,
    views: BTreeMap<u64, View>,
    quarantined: Vec<u16>,
}

/// Three nodes and two groups at `auto`.
pub(crate) fn terms() -> crate::Terms {
    let nodes = [1, 2, 3].map(NodeId);
    crate::Terms {
        nodes: nodes.into_iter().collect(),
        timings: Timings::of(TimingProfile::Auto),
        in_force: BTreeMap::new(),
        groups: ["mail", "shop"].map(|name| (group(name), nodes.to_vec())).into_iter().collect(),
    }
}

pub(crate) fn group(name: &str) -> GroupName {
    name.parse().unwrap()
}

/// The id that stories give to view `counter`.
pub(crate) fn view_id(counter: u64) -> ViewId {
    match counter {
        0 => ViewId::NONE,
        _ => ViewId { counter, coordinator: NodeId(1) },
    }
}

impl Story {
    pub fn new() -> Story {
        Story::default()
    }

    /// These nodes have started, and have installed view 1 of just themselves.
    pub fn of(nodes: &[u16]) -> Story {
        Story::new().start(nodes).install(nodes, 1, nodes, 0)
    }

    pub fn events(self) -> impl Iterator<Item = Event> {
        self.events.into_iter()
    }

    pub fn life(&self, node: u16) -> Incarnation {
        Incarnation { node: NodeId(node), start: self.starts.get(&node).copied().unwrap_or(1) }
    }

    pub fn tell(mut self, node: u16, what: What) -> Story {
        self.now = self.now + Span::from_millis(1);
        self.events.push(Event { at: self.now, life: self.life(node), what });
        self
    }

    pub fn note(self, node: u16, note: MembershipNote) -> Story {
        self.tell(node, What::Note(Note::Membership(note)))
    }

    pub fn later(mut self, span: Span) -> Story {
        self.now = self.now + span;
        self
    }

    /// What comes next happens at the instant of what happened last.
    pub fn at_once(mut self) -> Story {
        self.now =
            self.events.last().map_or(self.now, |event| GlobalTime(event.at.0 - Span::from_millis(1).0));
        self
    }

    /// Each of these nodes starts, or starts again, in boot number `start`.
    pub fn start(mut self, nodes: &[u16]) -> Story {
        for node in nodes {
            *self.starts.entry(*node).or_insert(0) += 1;
            let boot = BootId([self.starts[node] as u8; 16]);
            self = self.tell(*node, What::Started { boot });
        }
        self
    }

    pub fn crash(self, node: u16) -> Story {
        self.tell(node, What::HostCrashed)
    }

    pub fn crash_daemon(self, node: u16) -> Story {
        self.tell(node, What::DaemonCrashed)
    }

    /// A network fault begins, strikes again or ends.
    pub fn links(self, noisy: bool) -> Story {
        self.tell(1, What::LinksChanged { noisy })
    }

    /// From now on this node does not count in the views formed.
    pub fn quarantine(mut self, node: u16) -> Story {
        self.quarantined.push(node);
        self
    }

    /// A node says that it goes by these timings.
    pub fn go_by(self, node: u16, timings: Timings) -> Story {
        self.tell(node, What::Note(Note::Membership(MembershipNote::TimingsInForce { timings })))
    }

    /// The view as stories form it: of the present lives, primary with two that count.
    pub fn view(&self, counter: u64, members: &[u16]) -> View {
        let member = |node: &u16| {
            let counts = !self.quarantined.contains(node);
            let life = self.life(*node);
            (NodeId(*node), Member { incarnation: life, boot: BootId([life.start as u8; 16]), counts })
        };
        let members: BTreeMap<_, _> = members.iter().map(member).collect();
        let primary = members.values().filter(|member| member.counts).count() >= 2;
        View { id: view_id(counter), members, primary }
    }

    /// Each of `nodes` installs view `counter`; all of them came from `previous`.
    pub fn install(mut self, nodes: &[u16], counter: u64, members: &[u16], previous: u64) -> Story {
        let view = self.views.get(&counter).cloned().unwrap_or_else(|| self.view(counter, members));
        self.views.insert(counter, view.clone());
        for node in nodes {
            self = self.install_as(*node, view.clone(), previous, nodes);
        }
        self
    }

    /// One node installs exactly this.
    pub fn install_as(self, node: u16, view: View, previous: u64, transitional: &[u16]) -> Story {
        let transitional = transitional.iter().copied().map(NodeId).collect();
        self.note(node, MembershipNote::ViewInstalled { view, previous: view_id(previous), transitional })
    }

    /// The node freezes its view for this one.
    pub fn accept(self, node: u16, counter: u64, members: &[u16]) -> Story {
        let members = members.iter().copied().map(NodeId).collect();
        self.note(node, MembershipNote::ViewAccepted { id: view_id(counter), members })
    }

    /// Each of `nodes` knows that enough have installed the view.
    pub fn confirm(mut self, nodes: &[u16], counter: u64) -> Story {
        for node in nodes {
            self = self.note(*node, MembershipNote::ViewConfirmed { id: view_id(counter) });
        }
        self
    }

    /// An operator has formed the cluster of `few`, the `down` being switched off.
    pub fn form(self, few: &[u16], down: &[u16]) -> Story {
        let set = |nodes: &[u16]| nodes.iter().map(|node| NodeId(*node)).collect();
        let charter = Charter::FIRST.formed_by(set(few), set(down), 1);
        self.tell(few[0], What::Note(Note::Manager(ManagerNote::CharterChanged { charter })))
    }

    fn message(&self, (sender, number): (u16, u64)) -> (MessageId, Digest) {
        let message = MessageId { life: self.life(sender), number };
        (message, Digest::of(&[sender as u8, number as u8]))
    }

    pub fn send(self, sender: u16, number: u64, view: u64, service: Service) -> Story {
        let (message, digest) = self.message((sender, number));
        self.note(sender, MembershipNote::Sent { message, view: view_id(view), digest, service })
    }

    /// Each of `nodes` delivers the message within view `view`, as an agreed one.
    pub fn deliver_agreed(self, nodes: &[u16], message: (u16, u64), view: u64, sequence: u64) -> Story {
        self.deliver(nodes, message, view, sequence, Service::Agreed)
    }

    /// Each of `nodes` delivers the message within its view, as the `sequence`th there.
    pub fn deliver(
        self,
        nodes: &[u16],
        message: (u16, u64),
        view: u64,
        sequence: u64,
        service: Service,
    ) -> Story {
        self.deliver_when(nodes, message, view, sequence, service, false)
    }

    /// The same with the end of the view.
    pub fn deliver_late(
        self,
        nodes: &[u16],
        message: (u16, u64),
        view: u64,
        sequence: u64,
        service: Service,
    ) -> Story {
        self.deliver_when(nodes, message, view, sequence, service, true)
    }

    fn deliver_when(
        mut self,
        nodes: &[u16],
        message: (u16, u64),
        view: u64,
        sequence: u64,
        service: Service,
        transitional: bool,
    ) -> Story {
        let (message, digest) = self.message(message);
        for node in nodes {
            let view = view_id(view);
            let note = MembershipNote::Delivered { message, view, sequence, digest, service, transitional };
            self = self.note(*node, note);
        }
        self
    }

    /// `sender` sends a message in no order but its own.
    pub fn tell_all(self, sender: u16, number: u64, view: u64) -> Story {
        let (message, digest) = self.message((sender, number));
        self.note(sender, MembershipNote::FifoSent { message, view: view_id(view), digest })
    }

    /// Each of `nodes` delivers it.
    pub fn hear(mut self, nodes: &[u16], message: (u16, u64), view: u64) -> Story {
        let (message, digest) = self.message(message);
        for node in nodes {
            let view = view_id(view);
            self = self
                .note(*node, MembershipNote::FifoDelivered { message, view, digest, transitional: false });
        }
        self
    }

    pub fn returned(self, sender: u16, number: u64) -> Story {
        let (message, _) = self.message((sender, number));
        self.note(sender, MembershipNote::Returned { message })
    }

    pub fn hold(self, node: u16, name: &str, epoch: u64) -> Story {
        self.tell(node, What::HoldBegan { group: group(name), epoch: OwnershipEpoch(epoch) })
    }

    pub fn let_go(self, node: u16, name: &str) -> Story {
        self.tell(node, What::HoldEnded { group: group(name), by: HoldEnd::LetGo })
    }

    pub fn torn(self, node: u16, name: &str) -> Story {
        self.tell(node, What::HoldEnded { group: group(name), by: HoldEnd::Torn })
    }

    pub fn write(self, node: u16, name: &str, epoch: u64) -> Story {
        self.tell(node, What::DiskWrite { group: group(name), epoch: OwnershipEpoch(epoch) })
    }

    /// The deadman takes a lease that ends `ahead` from now, by clocks that run alike.
    pub fn feed(self, node: u16, ahead: Span) -> Story {
        let until_global = self.now + Span::from_millis(1) + ahead;
        self.tell(node, What::Fed { until: Tick(until_global.0), until_global })
    }

    /// A start begins, with a permit of view `view` that has `left` to run.
    pub fn acquire(self, node: u16, name: &str, view: u64, left: Span) -> Story {
        let local = Tick(self.now.0 + 1_000_000);
        let permit = Permit { view: view_id(view), valid_until: local + left };
        let operation = Operation {
            id: OperationId(1),
            group: group(name),
            resource: "app".parse().unwrap(),
            verb: Verb::Start(permit),
            epoch: OwnershipEpoch(1),
            limit: Span::from_secs(1),
        };
        self.tell(node, What::OperationBegan { operation, local })
    }

    pub fn up(self, node: u16, name: &str) -> Story {
        self.tell(node, What::GroupUp { group: group(name) })
    }

    pub fn down(self, node: u16, name: &str) -> Story {
        self.tell(node, What::GroupDown { group: group(name) })
    }

    pub fn ask(self, node: u16, id: u64) -> Story {
        self.tell(node, What::Asked { id: RequestId(id), words: "move shop".into() })
    }

    pub fn reply(self, node: u16, id: u64) -> Story {
        self.tell(node, What::Replied { id: RequestId(id), words: "done".into() })
    }

    pub fn heal(self, core: &[u16]) -> Story {
        let lowest = core[0];
        self.tell(lowest, What::Healed { core: core.iter().copied().map(NodeId).collect() })
    }

    /// What the checker says of it.
    pub fn shown_to(&self, checker: &mut dyn Checker) -> Result<(), String> {
        self.events.iter().try_for_each(|event| checker.see(event))?;
        checker.finish(self.now + Span::from_millis(1))
    }
}

/// The property holds in this story.
pub(crate) fn good(mut checker: impl Checker, story: Story) {
    assert_eq!(story.shown_to(&mut checker), Ok(()), "{}", checker.property());
}

/// The property is broken in this story, and the words say how.
pub(crate) fn bad(mut checker: impl Checker, story: Story, fragment: &str) {
    let words = story.shown_to(&mut checker).expect_err(checker.property());
    assert!(words.contains(fragment), "{}: {words:?} does not say {fragment:?}", checker.property());
}
