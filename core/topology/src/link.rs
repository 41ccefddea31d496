//! A reliable link to one life of one peer: three streams of messages, sent in segments, again until acknowledged.
//!
//! Each stream delivers its messages whole, in order, once, for as long as both ends live and neither starts a new
//! generation. A stream is its messages one behind the other, each with its length before it; a segment is as much of that
//! as fits, so that small messages which wait share one. Streams do not wait for each other; the most urgent goes first.
//! Which path a segment takes is the caller's choice; a segment sent again should take another one.

use phalanx_types::limits::{FRAME_BODY_BYTES_MAX, LINK_MESSAGE_BYTES_MAX};
use phalanx_types::{Shared, Span, Tick, Timings};
use phalanx_wire::{SEGMENT_HEAD_BYTES, Segment, Stream};
use std::collections::{BTreeMap, VecDeque};
use std::mem;

/// Segments of a stream that may be under way at once. An acknowledgement tells apart the first 64 of them behind one that is
/// missing; the others are acknowledged when that has come.
const WINDOW_SEGMENTS: usize = 256;
/// Bytes that may wait in a stream. A peer that does not drain them is stalled, and membership leaves it out.
const QUEUE_BYTES_MAX: usize = 2 * LINK_MESSAGE_BYTES_MAX;
/// Segments after which an acknowledgement does not wait for something to ride along with any more …
const ACK_EVERY: usize = WINDOW_SEGMENTS / 8;
/// … and the part of a beat's interval after which it does not either: less than the sender waits before it sends again.
const ACK_WAIT_PART: u64 = 16;
/// Frames that were acknowledged and whose memory is used again, of each stream.
const SPARE_FRAMES_MAX: usize = 64;
/// How often the wait before sending again doubles.
const BACKOFF_DOUBLINGS_MAX: u32 = 5;
/// Bytes of a length.
const LENGTH_BYTES: usize = size_of::<u32>();

/// The stream has more waiting than it may hold, or the message is longer than any may be. Nothing was queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkFull;

/// One segment to send now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// The stream it belongs to.
    pub stream: Stream,
    /// How often it was sent before.
    pub tries: u32,
    /// The encoded frame.
    pub bytes: Shared,
}

/// Both directions of a link.
#[derive(Clone, Debug)]
pub struct Link {
    generation: u64,
    outgoing: [Outgoing; 3],
    incoming: [Incoming; 3],
    /// Smoothed round-trip time of segments that were sent once.
    round_trip: Span,
}

#[derive(Clone, Debug)]
struct Outgoing {
    /// The number of the first of `pieces`, less one.
    acked: u64,
    /// What was sent and is not acknowledged.
    pieces: VecDeque<Piece>,
    /// When the first of them is to be sent again, or sooner.
    resend_at: Tick,
    /// Messages that were not sent, or not whole.
    waiting: VecDeque<Shared>,
    /// How much of the first of them was sent, its length included.
    taken: usize,
    /// Of all that is not acknowledged.
    bytes: usize,
    /// Memory of frames to come.
    spare: Vec<Vec<u8>>,
}

#[derive(Clone, Debug)]
struct Piece {
    /// As it is sent; its head is written when it is, for that says what was received by then.
    frame: Shared,
    sent: Tick,
    /// When to send it again.
    due: Tick,
    tries: u32,
    acked: bool,
}

#[derive(Clone, Debug, Default)]
struct Incoming {
    generation: u64,
    received: u64,
    ahead: BTreeMap<u64, Vec<u8>>,
    partial: Vec<u8>,
    /// The peer promised a message that is longer than any may be: nothing more of this generation is believed.
    spoilt: bool,
    /// Segments that came since the last acknowledgement.
    unacknowledged: usize,
    /// When the first of those came.
    since: Tick,
}

impl Link {
    /// A link with nothing under way. `generation` must be higher than that of every earlier link of this life to that
    /// peer.
    pub fn new(generation: u64) -> Link {
        let round_trip = Span::from_millis(1);
        Link { generation, outgoing: Default::default(), incoming: Default::default(), round_trip }
    }

    /// Forgets what waits to be sent; the other direction goes on.
    pub fn restart(&mut self, generation: u64) {
        self.generation = generation;
        self.outgoing = Default::default();
    }

