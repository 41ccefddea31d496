//! Forming views: when one is due, who coordinates, what members agree to, and who is left out for making no progress.

use super::{Above, Delivered, Installed, Membership, Output, Phase, Round, Upcall};
use crate::ending;
use crate::fifo::{Fifo, Receipt};
use crate::message::{self, Control, Flush, Install};
use crate::order::{Order, Pending};
use crate::promise::Grounds;
use crate::proof::Expiry;
use phalanx_events::{MembershipNote, MessageId, Point};
use phalanx_types::limits::VIEW_COUNTERS_RESERVED;
use phalanx_types::{Bug, Charter, Incarnation, NodeId, NodeSet, Tick, View, ViewId};
use phalanx_wire::Stream;
use std::collections::BTreeMap;
use std::mem;

/// Newcomers are admitted when the picture has been steady for so many beats, so that several come in one view.
const SETTLE_BEATS: u64 = 2;
/// A node that is heard is left out only when the picture has been steady for so many beats.
const DOUBT_BEATS: u64 = 4;
/// A peer that makes no progress for so many detection times is left out of the next view.
const STALL_DETECTS: u64 = 2;

/// How soon a view should change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Urgency {
    /// It is as it should be.
    None,
    /// Somebody may come in, or may count: soon, so that several do at once.
    Settle,
    /// Somebody heard would be left out, because others seem not to hear each other: when that has lasted, since they
    /// notice a lost node at slightly different times.
    Doubt,
    /// Somebody is gone, because this node went over to others along a ring: once they are heard, here at the latest. In
    /// between it would have a view of its own.
    Moving(Tick),
    /// Somebody is gone.
    Now,
}

impl Membership {
    /// What the next view should have: who is wanted, in which life.
    fn wanted(&mut self, now: Tick) -> Vec<Incarnation> {
        let wanted = self.topology.wanted(now);
        let life = |node: NodeId| match node == self.setup.me.node {
            true => Some(self.setup.me),
            false => self.topology.life(node).map(|(life, _)| life),
        };
        wanted.iter().filter_map(life).collect()
    }

    /// Compares what there is with what there should be, and begins a round where this node should.
    pub(super) fn reconsider(&mut self, now: Tick, above: &mut dyn Above) {
        let wanted = self.wanted(now);
        let urgency = self.urgency(now, &wanted, above);
        if urgency == Urgency::None {
            (self.mismatch_since, self.propose_at) = (None, self.stuck_at());
            return;
        }
        let since = *self.mismatch_since.get_or_insert(now);
        let rank = wanted.iter().position(|life| *life == self.setup.me).unwrap_or(0) as u64;
        // The lowest begins; the next ones only if nothing comes of it.
        let due = match urgency {
            Urgency::None | Urgency::Now => since,
            Urgency::Settle => since + self.setup.timings.beat() * SETTLE_BEATS,
            Urgency::Doubt => since + self.setup.timings.beat() * DOUBT_BEATS,
            Urgency::Moving(until) => until,
        };
        self.propose_at = due + self.setup.timings.detect() * rank;
        if now >= self.propose_at {
            match urgency {
                Urgency::Doubt => self.reached(Point::HeardLeftOut),
                Urgency::Now if now >= self.stuck_at() => self.reached(Point::RoundGivenUp),
                Urgency::None | Urgency::Settle | Urgency::Moving(_) | Urgency::Now => {}
            }
            (self.mismatch_since, self.propose_at) = (Some(now), now + self.setup.timings.detect());
            self.propose(now, wanted, above);
        }
    }

    /// When a round that makes no progress is given up.
    fn stuck_at(&self) -> Tick {
        match &self.phase {
            Phase::Installed { .. } => Tick::NEVER,
            Phase::Accepted { round, .. } | Phase::Coordinating { round, .. } => {
                round.since + self.setup.timings.detect()
            }
        }
    }

