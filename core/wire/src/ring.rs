//! The frames of a ring: how an adapter membership group forms, how its members watch each other, and how leases are
//! asked for and granted through whoever collects for the group.
//!
//! All belong to one path, and name the group that their sender is in. None of them is sent again by itself: what is
//! lost is said anew at the next beat.

use crate::frame::{WireError, lease_request_kind, lease_round_kind, receipt_kind, ring_kind};
use phalanx_types::limits::{NODES_MAX, ROUND_GRANTS_MAX};
use phalanx_types::{Incarnation, NodeId, NodeSet, Span, Tick};
use zerocopy::little_endian::{U16, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Names a group: who leads it, and how many groups that life had formed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RingId {
    /// Its leader.
    pub leader: Incarnation,
    /// Counted from 1 by the leader.
    pub instance: u64,
}

/// A frame about a group and its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingFrame {
    /// What it says.
    pub word: RingWord,
    /// The group that it is about.
    pub group: RingId,
    /// Lives that it is about, in the order of their addresses.
    pub lives: Vec<Incarnation>,
}

/// What members and leaders of groups say to each other. Which lives are listed stands behind each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RingWord {
    /// A leader, to a lower address outside its group: come in. All of its group.
    Proclaim,
    /// The leader of a lower group, in answer: all of its group.
    Join,
    /// A leader to each member to be, PTC: all of the group to be.
    Prepare,
    /// A member to be, in answer. None.
    Ready,
    /// The leader to each that was ready: all of the group that now is.
    Commit,
    /// A member to its leader or to whoever succeeds it: those that fell silent.
    DeathInFamily,
    /// To one who still takes itself for a member: you were left out. All of the group without it.
    Dissolve,
    /// A member to its neighbour at each beat, and to who asks whether it lives. None.
    Heartbeat,
    /// To one whose member to be it was: it goes with somebody else. The group to be; none.
    Decline,
}

/// A member asks for its lease to be renewed, and says which askers of an earlier round it grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseRequest {
    /// The group that it is in.
    pub group: RingId,
    /// When this was sent, on the sender's clock: what is granted is counted from here.
    pub sent: Tick,
    /// The receiver's round that `granted` answers; 0 for none.
    pub round: u64,
    /// The members that asked in that round and are granted.
    pub granted: NodeSet,
    /// For how long each from the sending of its request.
    pub lease: Span,
}

/// Who collects requests tells the members who asks, and each of them what it was granted before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseRound {
    /// The group.
    pub group: RingId,
    /// Counted from 1 by the sender's life.
    pub number: u64,
    /// The members that ask; everything in it was sent before this was.
    pub asking: NodeSet,
    /// What the receiver was granted.
    pub grants: Vec<RoundGrant>,
}

/// What was granted to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundGrant {
    /// When the request was sent, on the asker's clock.
    pub sent: Tick,
    /// Who has granted it.
    pub by: NodeSet,
    /// For how long from there.
    pub lease: Span,
}

