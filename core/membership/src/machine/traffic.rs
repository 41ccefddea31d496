//! Messages in the installed view: handed in, numbered, received, acknowledged, delivered.

use super::{Above, Membership, Output, Phase, SendError, Upcall};
use crate::fifo::{FifoMessage, Receipt};
use crate::links::Outbound;
use crate::message::{self, Control, Ordered, Traffic};
use crate::order::Pending;
use phalanx_events::{MembershipNote, MessageId, Point, Service};
use phalanx_types::limits::{MESSAGE_BYTES_MAX, WINDOW_BYTES_MAX, WINDOW_MESSAGES_MAX};
use phalanx_types::{Bug, Digest, Incarnation, NodeId, Shared, Tick, ViewId};
use phalanx_wire::{Ack, Segment, Stream};

/// Messages of a view that is being formed, kept until it is installed. A member that needs more is left behind and
/// excluded.
const EARLY_MESSAGES_MAX: usize = 4 * WINDOW_MESSAGES_MAX;
/// Acknowledge at the latest after so many messages, even if nobody waits for it …
const ACK_EVERY: u64 = WINDOW_MESSAGES_MAX as u64 / 4;
/// … and after so many bytes, long before the sequencer runs out of credit.
const ACK_EVERY_BYTES: u64 = WINDOW_BYTES_MAX as u64 / 8;

/// What came by a link, if it is what comes there.
enum Heard {
    Control(Option<Box<Control>>),
    Traffic(Option<Traffic>),
}

impl Membership {
    /// Hands in a message for the agreed order of the installed view.
    pub fn send(&mut self, service: Service, body: Vec<u8>) -> Result<MessageId, SendError> {
        let Phase::Installed { order, .. } = &mut self.phase else { return Err(SendError::Changing) };
        if body.len() > MESSAGE_BYTES_MAX {
            return Err(SendError::TooLong);
        }
        if !order.has_room() {
            return Err(SendError::Full);
        }
        self.stirred = true;
        self.message_number += 1;
        let id = MessageId { life: self.setup.me, number: self.message_number };
        let view = order.view.id;
        let pending = Pending { number: id.number, service, body: body.into() };
        order.keep(pending.clone());
        if self.remarks.are_made() {
            let digest = Digest::of(&pending.body);
            self.note(MembershipNote::Sent { message: id, view, digest, service });
        }
        self.submit(pending);
        Ok(id)
    }

    /// Sends a message to every member of the installed view in no order but this sender's. It is delivered here before
    /// this returns, and everywhere that this member goes on with.
    pub fn send_fifo(&mut self, body: Vec<u8>) -> Result<MessageId, SendError> {
        let Phase::Installed { order, .. } = &self.phase else { return Err(SendError::Changing) };
        if body.len() > MESSAGE_BYTES_MAX {
            return Err(SendError::TooLong);
        }
        if !self.fifo.has_room() {
            return Err(SendError::Full);
        }
        self.stirred = true;
        self.fifo_number += 1;
        let id = MessageId { life: self.setup.me, number: self.fifo_number };
        let view = order.view.id;
        if self.remarks.are_made() {
            self.note(MembershipNote::FifoSent { message: id, view, digest: Digest::of(&body) });
        }
        let after = self.fifo.heard_here(self.setup.me.node);
        let message = FifoMessage { sender: id.life, number: id.number, after, body };
        self.send_to_members(&Traffic::Fifo { view, message: message.clone() });
        self.fifo.receive(&message);
        self.hand_up_fifo(view, message, false);
        Ok(id)
    }

    /// Sends replicated state to a member of the installed view, outside the order.
    pub fn send_state(&mut self, to: NodeId, body: Vec<u8>) {
        let Phase::Installed { order, .. } = &self.phase else { return };
        let Some(member) = order.view.members.get(&to).map(|member| member.incarnation) else { return };
        let message = message::write_traffic(&Traffic::State { view: order.view.id, body });
        self.stirred = true;
        self.send_or_shun(member, Stream::Data, message);
    }