    fn urgency(&self, now: Tick, wanted: &[Incarnation], above: &mut dyn Above) -> Urgency {
        let lives: Vec<Incarnation> = match &self.phase {
            Phase::Installed { order, .. } => {
                order.view.members.values().map(|member| member.incarnation).collect()
            }
            Phase::Accepted { round, .. } | Phase::Coordinating { round, .. } => round.members.clone(),
        };
        let gone = || lives.iter().filter(|life| !wanted.contains(life));
        let heard = |life: &Incarnation| {
            self.topology.is_mutual(life.node)
                && self.topology.life(life.node).is_some_and(|(now, _)| now == *life)
        };
        match () {
            () if now >= self.stuck_at() => Urgency::Now,
            () if gone().any(heard) => Urgency::Doubt,
            () if gone().next().is_some() => {
                self.topology.moving_until(now).map_or(Urgency::Now, Urgency::Moving)
            }
            () if wanted.iter().any(|life| !lives.contains(life)) => Urgency::Settle,
            () if self.charter.generation > self.formed_in => Urgency::Settle,
            () if self.could_count_more(wanted, above) => Urgency::Settle,
            () => Urgency::None,
        }
    }

    /// Whether a new view with the same members would have more that count.
    fn could_count_more(&self, wanted: &[Incarnation], above: &mut dyn Above) -> bool {
        let Phase::Installed { order, .. } = &self.phase else { return false };
        let waiting = order.view.members.values().filter(|member| !member.counts);
        let mut waiting = waiting.map(|member| member.incarnation.node).peekable();
        waiting.peek().is_some() && (self.all_blank(wanted, above) || waiting.any(|node| self.is_ready(node)))
    }

    fn is_ready(&self, node: NodeId) -> bool {
        match node == self.setup.me.node {
            true => self.ready,
            false => self.topology.flags(node).ready,
        }
    }

    fn all_blank(&self, wanted: &[Incarnation], above: &mut dyn Above) -> bool {
        let blank = |life: &Incarnation| match *life == self.setup.me {
            true => above.is_blank(),
            false => self.topology.flags(life.node).blank,
        };
        wanted.len() == self.all.nodes.len() && wanted.iter().all(blank)
    }

    /// Begins a round with this node as coordinator.
    pub(super) fn propose(&mut self, now: Tick, members: Vec<Incarnation>, above: &mut dyn Above) {
        let counter = self.counter_seen + 1;
        if counter > self.counter_reserved {
            return self.reserve();
        }
        let id = ViewId { counter, coordinator: self.setup.me.node };
        let flush = self.accept(id, &members, above);
        let prepare = message::write(&Control::Prepare { id, members: members.clone() });
        self.send_to_others(&members, &prepare);
        let round = Round { id, members, since: now };
        let flushes = [(self.setup.me.node, flush)].into();
        self.with_order(|order| Phase::Coordinating { round, order, flushes });
        self.try_install(now, above);
    }

    fn reserve(&mut self) {
        let needed = self.counter_seen + VIEW_COUNTERS_RESERVED;
        if needed > self.reserve_asked {
            self.reserve_asked = needed + VIEW_COUNTERS_RESERVED / 2;
            self.out.push_back(Output::Reserve(self.reserve_asked));
        }
    }

    /// Replaces the phase by one with the same order.
    fn with_order(&mut self, next: impl FnOnce(Order) -> Phase) {
        let empty = Order::new(self.setup.me.node, self.order().view.clone(), self.setup.plot);
        let placeholder = Phase::Installed { order: empty, confirmed: false };
        let order = match mem::replace(&mut self.phase, placeholder) {
            Phase::Installed { order, .. }
            | Phase::Accepted { order, .. }
            | Phase::Coordinating { order, .. } => order,
        };
        self.phase = next(order);
    }