    /// Queues a message.
    pub fn send(&mut self, stream: Stream, message: Shared) -> Result<(), LinkFull> {
        let outgoing = &mut self.outgoing[stream.index()];
        let bytes = outgoing.bytes + LENGTH_BYTES + message.len();
        if bytes > QUEUE_BYTES_MAX || message.len() > LINK_MESSAGE_BYTES_MAX {
            return Err(LinkFull);
        }
        outgoing.bytes = bytes;
        outgoing.waiting.push_back(message);
        Ok(())
    }

    /// Takes in a segment; hands each message that it completes to `deliver`.
    pub fn receive(&mut self, now: Tick, segment: &Segment<'_>, mut deliver: impl FnMut(Stream, Shared)) {
        let index = segment.stream.index();
        if segment.ack_generation == self.generation {
            let measured = self.outgoing[index].acknowledge(now, segment.ack, segment.ack_bits);
            if let Some(round_trip) = measured {
                self.round_trip = (self.round_trip * 7 + round_trip) / 8;
            }
        }
        self.incoming[index].receive(now, segment, |message| deliver(segment.stream, message));
    }

    /// The next segment to send now, if any; call until there is none. Acknowledgements ride along, or go alone.
    pub fn poll(&mut self, now: Tick, timings: &Timings) -> Option<Transmit> {
        let patience = Patience::of(self.round_trip, timings);
        let acknowledges = self.incoming.each_ref().map(|incoming| incoming.acknowledges_at(timings) <= now);
        let poll = |stream: Stream| self.poll_stream(stream, now, patience, acknowledges[stream.index()]);
        Stream::ALL.into_iter().find_map(poll)
    }

    /// When [`Link::poll`] has something next if nothing arrives.
    pub fn wake_at(&self, timings: &Timings) -> Tick {
        let next = |outgoing: &Outgoing| if outgoing.can_cut() { Tick::ZERO } else { outgoing.resend_at };
        let acks = self.incoming.iter().map(|incoming| incoming.acknowledges_at(timings));
        self.outgoing.iter().map(next).chain(acks).min().unwrap_or(Tick::NEVER)
    }

    /// Whether anything waits to be sent or acknowledged.
    pub fn is_idle(&self) -> bool {
        self.outgoing.iter().all(|outgoing| outgoing.bytes == 0)
            && self.incoming.iter().all(|incoming| incoming.unacknowledged == 0)
    }

    fn poll_stream(
        &mut self,
        stream: Stream,
        now: Tick,
        patience: Patience,
        acknowledges: bool,
    ) -> Option<Transmit> {
        let generation = self.generation;
        let incoming = &mut self.incoming[stream.index()];
        let due = self.outgoing[stream.index()].take_due(now, patience);
        if due.is_none() && !acknowledges {
            return None;
        }
        incoming.unacknowledged = 0;
        let (ack, ack_bits) = incoming.acknowledgement();
        let ack_generation = incoming.generation;
        let head = |number| Segment { stream, generation, number, ack_generation, ack, ack_bits, bytes: &[] };
        let Some((number, tries, frame)) = due else {
            return Some(Transmit { stream, tries: 0, bytes: head(0).encode().into() });
        };
        head(number).write_head(frame.make_mut());
        Some(Transmit { stream, tries, bytes: frame.clone() })
    }
}

/// How long to wait for an acknowledgement before sending again.
#[derive(Clone, Copy)]
struct Patience {
    first: Span,
    longest: Span,
}

impl Patience {
    fn of(round_trip: Span, timings: &Timings) -> Patience {
        let longest = timings.detect() / 4;
        Patience { first: (round_trip * 4).max(timings.beat() / 4).at_most(longest), longest }
    }

    /// The wait after so many tries.
    fn after(self, tries: u32) -> Span {
        let doublings = tries.saturating_sub(1).min(BACKOFF_DOUBLINGS_MAX);
        (self.first * (1 << doublings)).at_most(self.longest)
    }
}

impl Default for Outgoing {
    fn default() -> Outgoing {
        let (pieces, waiting) = (VecDeque::new(), VecDeque::new());
        Outgoing { acked: 0, pieces, resend_at: Tick::NEVER, waiting, taken: 0, bytes: 0, spare: Vec::new() }
    }
}

impl Outgoing {
    fn can_cut(&self) -> bool {
        self.pieces.len() < WINDOW_SEGMENTS && !self.waiting.is_empty()
    }

