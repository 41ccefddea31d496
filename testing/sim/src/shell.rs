//! The shell of every node: carries out what a core asks for, and brings it what comes of that.

use crate::disk::Written;
use crate::host::{INBOX_MAX, Slate};
use crate::node::Factory;
use crate::session::Standing;
use crate::world::{Flight, Happening, World};
use phalanx_conduct::Reply;
use phalanx_events::{MembershipNote, Note};
use phalanx_node::{Arrival, Effect, Input, Lane, Record, StoreToken};
use phalanx_oracle::{GlobalTime, What};
use phalanx_types::{Incarnation, NetworkId, NodeId, PathId, RequestId, Span, Tick};

/// Of a handshake's frame.
const GREETING_BYTES: usize = 200;
/// From one process to another on one host.
const LOCAL: (Span, Span) = (Span::from_micros(20), Span::from_micros(200));

impl<F: Factory> World<F> {
    pub(crate) fn carry_out(&mut self, host: usize, effect: Effect) {
        let Some(start) = self.hosts[host].daemon.as_ref().map(|daemon| daemon.life.start) else { return };
        let index = host as u8;
        match effect {
            Effect::Send { to, path, lane, bytes } => {
                self.send(host, start, (to, path), lane == Lane::Routine, bytes);
            }
            Effect::Feed { until } => self.feed(host, start, until),
            Effect::Store { token, record } => self.store(host, start, token, record),
            Effect::Operate(operation) => {
                let after = self.local_way();
                self.later(after, Happening::Begins { host: index, start, operation: Box::new(operation) });
            }
            Effect::Reply { id, reply } => self.reply(host, id, &reply),
            Effect::Client { client, event } => self.client_hears(host, start, client, event),
            Effect::Note(note) => self.note(host, note),
            Effect::Halt { why } => self.halt(host, why),
        }
    }

    /// How long it takes from one process to another on one host; one time in a hundred the other is busy.
    pub(crate) fn local_way(&mut self) -> Span {
        let busy = self.workload.chance(10_000);
        self.workload.span(LOCAL.0, LOCAL.1 * if busy { 25 } else { 1 })
    }

    /// A real shell, too, learns the view from what its core says.
    fn note(&mut self, host: usize, note: Note) {
        if let Note::Membership(MembershipNote::ViewInstalled { view, .. }) = &note
            && let Some(daemon) = &mut self.hosts[host].daemon
        {
            daemon.view = view.id;
        }
        self.tell(host, What::Note(note));
    }

    /// What the daemon hears a little later.
    pub(crate) fn answer(&mut self, host: usize, start: u64, input: Input) {
        let after = self.local_way();
        self.later(after, Happening::Hears { host: host as u8, start, input: Box::new(input) });
    }

    /// Gives an input to a life; a stopped one finds it when it runs again.
    pub(crate) fn hears(&mut self, host: usize, start: u64, input: Input) {
        let Some(daemon) = self.hosts[host].living(start) else { return };
        match &mut daemon.stopped {
            Some(stopped) if stopped.inbox.len() < INBOX_MAX => stopped.inbox.push(input),
            // A full socket drops what comes.
            Some(_) => (),
            None => self.step(host, input),
        }
    }

    fn send(&mut self, host: usize, start: u64, to: (NodeId, PathId), routine: bool, bytes: Vec<u8>) {
        let (to, path) = to;
        let (peer, lane) =
            (to.0 as usize - 1, self.setting.lane(path.network.0 as usize, path.index as usize));
        assert!(
            peer < self.hosts.len()
                && lane < self.setting.lanes()
                && (path.index as usize) < self.setting.adapters,
            "sent where nobody is: {to} {path:?}"
        );
        let Some(receiver) = self.hosts[peer].daemon.as_ref().map(|daemon| daemon.life.start) else { return };
        let (from, to) = ((host, start), (peer, receiver));
        match self.sessions.standing(from, to, self.now) {
            Standing::Ready => self.launch(from, to, lane, routine, bytes),
            Standing::Greeting => (),
            Standing::Strangers => self.greet(from, to, lane),
        }
    }

    fn launch(&mut self, from: (usize, u64), to: (usize, u64), lane: usize, routine: bool, bytes: Vec<u8>) {
        let fate = self.net.fate(lane, from.0, to.0, bytes.len(), self.now);
        let now = self.now;
        self.frames[from.0] += 1;
        self.trace.remark(|| {
            let arrives = fate.first.map(|at| Span(at - now).to_string());
            let way = arrives.unwrap_or_else(|| "LOST".into());
            format!(
                "{:>13}  {:>6}  -> {} by network {lane}, {} bytes: {way}{}",
                GlobalTime(now).to_string(),
                format!("{}.{}", from.0 + 1, from.1),
                to.0 + 1,
                bytes.len(),
                crate::words::ring_frame(&bytes)
            )
        });
        let (from, to, lane) = ((from.0 as u8, from.1), (to.0 as u8, to.1), lane as u8);
        if let Some(second) = fate.second {
            self.queue
                .push(second, Happening::Arrives(Flight { from, to, lane, routine, bytes: bytes.clone() }));
        }
        if let Some(first) = fate.first {
            self.queue.push(first, Happening::Arrives(Flight { from, to, lane, routine, bytes }));
        }
    }