    pub(super) fn on_segment(
        &mut self,
        now: Tick,
        from: Incarnation,
        segment: &Segment<'_>,
        above: &mut dyn Above,
    ) {
        if self.topology.life(from.node).is_none_or(|(life, _)| life != from) {
            return self.drop_frame(from, "segment of a life that is not heard");
        }
        let read = |stream, message: Shared| match stream {
            Stream::Control => Heard::Control(message::read(&message).map(Box::new)),
            Stream::Vote | Stream::Data => Heard::Traffic(message::read_traffic(&message)),
        };
        for heard in self.links.receive(now, from, segment, read) {
            match heard {
                Heard::Control(Some(control)) => self.on_control(now, from, *control, above),
                Heard::Control(None) => self.drop_frame(from, "not a membership message"),
                Heard::Traffic(Some(traffic)) => self.on_traffic(from, traffic),
                Heard::Traffic(None) => self.drop_frame(from, "not a message of a view"),
            }
        }
    }

    pub(super) fn on_traffic(&mut self, from: Incarnation, traffic: Traffic) {
        let order = match &mut self.phase {
            Phase::Installed { order, .. } => order,
            Phase::Accepted { round, .. }
                if traffic.view() == round.id && self.early.len() < EARLY_MESSAGES_MAX =>
            {
                if self.setup.plot.has(Bug::EarlyMessagesLost) {
                    return;
                }
                self.early.push((from, traffic));
                return self.reached(Point::MessageBeforeView);
            }
            // The old view is frozen, and a coordinator installs first.
            Phase::Accepted { .. } | Phase::Coordinating { .. } => return,
        };
        match traffic {
            Traffic::Submit { view, number, service, body } if view == order.view.id => {
                order.queue(from, Pending { number, service, body });
                self.sequence();
            }
            Traffic::Ordered { view, message }
                if view == order.view.id && from.node == order.view.sequencer() =>
            {
                order.receive(message);
            }
            Traffic::State { view, body } if view == order.view.id => {
                self.out.push_back(Output::Up(Upcall::State { from: from.node, body }));
            }
            Traffic::Fifo { view, message } if view == order.view.id && message.sender == from => {
                self.on_fifo(view, message);
            }
            Traffic::Heard { view, heard } if view == order.view.id => self.fifo.learn(from.node, heard),
            // Of a view that is over, or not begun here: what matters of it comes with the ending of that view.
            Traffic::Submit { .. }
            | Traffic::Ordered { .. }
            | Traffic::State { .. }
            | Traffic::Fifo { .. }
            | Traffic::Heard { .. } => {}
        }
    }

    fn submit(&mut self, pending: Pending) {
        let Phase::Installed { order, .. } = &mut self.phase else { return };
        let sequencer = order.view.sequencer();
        if sequencer == self.setup.me.node {
            order.queue(self.setup.me, pending);
            return self.sequence();
        }
        let life = order.view.members[&sequencer].incarnation;
        let Pending { number, service, body } = pending;
        let message = message::write_traffic(&Traffic::Submit { view: order.view.id, number, service, body });
        self.send_or_shun(life, Stream::Vote, message);
    }

    /// At the sequencer: numbers what waits and sends it to all.
    pub(super) fn sequence(&mut self) {
        let Phase::Installed { order, .. } = &mut self.phase else { return };
        if order.view.sequencer() != self.setup.me.node {
            return;
        }
        let (view, numbered) = (order.view.id, order.number());
        for message in numbered {
            self.send_to_members(&Traffic::Ordered { view, message });
        }
    }

    /// A sender of whom something is missing cannot be gone on with: at the end of the view the others have it.
    fn on_fifo(&mut self, view: ViewId, message: FifoMessage) {
        match self.fifo.receive(&message) {
            Receipt::New => {
                self.hand_up_fifo(view, message, false);
                self.tell_heard(view);
            }
            Receipt::Known => {}
            Receipt::Gap => {
                self.note(MembershipNote::MemberStalled { life: message.sender });
                self.topology.shun(self.now, message.sender.node);
            }
        }
    }