    /// What is to be sent now: what is late, then what is new.
    fn take_due(&mut self, now: Tick, patience: Patience) -> Option<(u64, u32, &mut Shared)> {
        if let Some(index) = self.late(now) {
            let piece = &mut self.pieces[index];
            let tries = piece.tries;
            piece.tries = piece.tries.saturating_add(1);
            (piece.sent, piece.due) = (now, now + patience.after(piece.tries));
            return Some((self.acked + 1 + index as u64, tries, &mut piece.frame));
        }
        if !self.can_cut() {
            return None;
        }
        let (frame, due) = (self.cut().into(), now + patience.after(1));
        self.resend_at = self.resend_at.min(due);
        self.pieces.push_back(Piece { frame, sent: now, due, tries: 1, acked: false });
        let number = self.acked + self.pieces.len() as u64;
        let piece = self.pieces.back_mut().expect("it was just put there");
        Some((number, 0, &mut piece.frame))
    }

    /// The first piece that is to be sent again.
    fn late(&mut self, now: Tick) -> Option<usize> {
        if now < self.resend_at {
            return None;
        }
        let open = || self.pieces.iter().enumerate().filter(|(_, piece)| !piece.acked);
        let late = open().find(|(_, piece)| piece.due <= now).map(|(index, _)| index);
        if late.is_none() {
            self.resend_at = open().map(|(_, piece)| piece.due).min().unwrap_or(Tick::NEVER);
        }
        late
    }

    /// A frame with as much of what waits as fits into a segment, and room for the head.
    fn cut(&mut self) -> Vec<u8> {
        const FULL: usize = SEGMENT_HEAD_BYTES + FRAME_BODY_BYTES_MAX;
        let mut piece = self.spare.pop().unwrap_or_default();
        piece.reserve_exact(FULL.min(SEGMENT_HEAD_BYTES + self.bytes));
        piece.resize(SEGMENT_HEAD_BYTES, 0);
        while piece.len() < FULL
            && let Some(message) = self.waiting.front()
        {
            let length = (message.len() as u32).to_le_bytes();
            for part in [
                &length[self.taken.min(LENGTH_BYTES)..],
                &message[self.taken.max(LENGTH_BYTES) - LENGTH_BYTES..],
            ] {
                let fits = part.len().min(FULL - piece.len());
                piece.extend_from_slice(&part[..fits]);
                self.taken += fits;
            }
            if self.taken == LENGTH_BYTES + message.len() {
                self.waiting.pop_front();
                self.taken = 0;
            }
        }
        piece
    }

    /// Drops what was received; gives the round trip of the newest piece that was sent only once.
    fn acknowledge(&mut self, now: Tick, ack: u64, bits: u64) -> Option<Span> {
        let mut measured = None;
        for (number, piece) in (self.acked + 1..).zip(self.pieces.iter_mut()) {
            let beyond = number.checked_sub(ack.saturating_add(2));
            let listed = beyond.is_some_and(|place| place < 64 && bits >> place & 1 == 1);
            if (number <= ack || listed) && !piece.acked {
                piece.acked = true;
                measured = (piece.tries == 1).then(|| now.since(piece.sent)).or(measured);
            }
        }
        while let Some(piece) = self.pieces.pop_front_if(|piece| piece.acked) {
            self.bytes -= piece.frame.len() - SEGMENT_HEAD_BYTES;
            self.acked += 1;
            if self.spare.len() < SPARE_FRAMES_MAX
                && let Some(mut memory) = piece.frame.reclaim()
            {
                memory.clear();
                self.spare.push(memory);
            }
        }
        if self.pieces.is_empty() {
            self.resend_at = Tick::NEVER;
        }
        measured
    }
}

impl Incoming {
    fn receive(&mut self, now: Tick, segment: &Segment<'_>, mut deliver: impl FnMut(Shared)) {
        if segment.generation > self.generation {
            *self = Incoming { generation: segment.generation, ..Incoming::default() };
        }
        if segment.generation < self.generation || segment.number == 0 || self.spoilt {
            return;
        }
        if self.unacknowledged == 0 {
            self.since = now;
        }
        self.unacknowledged += 1;
        if segment.number == self.received + 1 && self.ahead.is_empty() {
            self.received += 1;
            return self.append(segment.bytes, &mut deliver);
        }
        if segment.number > self.received && segment.number <= self.received + WINDOW_SEGMENTS as u64 {
            self.ahead.insert(segment.number, segment.bytes.to_vec());
        }
        while !self.spoilt
            && let Some(bytes) = self.ahead.remove(&(self.received + 1))
        {
            self.received += 1;
            self.append(&bytes, &mut deliver);
        }
    }

