//! Toy cores, to try the simulator on: one that only beats, and one that keeps a service alive by heartbeats alone.
//!
//! The second is what a cluster manager without leases and views amounts to. The oracle must find it out.

use crate::node::{Factory, SimNode};
use crate::setting::Setting;
use phalanx_events::{MembershipNote, Note};
use phalanx_node::{Birth, Effect, Input, Lane};
use phalanx_types::{
    Member, NetworkId, NodeId, Operation, OperationId, OperationResult, OwnershipEpoch, PathId, Permit, Span,
    Tick, Verb, View, ViewId,
};
use std::collections::BTreeMap;

/// What a toy does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// It beats.
    Quiet,
    /// It also starts the service where it hears nobody with a lower number, and stops it elsewhere.
    Naive,
    /// It starts the service at once and never stops it again; its lease is never renewed.
    Stubborn,
    /// On node 1 it keeps the service alive as well as a single node can: with a lease of its own making, renewed with
    /// each beat, and letting go when its deadman is gone. Whatever the faults, the deadman must keep it honest.
    Diligent,
}

/// Makes toys.
#[derive(Clone, Copy, Debug)]
pub struct Toys(pub Manner);

/// One life of a toy.
pub struct Toy {
    manner: Manner,
    me: NodeId,
    nodes: u8,
    networks: u8,
    view: ViewId,
    next_beat: Tick,
    heard: BTreeMap<NodeId, Tick>,
    fed: bool,
    holds: bool,
    operations: u64,
    lease: Tick,
    /// The next of the service's resources to start, and whether an operation is under way.
    next: usize,
    busy: bool,
    /// The last answer was no good, or something ended: clear up before starting again.
    dirty: bool,
}

const BEAT: Span = Span::from_millis(25);
const SILENCE: Span = Span::from_millis(400);
const LEASE: Span = Span::from_secs(1);
const OWN_LEASE: Span = Span::from_millis(500);
const STOP_BUDGET: Span = Span::from_millis(120);
const RESOURCES: [&str; 3] = ["shop-ip", "shop-data", "shop-app"];

impl Factory for Toys {
    type Node = Toy;

    fn first_ledger(&self, setting: &Setting) -> Vec<u8> {
        vec![setting.nodes as u8, setting.networks as u8]
    }

    fn born(&self, birth: Birth, out: &mut Vec<Effect>) -> Toy {
        let view = ViewId { counter: birth.me.start, coordinator: birth.me.node };
        let member = Member { incarnation: birth.me, boot: birth.boot, counts: false };
        let members = BTreeMap::from([(birth.me.node, member)]);
        let transitional = [birth.me.node].into();
        let view_of_one = View { id: view, members, primary: self.0 == Manner::Diligent };
        let note = MembershipNote::ViewInstalled { view: view_of_one, previous: ViewId::NONE, transitional };
        out.push(Effect::Note(Note::Membership(note)));
        if self.0 == Manner::Stubborn {
            out.push(Effect::Feed { until: birth.now + LEASE });
        }
        Toy {
            manner: self.0,
            me: birth.me.node,
            nodes: birth.stored.ledger[0],
            networks: birth.stored.ledger[1],
            view,
            next_beat: birth.now,
            heard: BTreeMap::new(),
            fed: false,
            holds: false,
            operations: 0,
            lease: Tick::ZERO,
            next: 0,
            busy: false,
            dirty: false,
        }
    }

    fn is_live(&self) -> bool {
        false
    }

    fn planted(&self) -> Vec<(&'static str, Toys)> {
        vec![("heartbeats-for-leases", Toys(Manner::Naive))]
    }
}

impl Toy {
    fn beat(&self, out: &mut Vec<Effect>) {
        for to in (1..=u16::from(self.nodes)).map(NodeId).filter(|to| *to != self.me) {
            for network in (0..self.networks).map(NetworkId) {
                let path = PathId { network, index: 0 };
                out.push(Effect::Send { to, path, lane: Lane::Beat, bytes: vec![7; 96].into() });
            }
        }
    }

    fn operate(&mut self, verb: Verb, epoch: u64, out: &mut Vec<Effect>) {
        self.operate_on(0, verb, epoch, out);
    }

    fn operate_on(&mut self, resource: usize, verb: Verb, epoch: u64, out: &mut Vec<Effect>) {
        self.operations += 1;
        out.push(Effect::Operate(Operation {
            id: OperationId(self.operations),
            group: "shop".parse().expect("a good name"),
            resource: RESOURCES[resource].parse().expect("a good name"),
            verb,
            epoch: OwnershipEpoch(epoch),
            limit: Span::from_secs(1),
        }));
    }

    fn manage(&mut self, now: Tick, out: &mut Vec<Effect>) {
        let hears_lower = self.heard.iter().any(|(node, at)| *node < self.me && now.since(*at) < SILENCE);
        let wanted = match self.manner {
            Manner::Quiet => return,
            Manner::Diligent => return self.keep_alive(now, out),
            Manner::Naive => !hears_lower,
            Manner::Stubborn => self.me == NodeId(1) && (self.fed || self.holds),
        };
        if self.manner == Manner::Naive {
            out.push(Effect::Feed { until: now + LEASE });
        }
        if wanted != self.holds {
            self.holds = wanted;
            let permit = Permit { view: self.view, valid_until: now + LEASE };
            self.operate(if wanted { Verb::Start(permit) } else { Verb::Stop }, now.0, out);
        }
    }
}

impl Toy {
    /// Takes the next step toward a running service, one operation at a time.
    fn keep_alive(&mut self, now: Tick, out: &mut Vec<Effect>) {
        if self.me != NodeId(1) {
            return;
        }
        out.push(Effect::Feed { until: now + OWN_LEASE });
        let valid_until = self.lease.before(STOP_BUDGET);
        if self.dirty && !self.busy {
            self.dirty = false;
            self.next = 0;
            (0..RESOURCES.len()).for_each(|resource| self.operate_on(resource, Verb::Kill, 0, out));
        } else if !self.busy && self.next < RESOURCES.len() && now < valid_until {
            self.busy = true;
            let permit = Permit { view: self.view, valid_until };
            self.operate_on(self.next, Verb::Start(permit), self.view.counter, out);
        }
    }

    fn take_in(&mut self, input: &Input) {
        if let Input::Fed { until } | Input::Due { fed: Some(until), .. } = input {
            self.lease = *until;
        }
        if matches!(input, Input::Unfed) {
            (self.lease, self.dirty, self.busy) = (Tick::ZERO, true, false);
        }
        self.dirty |= matches!(input, Input::Ended { .. });
        if let Input::Operated { id, result } = input
            && id.0 == self.operations
            && self.busy
        {
            self.busy = false;
            match result {
                OperationResult::Done | OperationResult::Placed { .. } => self.next += 1,
                OperationResult::Stale => (),
                OperationResult::Failed(_)
                | OperationResult::TimedOut
                | OperationResult::Active { .. }
                | OperationResult::Inactive => self.dirty = true,
            }
        }
    }
}

impl SimNode for Toy {
    fn step(&mut self, now: Tick, input: Input, out: &mut Vec<Effect>) {
        self.take_in(&input);
        self.fed |= matches!(input, Input::Fed { .. } | Input::Due { fed: Some(_), .. });
        if let Input::Arrived(arrivals) = input {
            self.heard.extend(arrivals.iter().map(|arrival| (arrival.from.node, now)));
        }
        if now >= self.next_beat {
            self.next_beat = now + BEAT;
            self.beat(out);
            self.manage(now, out);
        }
    }

    fn wake_at(&self) -> Tick {
        self.next_beat
    }
}