    /// Tells the others how far this member has heard them, every so often: what all have nobody keeps.
    fn tell_heard(&mut self, view: ViewId) {
        if let Some(heard) = self.fifo.tell() {
            self.send_to_members(&Traffic::Heard { view, heard });
        }
    }

    fn send_to_members(&mut self, traffic: &Traffic) {
        let bytes = message::write_traffic(traffic);
        for life in self.other_members() {
            self.send_or_shun(life, Stream::Vote, bytes.clone());
        }
    }

    fn other_members(&self) -> Vec<Incarnation> {
        let lives = self.order().view.members.values().map(|member| member.incarnation);
        lives.filter(|life| *life != self.setup.me).collect()
    }

    /// A peer whose link takes nothing more has stalled for longer than any queue of ours may grow.
    pub(super) fn send_or_shun(&mut self, to: Incarnation, stream: Stream, message: Shared) {
        if !self.links.send(to, stream, message) {
            self.note(MembershipNote::MemberStalled { life: to });
            self.topology.shun(self.now, to.node);
        }
    }

    pub(super) fn send_to_others(&mut self, members: &[Incarnation], control: &Shared) {
        let me = self.setup.me;
        for life in members.iter().filter(|life| **life != me) {
            self.send_or_shun(*life, Stream::Control, control.clone());
        }
    }

    pub(super) fn on_ack(&mut self, from: Incarnation, view: ViewId, received: u64) {
        let Phase::Installed { order, .. } = &mut self.phase else { return };
        if view == order.view.id && order.view.has_life(from) {
            order.acknowledge(from.node, received);
            self.sequence();
        }
    }

    pub(super) fn deliver(&mut self) {
        while let Phase::Installed { order, .. } = &mut self.phase {
            let Some(message) = order.deliver() else { return };
            let view = order.view.id;
            self.hand_up(view, message, false);
        }
    }

    pub(super) fn hand_up(&mut self, view: ViewId, message: Ordered, transitional: bool) {
        if self.remarks.are_made() {
            self.note(MembershipNote::Delivered {
                message: message.id(),
                view,
                sequence: message.sequence,
                digest: Digest::of(&message.body),
                service: message.service,
                transitional,
            });
        }
        let Ordered { sequence, sender, body, .. } = message;
        self.out.push_back(Output::Up(Upcall::Delivered { sender, body, sequence }));
    }

    pub(super) fn hand_up_fifo(&mut self, view: ViewId, message: FifoMessage, transitional: bool) {
        let FifoMessage { sender, number, body, .. } = message;
        if self.remarks.are_made() {
            self.note(MembershipNote::FifoDelivered {
                message: MessageId { life: sender, number },
                view,
                digest: Digest::of(&body),
                transitional,
            });
        }
        self.out.push_back(Output::Up(Upcall::Fifo { sender, body }));
    }

    /// Tells the other members how far messages were received, where somebody may be waiting to know.
    pub(super) fn acknowledge(&mut self, now: Tick) {
        let Phase::Installed { order, .. } = &self.phase else { return };
        let (view, received) = (order.view.id, order.received());
        let new = received - self.ack_told.min(received);
        let new_bytes = order.received_bytes() - self.ack_told_bytes;
        if new == 0
            || !(order.awaits_safety(self.ack_told) || new >= ACK_EVERY || new_bytes >= ACK_EVERY_BYTES)
        {
            return;
        }
        (self.ack_told, self.ack_told_bytes) = (received, order.received_bytes());
        let bytes = Shared::from(Ack { view, received }.encode());
        for life in self.other_members() {
            if let Some(path) = self.topology.route(now, life.node, 0) {
                let (to, bytes) = (life.node, bytes.clone());
                self.out.push_back(Output::Send { to, path, stream: Stream::Vote, bytes });
            }
        }
    }

    pub(super) fn pump(&mut self, now: Tick) {
        self.links.poll(now, &self.topology, &self.setup.timings, |Outbound { to, path, stream, bytes }| {
            self.out.push_back(Output::Send { to, path, stream, bytes });
        });
    }
}
