//! The shell of every node: carries out what a core asks for, and brings it what comes of that.

use crate::disk::Written;
use crate::host::{INBOX_MAX, Slate};
use crate::node::Factory;
use crate::session::Envelope;
use crate::world::{Flight, Happening, World};
use phalanx_conduct::Reply;
use phalanx_events::{MembershipNote, Note};
use phalanx_node::{Arrival, Effect, Input, Lane, Record, StoreToken};
use phalanx_oracle::{GlobalTime, What};
use phalanx_types::{Incarnation, NetworkId, NodeId, PathId, RequestId, Shared, Span, Tick};

/// Of a handshake's frame.
const GREETING_BYTES: usize = 200;
/// Of an echo and its request.
const ECHO_BYTES: usize = 64;
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
            Effect::AskTargets { network } => self.ask_targets(host, start, network),
            Effect::Claim(claim) => self.claim(host, start, claim),
            Effect::AskEcho { of, path } => self.ask_echo(host, start, of, path),
            Effect::Reply { id, reply } => self.reply(host, id, &reply),
            Effect::Client { client, event } => self.client_hears(host, start, client, event),
            Effect::Note(note) => self.note(host, note),
            Effect::Halt { why } => self.halt(host, why),
        }
    }

    /// By each adapter of a network the router there is asked for an echo; the first is told.
    fn ask_targets(&mut self, host: usize, start: u64, network: NetworkId) {
        let lanes = (0..self.setting.adapters).map(|adapter| self.setting.lane(network.0.into(), adapter));
        let plugged: Vec<_> = lanes.filter(|lane| self.hosts[host].has_carrier(*lane)).collect();
        let now = self.now;
        let echoes = plugged.into_iter().filter_map(|lane| self.net.echo(lane, host, ECHO_BYTES, now));
        if let Some(at) = echoes.min() {
            let input = Box::new(Input::TargetAnswered { network });
            self.later(Span(at - now), Happening::Hears { host: host as u8, start, input });
        }
    }

    /// A node's host is asked for an echo. Its kernel answers whatever its daemon does.
    fn ask_echo(&mut self, host: usize, start: u64, of: NodeId, path: PathId) {
        let (asked, lane) = (usize::from(of.0) - 1, self.lane_of(path));
        let way = self.hosts[host].has_carrier(lane);
        let now = self.now;
        let arrives = way.then(|| self.net.fate(lane, host, asked, ECHO_BYTES, now).first).flatten();
        if let Some(at) = arrives {
            let (of, by) = (asked as u8, host as u8);
            self.later(Span(at - now), Happening::EchoAsked { of, by, start, path });
        }
    }

    /// Host `of`, if it runs, answers the life `by`.
    pub(crate) fn answer_echo(&mut self, of: usize, by: (usize, u64), path: PathId) {
        let ((by, start), lane) = (by, self.lane_of(path));
        if !self.hosts[of].up || !self.hosts[of].has_carrier(lane) {
            return;
        }
        let now = self.now;
        if let Some(at) = self.net.fate(lane, of, by, ECHO_BYTES, now).first {
            let input = Box::new(Input::EchoAnswered { by: self.hosts[of].id, path });
            self.later(Span(at - now), Happening::Hears { host: by as u8, start, input });
        }
    }

    fn lane_of(&self, path: PathId) -> usize {
        self.setting.lane(path.network.0.into(), path.index.into())
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

    fn send(&mut self, host: usize, start: u64, to: (NodeId, PathId), routine: bool, bytes: Shared) {
        let (to, path) = to;
        let (peer, lane) = (to.0 as usize - 1, self.lane_of(path));
        assert!(
            peer < self.hosts.len()
                && lane < self.setting.lanes()
                && (path.index as usize) < self.setting.adapters,
            "sent where nobody is: {to} {path:?}"
        );
        let life = (host, start);
        match self.sessions.seal(life, peer) {
            Envelope::Sealed(sealed) => {
                let (from, to) = ((host as u8, start), (peer as u8, sealed));
                self.launch(Flight { from, to, lane: lane as u8, hello: false, routine, bytes });
            }
            Envelope::Hello(echo) => self.greet(life, (peer, echo), lane),
        }
    }

    fn launch(&mut self, flight: Flight) {
        let (from, to, lane) = (flight.from.0 as usize, flight.to.0 as usize, flight.lane);
        let size = if flight.hello { GREETING_BYTES } else { flight.bytes.len() };
        let fate = self.net.fate(lane as usize, from, to, size, self.now);
        let now = self.now;
        self.frames[from] += 1;
        self.trace.remark(|| {
            let arrives = fate.first.map(|at| Span(at - now).to_string());
            let way = arrives.unwrap_or_else(|| "LOST".into());
            let what = match flight.hello {
                true => " (Hello)".into(),
                false => crate::words::ring_frame(&flight.bytes),
            };
            format!(
                "{:>13}  {:>6}  -> {} by network {lane}, {} bytes: {way}{what}",
                GlobalTime(now).to_string(),
                format!("{}.{}", from + 1, flight.from.1),
                to + 1,
                size,
            )
        });
        if let Some(second) = fate.second {
            self.queue.push(second, Happening::Arrives(flight.clone()));
        }
        if let Some(first) = fate.first {
            self.queue.push(first, Happening::Arrives(flight));
        }
    }

    /// What was to be sent is lost; in its place the receiver, whatever its life, hears of this one.
    fn greet(&mut self, from: (usize, u64), (to, echo): (usize, u64), lane: usize) {
        let (from, to, lane) = ((from.0 as u8, from.1), (to as u8, echo), lane as u8);
        self.launch(Flight { from, to, lane, hello: true, routine: false, bytes: Shared::default() });
    }

    /// A stopped daemon is greeted again when it runs.
    fn greeted(&mut self, flight: &Flight) {
        let Flight { from, to, lane, .. } = *flight;
        let (host, from) = (to.0 as usize, (from.0 as usize, from.1));
        let running = self.hosts[host].daemon.as_ref().filter(|daemon| daemon.stopped.is_none());
        let Some(start) = running.map(|daemon| daemon.life.start) else { return };
        self.frames[host] += 1;
        if let Some(Envelope::Hello(echo)) = self.sessions.greeted((host, start), from, to.1) {
            self.greet((host, start), (from.0, echo), lane as usize);
        }
    }

    pub(crate) fn arrives(&mut self, flight: Flight) {
        if flight.hello {
            return self.greeted(&flight);
        }
        let Flight { from, to, lane, routine, bytes, .. } = flight;
        let (sender, receiver) = ((from.0 as usize, from.1), (to.0 as usize, to.1));
        if self.hosts[receiver.0].living(to.1).is_none() || !self.sessions.open(receiver, sender) {
            return;
        }
        self.frames[receiver.0] += 1;
        self.trace.frame(self.now, sender.0, receiver.0, &bytes);
        let adapters = self.setting.adapters as u8;
        let path = PathId { network: NetworkId(lane / adapters), index: lane % adapters };
        let life = Incarnation { node: NodeId(u16::from(from.0) + 1), start: from.1 };
        let arrival = Arrival { path, from: life, bytes };
        match routine {
            true => self.leaves_unread(receiver.0, to.1, arrival),
            false => self.hears(receiver.0, to.1, Input::Arrived(vec![arrival])),
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
