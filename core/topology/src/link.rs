//! A reliable link to one life of one peer: three streams of messages, cut into segments, sent again until acknowledged.
//!
//! Each stream delivers its messages whole, in order, once, for as long as both ends live and neither starts a new
//! generation. Streams do not wait for each other; the most urgent goes first. Which path a segment takes is the
//! caller's choice; a segment sent again should take another one.

use phalanx_types::limits::{FRAME_BODY_BYTES_MAX, LINK_MESSAGE_BYTES_MAX};
use phalanx_types::{Span, Tick, Timings};
use phalanx_wire::{Segment, Stream};
use std::collections::{BTreeMap, VecDeque};

/// Segments of a stream that may be under way at once: as many as an acknowledgement can tell apart.
const WINDOW_SEGMENTS: u64 = 64;
/// Bytes that may wait in a stream. A peer that does not drain them is stalled, and membership leaves it out.
const QUEUE_BYTES_MAX: usize = 2 * LINK_MESSAGE_BYTES_MAX;
/// How often the wait before sending again doubles.
const BACKOFF_DOUBLINGS_MAX: u32 = 5;

/// The stream has more waiting than it may hold. Nothing was queued.
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
    pub bytes: Vec<u8>,
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

#[derive(Clone, Debug, Default)]
struct Outgoing {
    /// The number of the first of `pieces`, less one.
    acked: u64,
    pieces: VecDeque<Piece>,
    bytes: usize,
}

#[derive(Clone, Debug)]
struct Piece {
    last: bool,
    bytes: Vec<u8>,
    sent: Option<Tick>,
    tries: u32,
    acked: bool,
}

#[derive(Clone, Debug, Default)]
struct Incoming {
    generation: u64,
    received: u64,
    ahead: BTreeMap<u64, (bool, Vec<u8>)>,
    partial: Vec<u8>,
    ack_due: bool,
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
    pub fn send(&mut self, stream: Stream, message: &[u8]) -> Result<(), LinkFull> {
        let outgoing = &mut self.outgoing[stream.index()];
        if outgoing.bytes + message.len() > QUEUE_BYTES_MAX {
            return Err(LinkFull);
        }
        outgoing.bytes += message.len();
        let mut chunks = message.chunks(FRAME_BODY_BYTES_MAX).peekable();
        if chunks.peek().is_none() {
            outgoing.pieces.push_back(Piece::new(true, Vec::new()));
        }
        while let Some(chunk) = chunks.next() {
            outgoing.pieces.push_back(Piece::new(chunks.peek().is_none(), chunk.to_vec()));
        }
        Ok(())
    }

    /// Takes in a segment; hands each message that it completes to `deliver`.
    pub fn receive(&mut self, now: Tick, segment: &Segment<'_>, mut deliver: impl FnMut(Stream, Vec<u8>)) {
        let index = segment.stream.index();
        if segment.ack_generation == self.generation {
            let measured = self.outgoing[index].acknowledge(now, segment.ack, segment.ack_bits);
            if let Some(round_trip) = measured {
                self.round_trip = (self.round_trip * 7 + round_trip) / 8;
            }
        }
        self.incoming[index].receive(segment, |message| deliver(segment.stream, message));
    }

    /// The next segment to send now, if any; call until there is none. Acknowledgements ride along, or go alone.
    pub fn poll(&mut self, now: Tick, timings: &Timings) -> Option<Transmit> {
        let wait = self.patience(timings);
        Stream::ALL.into_iter().find_map(|stream| self.poll_stream(stream, now, wait, timings))
    }

    /// When [`Link::poll`] has something next if nothing arrives.
    pub fn wake_at(&self, timings: &Timings) -> Tick {
        let wait = self.patience(timings);
        let streams = self.outgoing.iter().flat_map(|outgoing| outgoing.under_way());
        streams.filter_map(|(_, piece)| piece.due_at(wait, timings)).min().unwrap_or(Tick::NEVER)
    }

    /// Whether anything waits to be sent or acknowledged.
    pub fn is_idle(&self) -> bool {
        self.outgoing.iter().all(|outgoing| outgoing.pieces.is_empty())
            && self.incoming.iter().all(|incoming| !incoming.ack_due)
    }

    fn poll_stream(&mut self, stream: Stream, now: Tick, wait: Span, timings: &Timings) -> Option<Transmit> {
        let generation = self.generation;
        let incoming = &mut self.incoming[stream.index()];
        let due = self.outgoing[stream.index()].take_due(now, wait, timings);
        if due.is_none() && !incoming.ack_due {
            return None;
        }
        incoming.ack_due = false;
        let (number, tries, last, bytes) = due.unwrap_or((0, 0, false, &[]));
        let (ack, ack_bits) = incoming.acknowledgement();
        let ack_generation = incoming.generation;
        let segment = Segment { stream, generation, number, last, ack_generation, ack, ack_bits, bytes };
        Some(Transmit { stream, tries, bytes: segment.encode() })
    }

    /// How long to wait for an acknowledgement before sending again the first time.
    fn patience(&self, timings: &Timings) -> Span {
        (self.round_trip * 4).max(timings.beat() / 4).at_most(timings.detect() / 4)
    }
}

impl Piece {
    fn new(last: bool, bytes: Vec<u8>) -> Piece {
        Piece { last, bytes, sent: None, tries: 0, acked: false }
    }