    /// Agrees to a proposed view: from here on nobody outside it is granted anything, and the old view is frozen.
    fn accept(&mut self, id: ViewId, members: &[Incarnation], above: &mut dyn Above) -> Flush {
        self.counter_seen = self.counter_seen.max(id.counter);
        self.accepted_id = id;
        self.early.clear();
        let stay = |life: &Incarnation| members.contains(life);
        self.grantees = self.grantees().filter(stay).map(|life| (life.node, life)).collect();
        self.admit_at = Tick::NEVER;
        let nodes = members.iter().map(|life| life.node).collect();
        self.note(MembershipNote::ViewAccepted { id, members: nodes });
        if self.counter_seen + VIEW_COUNTERS_RESERVED / 2 > self.counter_reserved {
            self.reserve();
        }
        let order = self.order();
        Flush {
            life: self.setup.me,
            boot: self.setup.boot,
            ready: self.ready,
            blank: above.is_blank(),
            previous: order.view.id,
            received: order.received(),
            held: order.unstable(),
            promises: BTreeMap::new(),
            passport: above.passport(),
            charter: match self.setup.plot.has(Bug::CharterNotBrought) {
                true => Charter::FIRST,
                false => self.charter.merged(above.charter()),
            },
            fifo: self.fifo.unstable(),
            heard: self.fifo.heard(),
        }
    }

    pub(super) fn on_control(
        &mut self,
        now: Tick,
        from: Incarnation,
        control: Control,
        above: &mut dyn Above,
    ) {
        match control {
            Control::Prepare { id, members } => {
                self.on_prepare(now, from, id, members, above);
                self.tell_parking(id);
            }
            Control::Flush { id, flush } => self.on_flush(now, from, id, flush, above),
            Control::Install(install) => self.on_install(now, from, install),
        }
    }

    fn on_prepare(
        &mut self,
        now: Tick,
        from: Incarnation,
        id: ViewId,
        members: Vec<Incarnation>,
        above: &mut dyn Above,
    ) {
        let sane = id.coordinator == from.node && members.contains(&from) && members.contains(&self.setup.me);
        let old = id <= self.accepted_id && !self.setup.plot.has(Bug::OldProposalAccepted);
        if sane && old && id != self.accepted_id {
            self.reached(Point::OldProposalRefused);
        }
        if !sane || old {
            return;
        }
        if id.counter > self.counter_reserved {
            self.counter_seen = self.counter_seen.max(id.counter);
            self.parked = Some((from, id, members));
            return self.reserve();
        }
        let heard = |life: &Incarnation| {
            *life == self.setup.me
                || (self.topology.hears().has(life.node)
                    && self.topology.life(life.node).is_some_and(|(known, _)| known == *life))
        };
        if !members.iter().all(heard) {
            self.parked = Some((from, id, members));
            return;
        }
        self.parked = None;
        let mut flush = self.accept(id, &members, above);
        flush.promises = self.promises.left(now);
        let reply = message::write(&Control::Flush { id, flush });
        self.send_or_shun(from, Stream::Control, reply);
        let round = Round { id, members, since: now };
        self.with_order(|order| Phase::Accepted { round, order });
    }

    fn tell_parking(&mut self, id: ViewId) {
        match self.parked {
            Some((_, parked, _)) if parked == id && id.counter > self.counter_reserved => {
                self.reached(Point::CountersAwaited);
            }
            Some((_, parked, _)) if parked == id => self.reached(Point::ProposalParked),
            Some(_) | None => {}
        }
    }

    pub(super) fn retry_parked(&mut self, now: Tick, above: &mut dyn Above) {
        if let Some((from, id, members)) = self.parked.take() {
            self.on_prepare(now, from, id, members, above);
        }
    }

    fn on_flush(&mut self, now: Tick, from: Incarnation, id: ViewId, flush: Flush, above: &mut dyn Above) {
        let Phase::Coordinating { round, flushes, .. } = &mut self.phase else { return };
        if round.id == id && round.members.contains(&from) && flush.life == from {
            flushes.insert(from.node, flush);
            self.try_install(now, above);
        }
    }

    /// Installs the view once all have flushed.
    fn try_install(&mut self, now: Tick, above: &mut dyn Above) {
        let Phase::Coordinating { round, flushes, .. } = &mut self.phase else { return };
        if flushes.len() < round.members.len() {
            return;
        }
        let (id, members) = (round.id, round.members.clone());
        let mut flushes = mem::take(flushes);
        if let Some(own) = flushes.get_mut(&self.setup.me.node) {
            // Said now and not when the round began: grants go on until the round is accepted by all.
            own.promises = self.promises.left(now);
            own.blank = above.is_blank();
        }
        let install = ending::install(id, self.all, flushes);
        let bytes = message::write(&Control::Install(install.clone()));
        self.send_to_others(&members, &bytes);
        self.install(now, install);
    }

