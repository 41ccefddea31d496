//! What can stand inside a sealed frame: a beat, a segment of a link's stream, an acknowledgement of ordered messages, or
//! one of the frames of a ring.
//!
//! A beat goes to every peer on every path at every beat interval. A segment goes to one peer by one path and is sent
//! again until it is acknowledged. An [`Ack`] tells the other members of a view how far a member has received its
//! ordered messages; losing one only delays, since beats carry the same number.

use crate::beat::Beat;
use crate::ring::{LeaseRequest, LeaseRound, Receipt, RingFrame};
use phalanx_types::{NodeId, ViewId};
use std::fmt;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

const KIND_BEAT: u8 = 1;
const KIND_SEGMENT: u8 = 2;
const KIND_ACK: u8 = 3;
const KIND_RING: u8 = 4;
const KIND_LEASE_REQUEST: u8 = 5;
const KIND_LEASE_ROUND: u8 = 6;
const KIND_RECEIPT: u8 = 7;

/// Why bytes are not a frame. No state was touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireError {
    /// Shorter than its kind's fixed part.
    Truncated,
    /// The first byte names no kind.
    UnknownKind(u8),
    /// A count promises more than the frame holds, or less.
    WrongLength,
    /// A field has a value that means nothing.
    BadField(&'static str),
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A heartbeat.
    Beat(Beat),
    /// A piece of a link's stream.
    Segment(Segment<'a>),
    /// How far ordered messages have been received.
    Ack(Ack),
    /// Of a ring's group and its members.
    Ring(RingFrame),
    /// A member of a ring asks for its lease.
    LeaseRequest(LeaseRequest),
    /// Who asks, and what was granted.
    LeaseRound(LeaseRound),
    /// A beat was taken in, or was it?
    Receipt(Receipt),
}

/// The three streams of a link; bulk never goes ahead of a vote, nor a vote ahead of membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stream {
    /// Membership.
    Control,
    /// Small ordered messages.
    Vote,
    /// Everything else.
    Data,
}