/// "Your beat was taken in", or the question whether one was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Whether this is the question.
    pub asks: bool,
    /// The number of the beat; of an answer: of the newest taken in of the asker's life, 0 if none was.
    pub number: u64,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Head {
    kind: u8,
    word: u8,
    count: U16,
    leader_node: U16,
    reserved: U16,
    leader_start: U64,
    instance: U64,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct LifeBody {
    node: U16,
    reserved: [u8; 6],
    start: U64,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct RequestBody {
    sent: U64,
    round: U64,
    granted: U64,
    lease: U64,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct RoundBody {
    number: U64,
    asking: U64,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct GrantBody {
    sent: U64,
    by: U64,
    lease: U64,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct ReceiptBody {
    kind: u8,
    asks: u8,
    reserved: [u8; 6],
    number: U64,
}

const WORDS: [RingWord; 9] = [
    RingWord::Proclaim,
    RingWord::Join,
    RingWord::Prepare,
    RingWord::Ready,
    RingWord::Commit,
    RingWord::DeathInFamily,
    RingWord::Dissolve,
    RingWord::Heartbeat,
    RingWord::Decline,
];

fn head(kind: u8, word: u8, count: usize, group: RingId) -> Head {
    Head {
        kind,
        word,
        count: (count as u16).into(),
        leader_node: group.leader.node.0.into(),
        reserved: U16::ZERO,
        leader_start: group.leader.start.into(),
        instance: group.instance.into(),
    }
}

impl Head {
    fn group(&self) -> RingId {
        let leader = Incarnation { node: NodeId(self.leader_node.get()), start: self.leader_start.get() };
        RingId { leader, instance: self.instance.get() }
    }

    /// The head, how many bodies follow it, and the rest.
    fn read(bytes: &[u8], count_max: usize) -> Result<(&Head, usize, &[u8]), WireError> {
        let (head, rest) = Head::ref_from_prefix(bytes).map_err(|_| WireError::Truncated)?;
        let count = usize::from(head.count.get());
        if count > count_max { Err(WireError::WrongLength) } else { Ok((head, count, rest)) }
    }
}

impl RingFrame {
    /// Writes the frame: 24 bytes, and 16 for each life.
    pub fn encode(&self) -> Vec<u8> {
        let head = head(ring_kind(), self.word as u8, self.lives.len(), self.group);
        let mut out = head.as_bytes().to_vec();
        for life in &self.lives {
            let body = LifeBody { node: life.node.0.into(), reserved: [0; 6], start: life.start.into() };
            out.extend_from_slice(body.as_bytes());
        }
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<RingFrame, WireError> {
        let (head, count, rest) = Head::read(bytes, NODES_MAX)?;
        let word = WORDS.get(usize::from(head.word)).copied().ok_or(WireError::BadField("word"))?;
        let lives = <[LifeBody]>::ref_from_bytes(rest).map_err(|_| WireError::WrongLength)?;
        if lives.len() != count {
            return Err(WireError::WrongLength);
        }
        let life = |body: &LifeBody| Incarnation { node: NodeId(body.node.get()), start: body.start.get() };
        Ok(RingFrame { word, group: head.group(), lives: lives.iter().map(life).collect() })
    }
}

impl LeaseRequest {
    /// Writes the request: 56 bytes.
    pub fn encode(&self) -> Vec<u8> {
        let (sent, round, granted) = (self.sent.0.into(), self.round.into(), self.granted.bits().into());
        let body = RequestBody { sent, round, granted, lease: self.lease.0.into() };
        let mut out = head(lease_request_kind(), 0, 0, self.group).as_bytes().to_vec();
        out.extend_from_slice(body.as_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<LeaseRequest, WireError> {
        let (head, _, rest) = Head::read(bytes, 0)?;
        let body = RequestBody::ref_from_bytes(rest).map_err(|_| WireError::WrongLength)?;
        let (sent, granted) = (Tick(body.sent.get()), NodeSet::from_bits(body.granted.get()));
        let (round, lease) = (body.round.get(), Span(body.lease.get()));
        Ok(LeaseRequest { group: head.group(), sent, round, granted, lease })
    }
}

impl LeaseRound {
    /// Writes the round: 40 bytes, and 24 for each grant.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = head(lease_round_kind(), 0, self.grants.len(), self.group).as_bytes().to_vec();
        let body = RoundBody { number: self.number.into(), asking: self.asking.bits().into() };
        out.extend_from_slice(body.as_bytes());
        for RoundGrant { sent, by, lease } in &self.grants {
            let body = GrantBody { sent: sent.0.into(), by: by.bits().into(), lease: lease.0.into() };
            out.extend_from_slice(body.as_bytes());
        }
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<LeaseRound, WireError> {
        let (head, count, rest) = Head::read(bytes, ROUND_GRANTS_MAX)?;
        let (body, rest) = RoundBody::ref_from_prefix(rest).map_err(|_| WireError::Truncated)?;
        let grants = <[GrantBody]>::ref_from_bytes(rest).map_err(|_| WireError::WrongLength)?;
        if grants.len() != count {
            return Err(WireError::WrongLength);
        }
        let grant = |body: &GrantBody| RoundGrant {
            sent: Tick(body.sent.get()),
            by: NodeSet::from_bits(body.by.get()),
            lease: Span(body.lease.get()),
        };
        let (number, asking) = (body.number.get(), NodeSet::from_bits(body.asking.get()));
        Ok(LeaseRound { group: head.group(), number, asking, grants: grants.iter().map(grant).collect() })
    }
}

impl Receipt {
    /// Writes the receipt: 16 bytes.
    pub fn encode(&self) -> Vec<u8> {
        let (kind, reserved) = (receipt_kind(), [0; 6]);
        let body = ReceiptBody { kind, asks: u8::from(self.asks), reserved, number: self.number.into() };
        body.as_bytes().to_vec()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Receipt, WireError> {
        let body = ReceiptBody::ref_from_bytes(bytes).map_err(|_| WireError::WrongLength)?;
        let asks = match body.asks {
            0 => false,
            1 => true,
            _ => return Err(WireError::BadField("asks")),
        };
        Ok(Receipt { asks, number: body.number.get() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Frame;
    use proptest::prelude::*;

    const LEADER: Incarnation = Incarnation { node: NodeId(3), start: 0x0102 };
    const GROUP: RingId = RingId { leader: LEADER, instance: 5 };

    fn golden(kind: u8, word: u8, count: u8, words: &[u64]) -> Vec<u8> {
        let mut golden =
            vec![kind, word, count, 0, 3, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0];
        words.iter().for_each(|word| golden.extend_from_slice(&word.to_le_bytes()));
        golden
    }

    fn prepare() -> RingFrame {
        let member = Incarnation { node: NodeId(1), start: 7 };
        RingFrame { word: RingWord::Prepare, group: GROUP, lives: vec![member, LEADER] }
    }

    fn request() -> LeaseRequest {
        LeaseRequest {
            group: GROUP,
            sent: Tick(9),
            round: 8,
            granted: NodeSet::from_bits(6),
            lease: Span(11),
        }
    }

    fn round() -> LeaseRound {
        let grant =
            |sent, by, lease| RoundGrant { sent: Tick(sent), by: NodeSet::from_bits(by), lease: Span(lease) };
        let grants = vec![grant(9, 4, 11), grant(10, 7, 12)];
        LeaseRound { group: GROUP, number: 8, asking: NodeSet::from_bits(3), grants }
    }

    #[test]
    fn golden_bytes_of_a_prepare() {
        let bytes = golden(4, 2, 2, &[1, 7, 3, 0x0102]);
        assert_eq!(prepare().encode(), bytes);
        assert_eq!(Frame::decode(&bytes), Ok(Frame::Ring(prepare())));
    }

    #[test]
    fn golden_bytes_of_a_request_and_a_round() {
        let bytes = golden(5, 0, 0, &[9, 8, 6, 11]);
        assert_eq!(request().encode(), bytes);
        assert_eq!(Frame::decode(&bytes), Ok(Frame::LeaseRequest(request())));
        let bytes = golden(6, 0, 2, &[8, 3, 9, 4, 11, 10, 7, 12]);
        assert_eq!(round().encode(), bytes);
        assert_eq!(Frame::decode(&bytes), Ok(Frame::LeaseRound(round())));
    }

    #[test]
    fn golden_bytes_of_a_receipt() {
        let receipt = Receipt { asks: true, number: 0x0304 };
        let bytes = [7, 1, 0, 0, 0, 0, 0, 0, 4, 3, 0, 0, 0, 0, 0, 0];
        assert_eq!(receipt.encode(), bytes);
        assert_eq!(Frame::decode(&bytes), Ok(Frame::Receipt(receipt)));
    }

    #[test]
    fn every_word_has_its_own_byte() {
        for (place, word) in WORDS.into_iter().enumerate() {
            let frame = RingFrame { word, ..prepare() };
            assert_eq!(frame.encode()[1], place as u8);
            assert_eq!(Frame::decode(&frame.encode()), Ok(Frame::Ring(frame)));
        }
    }

    #[test]
    fn every_truncation_and_every_surplus_is_an_error() {
        let receipt = Receipt { asks: false, number: 1 };
        for whole in [prepare().encode(), request().encode(), round().encode(), receipt.encode()] {
            for length in 0..whole.len() {
                assert!(Frame::decode(&whole[..length]).is_err(), "{length} of {whole:?}");
            }
            assert!(Frame::decode(&[whole, vec![0]].concat()).is_err());
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(kind in 4u8..8, mut bytes in proptest::collection::vec(any::<u8>(), 1..300)) {
            bytes[0] = kind;
            let _ = Frame::decode(&bytes);
        }

        #[test]
        fn whatever_is_written_is_read(lives in proptest::collection::vec((any::<u16>(), any::<u64>()), 0..NODES_MAX)) {
            let lives = lives.into_iter().map(|(node, start)| Incarnation { node: NodeId(node), start }).collect();
            let frame = RingFrame { lives, ..prepare() };
            let bytes = frame.encode();
            prop_assert_eq!(Frame::decode(&bytes), Ok(Frame::Ring(frame)));
        }
    }
}