    fn on_install(&mut self, now: Tick, from: Incarnation, install: Install) {
        let Phase::Accepted { round, .. } = &self.phase else { return };
        let fits = install.view.id == round.id
            && from.node == round.id.coordinator
            && install
                .view
                .members
                .values()
                .map(|member| member.incarnation)
                .eq(round.members.iter().copied());
        if fits {
            self.install(now, install);
        }
    }

    fn install(&mut self, now: Tick, install: Install) {
        let Install { view, previous, mut endings, promises, passports, charter } = install;
        let delivered = endings.iter().map(|(view, ending)| (*view, Delivered::of(ending))).collect();
        let old = self.order().view.id;
        let Some(ending) = endings.remove(&old) else { return };
        if ending.last > self.order().received() {
            self.reached(Point::EndingBringsMessage);
        }
        let Some((rest, returned)) = self.order().clone().end(ending.last, ending.missing) else {
            return self.drop_frame(view.members[&view.id.coordinator].incarnation, "an ending with a hole");
        };
        rest.into_iter().for_each(|message| self.hand_up(old, message, true));
        let lacking = self.setup.plot.has(Bug::VotesNotFlushed);
        for message in ending.fifo.into_iter().filter(|_| !lacking) {
            if self.fifo.receive(&message) == Receipt::New {
                self.hand_up_fifo(old, message, true);
            }
        }
        returned.into_iter().for_each(|pending| self.give_back(pending));
        promises.into_iter().for_each(|(node, left)| self.promises.learn(now, node, left));
        self.take_charter(charter, &view);
        self.begin_view(view, previous, delivered, passports.into_iter().map(|(n, p)| (n, p.0)).collect());
    }

    /// Who is a member is down by nobody's word any more.
    fn take_charter(&mut self, charter: Charter, view: &View) {
        let members = view.members.keys().copied().collect();
        self.formed_in = charter.generation;
        self.set_charter(self.charter.merged(charter).having_seen(members));
    }

    fn give_back(&mut self, pending: Pending) {
        if self.setup.plot.has(Bug::ReturnedLost) {
            return;
        }
        self.note(MembershipNote::Returned {
            message: MessageId { life: self.setup.me, number: pending.number },
        });
        self.out.push_back(Output::Up(Upcall::Returned { body: pending.body }));
    }

    fn begin_view(
        &mut self,
        view: View,
        previous: BTreeMap<NodeId, ViewId>,
        delivered: BTreeMap<ViewId, Delivered>,
        passports: BTreeMap<NodeId, Vec<u8>>,
    ) {
        let me = self.setup.me.node;
        let members: NodeSet = view.members.keys().copied().collect();
        let lost = self.all.nodes.minus(members);
        lost.iter().for_each(|node| self.links.restart(node));
        if view.members[&me].counts && !self.ready {
            self.reached(Point::AllBlankCount);
        }
        self.ready |= view.members[&me].counts;
        (self.ack_told, self.ack_told_bytes) = (0, 0);
        self.stalled.clear();
        (self.mismatch_since, self.propose_at) = (None, Tick::NEVER);
        (self.beat_now, self.urgent) = (true, true);
        let transitional = previous.iter().filter(|(_, from)| **from == previous[&me]).map(|(node, _)| *node);
        self.note(MembershipNote::ViewInstalled {
            view: view.clone(),
            previous: previous[&me],
            transitional: transitional.collect(),
        });
        let charter = self.charter;
        let grounds = Grounds { class: self.setup.class, confirmed_down: charter.confirmed_down };
        let expiries = self.promises.expiries(lost, &self.setup.timings, grounds);
        self.admit_at = expiries.values().map(Expiry::until).max().unwrap_or(Tick::ZERO);
        let known = |life: &Incarnation| self.grantees.contains_key(&life.node) || *life == self.setup.me;
        let lives = view.members.values().map(|member| member.incarnation);
        if self.admit_at > self.now && !lives.clone().all(|life| known(&life)) {
            self.reached(Point::GrantsWithheld);
        }
        self.fifo = Fifo::new(me, &view);
        self.phase = Phase::Installed { order: self.new_order(view.clone()), confirmed: false };
        self.unseen_installs += 1;
        let installed = Installed { view, previous, delivered, passports, expiries, charter };
        self.out.push_back(Output::Up(Upcall::Installed(Box::new(installed))));
        mem::take(&mut self.early).into_iter().for_each(|(from, traffic)| self.on_traffic(from, traffic));
    }