    /// Delivers what is whole, each message in memory of its own, and keeps the rest. Memory grows with what came; of what was
    /// promised there is room for no more than a frame brings.
    fn append(&mut self, mut bytes: &[u8], deliver: &mut impl FnMut(Shared)) {
        while !bytes.is_empty() && !self.spoilt {
            if self.partial.is_empty() {
                // Most messages are so short that this is all.
                self.partial.reserve_exact(LENGTH_BYTES + promised(bytes).min(FRAME_BODY_BYTES_MAX));
            }
            let (part, rest) = bytes.split_at(self.lacking().min(bytes.len()));
            self.partial.extend_from_slice(part);
            bytes = rest;
            if promised(&self.partial) > LINK_MESSAGE_BYTES_MAX {
                (self.spoilt, self.partial) = (true, Vec::new());
            } else if self.lacking() == 0 {
                self.partial.shrink_to_fit();
                let message = Shared::from(mem::take(&mut self.partial));
                deliver(message.part(LENGTH_BYTES..message.len()));
            }
        }
    }

    /// How much the message under way lacks: of its length first.
    fn lacking(&self) -> usize {
        LENGTH_BYTES + promised(&self.partial) - self.partial.len()
    }

    /// When what came is acknowledged even if nothing goes the other way. What is missing is told at once.
    fn acknowledges_at(&self, timings: &Timings) -> Tick {
        match self.unacknowledged {
            0 => Tick::NEVER,
            few if few < ACK_EVERY && self.ahead.is_empty() => self.since + timings.beat() / ACK_WAIT_PART,
            _ => self.since,
        }
    }

    fn acknowledgement(&self) -> (u64, u64) {
        let place = |number: &u64| number.checked_sub(self.received + 2).filter(|place| *place < 64);
        let bits = self.ahead.keys().filter_map(place).fold(0, |bits, place| bits | 1 << place);
        (self.received, bits)
    }
}