    /// Two lives that have not met exchange keys; what was to be sent meanwhile is lost.
    fn greet(&mut self, from: (usize, u64), to: (usize, u64), lane: usize) {
        if !self.hosts[to.0].is_responsive() {
            return;
        }
        let there = self.net.fate(lane, from.0, to.0, GREETING_BYTES, self.now).first;
        let back = there.and_then(|at| self.net.fate(lane, to.0, from.0, GREETING_BYTES, at).first);
        if let Some(ready) = back {
            self.sessions.greet(from, to, ready);
        }
    }

    pub(crate) fn arrives(&mut self, flight: Flight) {
        let Flight { from, to, lane, routine, bytes } = flight;
        let lives = ((from.0 as usize, from.1), (to.0 as usize, to.1));
        let superseded = self.sessions.standing(lives.0, lives.1, self.now) != Standing::Ready;
        if superseded || self.hosts[lives.1.0].living(to.1).is_none() {
            return;
        }
        self.frames[lives.1.0] += 1;
        self.trace.frame(self.now, lives.0.0, lives.1.0, &bytes);
        let adapters = self.setting.adapters as u8;
        let path = PathId { network: NetworkId(lane / adapters), index: lane % adapters };
        let sender = Incarnation { node: NodeId(u16::from(from.0) + 1), start: from.1 };
        let arrival = Arrival { path, from: sender, bytes };
        match routine {
            true => self.leaves_unread(lives.1.0, to.1, arrival),
            false => self.hears(lives.1.0, to.1, Input::Arrived(vec![arrival])),
        }
    }

    /// A frame that need not wake its receiver; a full socket drops what comes.
    fn leaves_unread(&mut self, host: usize, start: u64, arrival: Arrival) {
        let daemon = self.hosts[host].living(start);
        if let Some(daemon) = daemon.filter(|daemon| daemon.unread.len() < INBOX_MAX) {
            daemon.unread.push(arrival);
        }
    }

    /// The daemon writes a lease end down. The deadman comes to look as often as the stop budget is long; of an end that
    /// cannot wait for that it is told.
    fn feed(&mut self, host: usize, start: u64, until: Tick) {
        let before = self.hosts[host].slate.filter(|slate| slate.start == start);
        let accepted = before.map_or(Tick::ZERO, |slate| slate.accepted);
        self.hosts[host].slate = Some(Slate { start, until, accepted, awaited: true });
        let (now, budget) = (self.hosts[host].clock.local(self.now), self.timings.stop_budget());
        let after = match accepted.before(budget) <= now + budget {
            true => self.local_way(),
            false if before.is_some_and(|slate| slate.awaited) => return,
            false => self.workload.span(LOCAL.0, budget),
        };
        self.later(after, Happening::Looks { host: host as u8, start });
    }

    /// The deadman comes to look, if nothing else had it look before.
    pub(crate) fn looks_at_slate(&mut self, host: usize, start: u64) {
        let is_awaited = |slate: &Slate| slate.start == start && slate.awaited;
        if self.hosts[host].slate.as_ref().is_some_and(is_awaited) && !self.accepts(host) {
            self.answer(host, start, Input::Unfed);
        }
    }

    /// The deadman takes the lease end that is written down; `false` if it is not there to take it. The daemon sees that when
    /// it is awake next.
    pub(crate) fn accepts(&mut self, host: usize) -> bool {
        let target = &mut self.hosts[host];
        let Some(slate) = target.slate.as_mut().filter(|slate| target.up && slate.awaited) else {
            return true;
        };
        slate.awaited = false;
        let Slate { start, until, .. } = *slate;
        if !target.deadman.feed(until) {
            return false;
        }
        slate.accepted = until;
        let until_global = GlobalTime(target.clock.global(until));
        if let Some(daemon) = target.living(start) {
            daemon.fed = Some(until);
        }
        self.tell(host, What::Fed { until, until_global });
        self.set_deadman(host);
        true
    }

    fn store(&mut self, host: usize, start: u64, token: StoreToken, record: Record) {
        let generation = self.hosts[host].journal.generation();
        if let Some(takes) = self.hosts[host].journal.write(token, record) {
            self.later(takes, Happening::Lands { host: host as u8, start, generation });
        }
    }

    pub(crate) fn lands(&mut self, host: usize, start: u64, generation: u32) {
        let Some((written, next)) = self.hosts[host].journal.landed(generation) else { return };
        if let Some(takes) = next {
            self.later(takes, Happening::Lands { host: host as u8, start, generation });
        }
        let input = match written {
            Written::Done(token) => Input::StoreDone(token),
            Written::Failed(token) => Input::StoreFailed(token),
        };
        self.hears(host, start, input);
    }

    fn reply(&mut self, host: usize, id: RequestId, reply: &Reply) {
        self.tell(host, What::Replied { id, words: format!("{reply:?}") });
        let Some(daemon) = &mut self.hosts[host].daemon else { return };
        let Some(request) = daemon.open.remove(&id) else { return };
        self.answered(host, &request, reply);
    }
}