    /// A view of which nothing was received here. What others have said of it before counts: they say it once.
    fn new_order(&self, view: View) -> Order {
        let said = |node: &NodeId| Some((*node, self.topology.progress(*node)?));
        let said: Vec<_> = view.members.keys().filter_map(said).collect();
        let id = view.id;
        let mut order = Order::new(self.setup.me.node, view, self.setup.plot);
        for (node, (_, received)) in said.into_iter().filter(|(_, (view, _))| *view == id) {
            order.acknowledge(node, received);
        }
        order
    }

    /// A quorum that has installed this view can no longer decide anything in an older one.
    pub(super) fn confirm(&mut self) {
        let Phase::Installed { order, confirmed: false } = &self.phase else { return };
        let (me, id) = (self.setup.me.node, order.view.id);
        let has_it =
            |node: NodeId| node == me || self.topology.progress(node).is_some_and(|(view, _)| view == id);
        let at_once = self.setup.plot.has(Bug::ConfirmedAtOnce);
        let have_it = order.view.counting().iter().filter(|node| at_once || has_it(*node)).collect();
        if order.view.primary && self.charter.is_met(have_it, self.all) {
            if let Phase::Installed { confirmed, .. } = &mut self.phase {
                *confirmed = true;
            }
            self.note(MembershipNote::ViewConfirmed { id });
            if !self.all.has_quorum(have_it) && self.charter.few().is_none() {
                self.reached(Point::FewAct);
            }
        }
    }

    /// Leaves out whoever beats but makes no progress: with ordered messages, with a flush, or with the view itself. Who is
    /// given grace is behind for as long as that lasts, but no view that is being formed waits for it.
    pub(super) fn watch_progress(&mut self, now: Tick) {
        let patience = self.setup.timings.detect() * STALL_DETECTS;
        let patience = match &self.phase {
            Phase::Installed { .. } => patience + self.setup.timings.grace(),
            Phase::Accepted { .. } | Phase::Coordinating { .. } => patience,
        };
        let behind: NodeSet = match &self.phase {
            Phase::Installed { order, .. } => {
                let slow = |node: &NodeId| {
                    let has_view =
                        self.topology.progress(*node).is_some_and(|(view, _)| view == order.view.id);
                    !has_view || order.acked(*node) < order.received()
                };
                order.view.members.keys().copied().filter(slow).collect()
            }
            Phase::Coordinating { round, flushes, .. } => {
                let nodes = round.members.iter().map(|life| life.node);
                nodes.filter(|node| !flushes.contains_key(node)).collect()
            }
            Phase::Accepted { .. } => NodeSet::EMPTY,
        };
        let behind = behind.without(self.setup.me.node);
        self.stalled.retain(|node, _| behind.has(*node));
        for node in behind.iter() {
            let acked = self.order().acked(node);
            let (since, known) = *self.stalled.entry(node).or_insert((now, acked));
            if acked > known {
                self.stalled.insert(node, (now, acked));
            } else if now.since(since) >= patience {
                self.exclude(now, node);
            }
        }
    }

    fn exclude(&mut self, now: Tick, node: NodeId) {
        self.stalled.remove(&node);
        if let Some((life, _)) = self.topology.life(node).filter(|_| self.topology.hears().has(node)) {
            self.note(MembershipNote::MemberStalled { life });
            self.topology.shun(now, node);
        }
    }
}