/// How long the message is that begins here; 0 if that has not come.
fn promised(bytes: &[u8]) -> usize {
    bytes.first_chunk().map_or(0, |length| u32::from_le_bytes(*length) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_types::TimingProfile;
    use phalanx_wire::Frame;
    use proptest::prelude::*;

    fn pump(from: &mut Link, to: &mut Link, now: Tick, mut lose: impl FnMut() -> bool) -> Vec<Vec<u8>> {
        let timings = Timings::of(TimingProfile::Auto);
        let mut delivered = Vec::new();
        while let Some(transmit) = from.poll(now, &timings) {
            if !lose() {
                let Ok(Frame::Segment(segment)) = Frame::decode(&transmit.bytes) else { panic!("a segment") };
                to.receive(now, &segment, |_, message| delivered.push(message.to_vec()));
            }
        }
        delivered
    }

    #[test]
    fn a_long_message_arrives_whole_and_is_acknowledged() {
        let (mut a, mut b) = (Link::new(1), Link::new(1));
        let message: Vec<u8> = (0..100_000u32).map(|i| i as u8).collect();
        a.send(Stream::Data, message.clone().into()).unwrap();
        let mut got = Vec::new();
        let wait = Timings::of(TimingProfile::Auto).beat() / ACK_WAIT_PART;
        for round in 0..4 {
            let now = Tick(5) + wait * round;
            got.extend(pump(&mut a, &mut b, now, || false));
            pump(&mut b, &mut a, now, || false);
        }
        assert_eq!(got, [message]);
        assert!(a.is_idle() && b.is_idle());
    }

    #[test]
    fn few_segments_are_acknowledged_together_and_not_late() {
        let timings = Timings::of(TimingProfile::Auto);
        let (mut a, mut b) = (Link::new(1), Link::new(1));
        let send = |a: &mut Link, b: &mut Link| {
            a.send(Stream::Vote, b"one".to_vec().into()).unwrap();
            pump(a, b, Tick(5), || false);
        };
        send(&mut a, &mut b);
        assert_eq!(b.poll(Tick(5), &timings), None);
        assert_eq!(b.wake_at(&timings), Tick(5) + timings.beat() / ACK_WAIT_PART);
        assert!(b.wake_at(&timings) < a.wake_at(&timings), "before the sender loses patience");
        assert!(b.poll(b.wake_at(&timings), &timings).is_some());
        assert_eq!(b.wake_at(&timings), Tick::NEVER);
        (0..ACK_EVERY).for_each(|_| send(&mut a, &mut b));
        assert!(b.poll(Tick(5), &timings).is_some(), "many are acknowledged at once");
        assert!(b.is_idle());
    }

    #[test]
    fn what_is_missing_is_told_at_once() {
        let timings = Timings::of(TimingProfile::Auto);
        let (mut a, mut b) = (Link::new(1), Link::new(1));
        a.send(Stream::Vote, b"lost".to_vec().into()).unwrap();
        pump(&mut a, &mut b, Tick(5), || true);
        a.send(Stream::Vote, b"came".to_vec().into()).unwrap();
        pump(&mut a, &mut b, Tick(5), || false);
        assert!(b.poll(Tick(5), &timings).is_some());
    }

    #[test]
    fn small_messages_that_wait_share_a_segment() {
        let (mut a, mut b) = (Link::new(1), Link::new(1));
        for number in 0..40u8 {
            a.send(Stream::Vote, vec![number; usize::from(number)].into()).unwrap();
        }
        let timings = Timings::of(TimingProfile::Auto);
        assert!(a.poll(Tick(1), &timings).is_some());
        assert_eq!(a.poll(Tick(1), &timings), None);
        let late = Tick(1) + timings.detect();
        let got = pump(&mut a, &mut b, late, || false);
        assert_eq!(got, (0..40u8).map(|number| vec![number; usize::from(number)]).collect::<Vec<_>>());
    }

    #[test]
    fn a_peer_that_promises_too_much_is_not_believed() {
        let mut link = Link::new(1);
        let bytes = &[(LINK_MESSAGE_BYTES_MAX as u32 + 1).to_le_bytes().as_slice(), &[7; 99]].concat()[..];
        let segment = |number, bytes| Segment {
            stream: Stream::Data,
            generation: 1,
            number,
            ack_generation: 1,
            ack: 0,
            ack_bits: 0,
            bytes,
        };
        link.receive(Tick(1), &segment(1, bytes), |_, _| panic!("there is no message"));
        link.receive(Tick(1), &segment(2, &[0; 4]), |_, _| panic!("there is no message"));
        assert!(link.incoming[2].partial.is_empty());
    }

    #[test]
    fn a_new_generation_starts_from_nothing() {
        let (mut a, mut b) = (Link::new(1), Link::new(1));
        a.send(Stream::Vote, b"lost half way".to_vec().into()).unwrap();
        pump(&mut a, &mut b, Tick(1), || true);
        let mut a = Link::new(2);
        a.send(Stream::Vote, b"new".to_vec().into()).unwrap();
        assert_eq!(pump(&mut a, &mut b, Tick(2), || false), [b"new".to_vec()]);
    }

    #[test]
    fn a_full_stream_takes_nothing_more() {
        let mut link = Link::new(1);
        let message = Shared::from(vec![0; LINK_MESSAGE_BYTES_MAX / 4 - LENGTH_BYTES]);
        let taken = (0..100).take_while(|_| link.send(Stream::Data, message.clone()).is_ok()).count();
        assert_eq!(taken, 8);
        let long = Shared::from(vec![0; LINK_MESSAGE_BYTES_MAX + 1]);
        assert_eq!(Link::new(1).send(Stream::Data, long), Err(LinkFull));
    }

    proptest! {
        #[test]
        fn every_message_arrives_once_and_in_order_whatever_is_lost(
            sizes in proptest::collection::vec(0usize..5_000, 1..20),
            losses in proptest::collection::vec(any::<u8>(), 64),
        ) {
            let (mut a, mut b) = (Link::new(1), Link::new(1));
            let messages: Vec<Vec<u8>> = sizes.iter().zip(0..).map(|(size, i)| vec![i; *size]).collect();
            for message in &messages {
                a.send(Stream::Vote, message.clone().into()).unwrap();
            }
            let (mut got, mut now, mut turn) = (Vec::new(), Tick::ZERO, 0usize);
            // Three in ten frames are lost; after some rounds the weather improves.
            for round in 0..200 {
                now = now + Span::from_millis(110);
                let mut lose = || { turn += 1; round < 100 && losses[turn * 7 % 64] < 77 };
                got.extend(pump(&mut a, &mut b, now, &mut lose));
                pump(&mut b, &mut a, now, &mut lose);
            }
            prop_assert_eq!(got, messages);
            prop_assert!(a.is_idle());
        }
    }
}