    /// When it is to be sent (again): at once if never sent; `None` once it is acknowledged.
    fn due_at(&self, wait: Span, timings: &Timings) -> Option<Tick> {
        let doublings = self.tries.saturating_sub(1).min(BACKOFF_DOUBLINGS_MAX);
        let wait = (wait * (1 << doublings)).at_most(timings.detect() / 4);
        match self.acked {
            true => None,
            false => Some(self.sent.map_or(Tick::ZERO, |sent| sent + wait)),
        }
    }
}

impl Outgoing {
    fn under_way(&self) -> impl Iterator<Item = (u64, &Piece)> {
        (self.acked + 1..).zip(self.pieces.iter().take(WINDOW_SEGMENTS as usize))
    }

    fn take_due(&mut self, now: Tick, wait: Span, timings: &Timings) -> Option<(u64, u32, bool, &[u8])> {
        let is_due = |piece: &Piece| piece.due_at(wait, timings).is_some_and(|due| due <= now);
        let (number, _) = self.under_way().find(|(_, piece)| is_due(piece))?;
        let piece = &mut self.pieces[(number - self.acked - 1) as usize];
        let tries = piece.tries;
        piece.tries = piece.tries.saturating_add(1);
        piece.sent = Some(now);
        Some((number, tries, piece.last, &piece.bytes))
    }

    /// Drops what was received; gives the round trip of the newest piece that was sent only once.
    fn acknowledge(&mut self, now: Tick, ack: u64, bits: u64) -> Option<Span> {
        let mut measured = None;
        let first = self.acked + 1;
        for (number, piece) in (first..).zip(self.pieces.iter_mut()).take(WINDOW_SEGMENTS as usize) {
            let beyond = number.checked_sub(ack.saturating_add(2));
            let listed = beyond.is_some_and(|place| place < 64 && bits >> place & 1 == 1);
            if (number <= ack || listed) && !piece.acked && piece.tries > 0 {
                piece.acked = true;
                measured = piece.sent.filter(|_| piece.tries == 1).map(|sent| now.since(sent)).or(measured);
            }
        }
        while self.pieces.front().is_some_and(|piece| piece.acked) {
            let piece = self.pieces.pop_front().expect("there is a front");
            self.bytes -= piece.bytes.len();
            self.acked += 1;
        }
        measured
    }
}

impl Incoming {
    fn receive(&mut self, segment: &Segment<'_>, mut deliver: impl FnMut(Vec<u8>)) {
        if segment.generation > self.generation {
            *self = Incoming { generation: segment.generation, ..Incoming::default() };
        }
        if segment.generation < self.generation || segment.number == 0 {
            return;
        }
        self.ack_due = true;
        if segment.number > self.received && segment.number <= self.received + WINDOW_SEGMENTS {
            self.ahead.insert(segment.number, (segment.last, segment.bytes.to_vec()));
        }
        while let Some((last, bytes)) = self.ahead.remove(&(self.received + 1)) {
            self.received += 1;
            self.append(last, bytes, &mut deliver);
        }
    }

    /// A message longer than the limit is cut off: its reader refuses it, and memory stays bounded.
    fn append(&mut self, last: bool, bytes: Vec<u8>, deliver: &mut impl FnMut(Vec<u8>)) {
        if self.partial.len() + bytes.len() <= LINK_MESSAGE_BYTES_MAX {
            self.partial.extend_from_slice(&bytes);
        }
        if last {
            deliver(std::mem::take(&mut self.partial));
        }
    }

    fn acknowledgement(&self) -> (u64, u64) {
        let place = |number: &u64| number.checked_sub(self.received + 2).filter(|place| *place < 64);
        let bits = self.ahead.keys().filter_map(place).fold(0, |bits, place| bits | 1 << place);
        (self.received, bits)
    }
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
                to.receive(now, &segment, |_, message| delivered.push(message));
            }
        }
        delivered
    }

    #[test]
    fn a_long_message_arrives_whole_and_is_acknowledged() {
        let (mut a, mut b) = (Link::new(1), Link::new(1));
        let message: Vec<u8> = (0..100_000u32).map(|i| i as u8).collect();
        a.send(Stream::Data, &message).unwrap();
        let mut got = Vec::new();
        for _ in 0..4 {
            got.extend(pump(&mut a, &mut b, Tick(5), || false));
            pump(&mut b, &mut a, Tick(5), || false);
        }
        assert_eq!(got, [message]);
        assert!(a.is_idle() && b.is_idle());
    }

    #[test]
    fn a_new_generation_starts_from_nothing() {
        let (mut a, mut b) = (Link::new(1), Link::new(1));
        a.send(Stream::Vote, b"lost half way").unwrap();
        pump(&mut a, &mut b, Tick(1), || true);
        let mut a = Link::new(2);
        a.send(Stream::Vote, b"new").unwrap();
        assert_eq!(pump(&mut a, &mut b, Tick(2), || false), [b"new".to_vec()]);
    }

    #[test]
    fn a_full_stream_takes_nothing_more() {
        let mut link = Link::new(1);
        let message = vec![0; LINK_MESSAGE_BYTES_MAX / 4];
        let taken = (0..100).take_while(|_| link.send(Stream::Data, &message).is_ok()).count();
        assert_eq!(taken, 8);
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
                a.send(Stream::Vote, message).unwrap();
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