/// A piece of a link's stream, with the acknowledgement of the other direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Which stream.
    pub stream: Stream,
    /// Which use of the stream by this sender; a higher one starts from nothing.
    pub generation: u64,
    /// Its place, from 1; 0 in a segment that only acknowledges.
    pub number: u64,
    /// The generation that is acknowledged.
    pub ack_generation: u64,
    /// All up to this number were received.
    pub ack: u64,
    /// Bit i: number `ack + 2 + i` was received too (`ack + 1` is the first that is missing).
    pub ack_bits: u64,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// How far a member has received the ordered messages of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The view.
    pub view: ViewId,
    /// All up to this sequence number were received.
    pub received: u64,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct SegmentHead {
    kind: u8,
    stream: u8,
    length: U16,
    reserved: U32,
    generation: U64,
    number: U64,
    ack_generation: U64,
    ack: U64,
    ack_bits: U64,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct AckBody {
    kind: u8,
    reserved: u8,
    view_coordinator: U16,
    view_counter: U64,
    received: U64,
}

/// Bytes of a segment before those of the stream.
pub const SEGMENT_HEAD_BYTES: usize = size_of::<SegmentHead>();

impl<'a> Frame<'a> {
    /// Reads a frame; the whole input must be one frame.
    pub fn decode(bytes: &'a [u8]) -> Result<Frame<'a>, WireError> {
        match bytes.first() {
            None => Err(WireError::Truncated),
            Some(&KIND_BEAT) => Beat::decode(bytes).map(Frame::Beat),
            Some(&KIND_SEGMENT) => Segment::decode(bytes).map(Frame::Segment),
            Some(&KIND_ACK) => Ack::decode(bytes).map(Frame::Ack),
            Some(&KIND_RING) => RingFrame::decode(bytes).map(Frame::Ring),
            Some(&KIND_LEASE_REQUEST) => LeaseRequest::decode(bytes).map(Frame::LeaseRequest),
            Some(&KIND_LEASE_ROUND) => LeaseRound::decode(bytes).map(Frame::LeaseRound),
            Some(&KIND_RECEIPT) => Receipt::decode(bytes).map(Frame::Receipt),
            Some(&other) => Err(WireError::UnknownKind(other)),
        }
    }
}

pub(crate) const fn beat_kind() -> u8 {
    KIND_BEAT
}

pub(crate) const fn ring_kind() -> u8 {
    KIND_RING
}

pub(crate) const fn lease_request_kind() -> u8 {
    KIND_LEASE_REQUEST
}

pub(crate) const fn lease_round_kind() -> u8 {
    KIND_LEASE_ROUND
}

pub(crate) const fn receipt_kind() -> u8 {
    KIND_RECEIPT
}

impl Stream {
    /// All streams, the most urgent first.
    pub const ALL: [Stream; 3] = [Stream::Control, Stream::Vote, Stream::Data];

    /// Its place in [`Stream::ALL`].
    pub fn index(self) -> usize {
        match self {
            Stream::Control => 0,
            Stream::Vote => 1,
            Stream::Data => 2,
        }
    }
}

impl<'a> Segment<'a> {
    /// Writes the segment. `bytes` must not be longer than a frame's body.
    pub fn encode(&self) -> Vec<u8> {
        let mut frame = Vec::with_capacity(SEGMENT_HEAD_BYTES + self.bytes.len());
        frame.extend_from_slice(&[0; SEGMENT_HEAD_BYTES]);
        frame.extend_from_slice(self.bytes);
        self.write_head(&mut frame);
        frame
    }

    /// Writes all but the bytes to the first [`SEGMENT_HEAD_BYTES`] of a frame; what is behind them counts as the bytes.
    pub fn write_head(&self, frame: &mut [u8]) {
        let (place, bytes) = frame.split_at_mut(SEGMENT_HEAD_BYTES);
        let length = u16::try_from(bytes.len()).expect("a segment's bytes are cut to fit a frame");
        let head = SegmentHead {
            kind: KIND_SEGMENT,
            stream: self.stream.index() as u8,
            length: length.into(),
            reserved: U32::ZERO,
            generation: self.generation.into(),
            number: self.number.into(),
            ack_generation: self.ack_generation.into(),
            ack: self.ack.into(),
            ack_bits: self.ack_bits.into(),
        };
        place.copy_from_slice(head.as_bytes());
    }

    fn decode(bytes: &'a [u8]) -> Result<Segment<'a>, WireError> {
        let (head, rest) = SegmentHead::ref_from_prefix(bytes).map_err(|_| WireError::Truncated)?;
        let stream =
            Stream::ALL.get(usize::from(head.stream)).copied().ok_or(WireError::BadField("stream"))?;
        if rest.len() != usize::from(head.length.get()) {
            return Err(WireError::WrongLength);
        }
        Ok(Segment {
            stream,
            generation: head.generation.get(),
            number: head.number.get(),
            ack_generation: head.ack_generation.get(),
            ack: head.ack.get(),
            ack_bits: head.ack_bits.get(),
            bytes: rest,
        })
    }
}

impl Ack {
    /// Writes the acknowledgement.
    pub fn encode(&self) -> Vec<u8> {
        let body = AckBody {
            kind: KIND_ACK,
            reserved: 0,
            view_coordinator: self.view.coordinator.0.into(),
            view_counter: self.view.counter.into(),
            received: self.received.into(),
        };
        body.as_bytes().to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Ack, WireError> {
        let body = AckBody::ref_from_bytes(bytes).map_err(|_| WireError::WrongLength)?;
        let coordinator = NodeId(body.view_coordinator.get());
        let view = ViewId { counter: body.view_counter.get(), coordinator };
        Ok(Ack { view, received: body.received.get() })
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WireError::Truncated => write!(f, "the frame is shorter than its fixed part"),
            WireError::UnknownKind(kind) => write!(f, "no frame has kind {kind}"),
            WireError::WrongLength => write!(f, "the frame's length does not fit its counts"),
            WireError::BadField(field) => write!(f, "field '{field}' has a value that means nothing"),
        }
    }
}

impl std::error::Error for WireError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn segment(bytes: &[u8]) -> Segment<'_> {
        Segment {
            stream: Stream::Vote,
            generation: 2,
            number: 3,
            ack_generation: 4,
            ack: 5,
            ack_bits: 6,
            bytes,
        }
    }

    #[test]
    fn golden_bytes_of_a_segment() {
        let bytes = segment(b"hi").encode();
        let mut golden = vec![2, 1, 2, 0, 0, 0, 0, 0];
        for word in [2u64, 3, 4, 5, 6] {
            golden.extend_from_slice(&word.to_le_bytes());
        }
        golden.extend_from_slice(b"hi");
        assert_eq!(bytes, golden);
        assert_eq!(Frame::decode(&bytes), Ok(Frame::Segment(segment(b"hi"))));
    }

    #[test]
    fn golden_bytes_of_an_ack() {
        let ack = Ack { view: ViewId { counter: 0x0102, coordinator: NodeId(3) }, received: 9 };
        let golden = [3, 0, 3, 0, 2, 1, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(ack.encode(), golden);
        assert_eq!(Frame::decode(&golden), Ok(Frame::Ack(ack)));
    }

    #[test]
    fn every_truncation_is_an_error() {
        let bytes = segment(b"hello").encode();
        for length in 0..bytes.len() {
            assert!(Frame::decode(&bytes[..length]).is_err(), "{length}");
        }
        let long = [bytes.as_slice(), b"x"].concat();
        assert_eq!(Frame::decode(&long), Err(WireError::WrongLength));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Frame::decode(&bytes);
        }

        #[test]
        fn what_decodes_encodes_to_itself(mut bytes in proptest::collection::vec(any::<u8>(), 48..100)) {
            let length = (bytes.len() - size_of::<SegmentHead>()) as u8;
            let head = [KIND_SEGMENT, bytes[1] % 3, length, 0, 0, 0, 0, 0];
            bytes[..head.len()].copy_from_slice(&head);
            let Ok(Frame::Segment(segment)) = Frame::decode(&bytes) else { panic!("it is a segment") };
            prop_assert_eq!(segment.encode(), bytes);
        }
    }
}
