//! The heartbeat.
//!
//! Each node sends one to each peer on each path at each beat interval, and once more where news should not wait (a view
//! installed, a stall survived). It says what its sender hears, grants its receiver a lease, and repeats how far the
//! sender has received ordered messages.
//!
//! It is one frame however many nodes there are. What the sender knows of another node is written as the numbers that
//! it is, each in as few bytes as it needs, and whom that node hears as what differs from whom the sender hears: four to
//! eight bytes while all is well. Should that be too much all the same, so many entries go as fit, and the next beat begins
//! behind them.

use crate::frame::{WireError, beat_kind};
use crate::varint;
use phalanx_types::limits::FRAME_BODY_BYTES_MAX;
use phalanx_types::{BootId, NodeId, NodeSet, Span, Tick, ViewId};
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// So many entries fit whatever stands in them.
const ENTRIES_FIT: usize = (FRAME_BODY_BYTES_MAX - size_of::<BeatHead>()) / (3 * varint::BYTES_MAX);

/// What a beat says of its sender by a single bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BeatFlags {
    /// Its quarantine is over: it may count in the next view.
    pub ready: bool,
    /// It has probed everything and holds nothing.
    pub blank: bool,
    /// It wants to be answered at once rather than at the next beat.
    pub urgent: bool,
}

/// A heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// See [`BeatFlags`].
    pub flags: BeatFlags,
    /// Counted from 1 over all paths of the sender's life.
    pub number: u64,
    /// When it was sent, on the sender's clock; comes back in grants.
    pub sent: Tick,
    /// The sender's boot.
    pub boot: BootId,
    /// The view the sender has installed.
    pub view: ViewId,
    /// How far the sender has received the ordered messages of `view`.
    pub received: u64,
    /// The highest view counter that the sender knows of.
    pub counter_max: u64,
    /// The nodes that the sender hears on any path.
    pub hears: NodeSet,
    /// The nodes that the sender hears on the path by which this beat goes.
    pub hears_here: NodeSet,
    /// What the receiver is granted; nothing if this is `None`.
    pub grant: Option<BeatGrant>,
    /// What the sender knows of each node that it hears, in their order.
    pub entries: Vec<BeatEntry>,
}

/// A lease granted to the receiver of a beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BeatGrant {
    /// The start number of the life that it is for.
    pub start: u64,
    /// The sending time, on the receiver's clock, of its newest beat that the sender grants.
    pub sent: Tick,
    /// For how long from there; whole microseconds.
    pub lease: Span,
}

/// What a beat's sender knows of one node that it hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BeatEntry {
    /// The node.
    pub node: NodeId,
    /// The start number of its life.
    pub start: u64,
    /// The number of the beat that `hears` was taken from.
    pub number: u64,
    /// The nodes it hears.
    pub hears: NodeSet,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct BeatHead {
    kind: u8,
    flags: u8,
    view_coordinator: U16,
    /// In microseconds.
    grant_lease: U32,
    number: U64,
    sent: U64,
    boot: [u8; 16],
    view_counter: U64,
    received: U64,
    counter_max: U64,
    hears: U64,
    hears_here: U64,
    grant_start: U64,
    /// Zero: nothing is granted.
    grant_sent: U64,
    /// The nodes of which an entry follows.
    told: U64,
}

const READY: u8 = 1;
const BLANK: u8 = 2;
const URGENT: u8 = 4;

impl BeatFlags {
    fn bits(self) -> u8 {
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        bit(self.ready, READY) | bit(self.blank, BLANK) | bit(self.urgent, URGENT)
    }

    fn from_bits(bits: u8) -> Result<BeatFlags, WireError> {
        let has = |bit: u8| bits & bit != 0;
        match bits & !(READY | BLANK | URGENT) {
            0 => Ok(BeatFlags { ready: has(READY), blank: has(BLANK), urgent: has(URGENT) }),
            _ => Err(WireError::BadField("flags")),
        }
    }
}

impl Beat {
    /// Writes the beat: 104 bytes, and three numbers for each entry.
    pub fn encode(&self) -> Vec<u8> {
        let bodies: Vec<Vec<u8>> = self.entries.iter().map(|entry| entry.body(self.hears)).collect();
        let told = self.fitting(&bodies);
        let mut out = self.head(told).as_bytes().to_vec();
        let entries = self.entries.iter().zip(&bodies).filter(|(entry, _)| told.has(entry.node));
        entries.for_each(|(_, body)| out.extend_from_slice(body));
        out
    }

    fn head(&self, told: NodeSet) -> BeatHead {
        let (grant_lease, grant_start, grant_sent) = BeatGrant::words(self.grant);
        BeatHead {
            kind: beat_kind(),
            flags: self.flags.bits(),
            view_coordinator: self.view.coordinator.0.into(),
            grant_lease,
            number: self.number.into(),
            sent: self.sent.0.into(),
            boot: self.boot.0,
            view_counter: self.view.counter.into(),
            received: self.received.into(),
            counter_max: self.counter_max.into(),
            hears: self.hears.bits().into(),
            hears_here: self.hears_here.bits().into(),
            grant_start,
            grant_sent,
            told: told.bits().into(),
        }
    }

    /// The nodes whose entries fit, beginning where the beat before may have ended.
    fn fitting(&self, bodies: &[Vec<u8>]) -> NodeSet {
        let mut room = FRAME_BODY_BYTES_MAX - size_of::<BeatHead>();
        let first = self.number.wrapping_mul(ENTRIES_FIT as u64) % (bodies.len() as u64).max(1);
        let in_turn = self.entries.iter().zip(bodies).cycle().skip(first as usize).take(bodies.len());
        let fits = |(_, body): &(&BeatEntry, &Vec<u8>)| {
            let left = room.checked_sub(body.len());
            room = left.unwrap_or(0);
            left.is_some()
        };
        in_turn.take_while(fits).map(|(entry, _)| entry.node).collect()
    }

    /// Overwrites, in an encoded beat, the one field that differs between the paths of a node.
    pub fn set_hears_here(encoded: &mut [u8], hears_here: NodeSet) {
        if let Ok((head, _)) = BeatHead::mut_from_prefix(encoded) {
            head.hears_here = hears_here.bits().into();
        }
    }

    /// Overwrites, in an encoded beat, what differs between its receivers.
    pub fn set_grant(encoded: &mut [u8], grant: Option<BeatGrant>) {
        if let Ok((head, _)) = BeatHead::mut_from_prefix(encoded) {
            (head.grant_lease, head.grant_start, head.grant_sent) = BeatGrant::words(grant);
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Beat, WireError> {
        let (head, mut rest) = BeatHead::ref_from_prefix(bytes).map_err(|_| WireError::Truncated)?;
        if bytes.len() > FRAME_BODY_BYTES_MAX {
            return Err(WireError::WrongLength);
        }
        let (hears, told) = (NodeSet::from_bits(head.hears.get()), NodeSet::from_bits(head.told.get()));
        let entries =
            told.iter().map(|node| BeatEntry::read(node, hears, &mut rest)).collect::<Result<_, _>>()?;
        if !rest.is_empty() {
            return Err(WireError::WrongLength);
        }
        let coordinator = NodeId(head.view_coordinator.get());
        let (start, sent) = (head.grant_start.get(), Tick(head.grant_sent.get()));
        let lease = Span::from_micros(u64::from(head.grant_lease.get()));
        Ok(Beat {
            flags: BeatFlags::from_bits(head.flags)?,
            number: head.number.get(),
            sent: Tick(head.sent.get()),
            boot: BootId(head.boot),
            view: ViewId { counter: head.view_counter.get(), coordinator },
            received: head.received.get(),
            counter_max: head.counter_max.get(),
            hears,
            hears_here: NodeSet::from_bits(head.hears_here.get()),
            grant: (sent != Tick::ZERO).then_some(BeatGrant { start, sent, lease }),
            entries,
        })
    }
}

impl BeatGrant {
    /// A lease that is too long for its field is granted for as long as the field can say: shorter is always safe.
    fn words(grant: Option<BeatGrant>) -> (U32, U64, U64) {
        let lease = |grant: BeatGrant| u32::try_from(grant.lease.as_micros()).unwrap_or(u32::MAX);
        grant.map_or((U32::ZERO, U64::ZERO, U64::ZERO), |grant| {
            (lease(grant).into(), grant.start.into(), grant.sent.0.into())
        })
    }
}

impl BeatEntry {
    /// The entry in the beat of one who hears `heard`.
    fn body(&self, heard: NodeSet) -> Vec<u8> {
        let mut out = Vec::with_capacity(3 * varint::BYTES_MAX);
        [self.start, self.number, self.hears.bits() ^ heard.bits()]
            .into_iter()
            .for_each(|number| varint::write(number, &mut out));
        out
    }

    fn read(node: NodeId, heard: NodeSet, rest: &mut &[u8]) -> Result<BeatEntry, WireError> {
        let (start, number) = (varint::read(rest)?, varint::read(rest)?);
        let hears = NodeSet::from_bits(varint::read(rest)? ^ heard.bits());
        Ok(BeatEntry { node, start, number, hears })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Frame;
    use proptest::prelude::*;

    fn beat() -> Beat {
        let hears: NodeSet = [1, 2].map(NodeId).into_iter().collect();
        Beat {
            flags: BeatFlags { ready: true, blank: false, urgent: true },
            number: 7,
            sent: Tick(8),
            boot: BootId([9; 16]),
            view: ViewId { counter: 10, coordinator: NodeId(1) },
            received: 11,
            counter_max: 12,
            hears,
            hears_here: NodeSet::EMPTY.with(NodeId(2)),
            grant: Some(BeatGrant { start: 3, sent: Tick(5), lease: Span::from_micros(0x0102_0304) }),
            entries: vec![BeatEntry { node: NodeId(2), start: 300, number: 4, hears: hears.with(NodeId(3)) }],
        }
    }

    #[test]
    fn golden_bytes_of_a_beat() {
        let mut golden = vec![1, 5, 1, 0, 4, 3, 2, 1];
        golden.extend_from_slice(&7u64.to_le_bytes());
        golden.extend_from_slice(&8u64.to_le_bytes());
        golden.extend_from_slice(&[9; 16]);
        for word in [10u64, 11, 12, 3, 2, 3, 5, 2] {
            golden.extend_from_slice(&word.to_le_bytes());
        }
        golden.extend_from_slice(&[0xac, 2, 4, 4]);
        assert_eq!(beat().encode(), golden);
        assert_eq!(Frame::decode(&golden), Ok(Frame::Beat(beat())));
    }

    #[test]
    fn bytes_behind_the_last_entry_and_entries_that_are_missing_are_refused() {
        let bytes = beat().encode();
        assert_eq!(Frame::decode(&[&bytes[..], &[0]].concat()), Err(WireError::WrongLength));
        assert_eq!(Frame::decode(&bytes[..bytes.len() - 1]), Err(WireError::Truncated));
    }

    /// A beat of a node that hears all others of a full cluster.
    fn full(number: u64, entry: impl Fn(NodeId) -> BeatEntry) -> Beat {
        let all = NodeSet::from_bits(u64::MAX);
        let entries = all.without(NodeId(1)).iter().map(entry).collect();
        Beat { number, hears: all, entries, ..beat() }
    }

    fn told(beat: &Beat) -> NodeSet {
        let bytes = beat.encode();
        assert!(bytes.len() <= FRAME_BODY_BYTES_MAX);
        let Ok(Frame::Beat(read)) = Frame::decode(&bytes) else { panic!("it is a beat") };
        read.entries.iter().map(|entry| entry.node).collect()
    }

    #[test]
    fn the_beat_of_a_full_cluster_that_has_run_for_years_is_one_frame() {
        let hears = NodeSet::from_bits(u64::MAX);
        let beat = full(7, |node| BeatEntry { node, start: 10_000, number: 10_000_000_000, hears });
        assert!(beat.encode().len() < FRAME_BODY_BYTES_MAX / 2 + 100);
        assert_eq!(told(&beat), hears.without(NodeId(1)));
    }

    #[test]
    fn what_does_not_fit_is_in_one_of_two_beats_in_a_row() {
        let worst = |node| BeatEntry { node, start: u64::MAX, number: u64::MAX, hears: NodeSet::EMPTY };
        for number in 0..200 {
            let (one, next) = (told(&full(number, worst)), told(&full(number + 1, worst)));
            assert!(one.len() >= ENTRIES_FIT);
            assert_eq!(one.or(next).len(), 63, "in beats {number} and the next");
        }
    }

    #[test]
    fn the_fields_of_a_path_and_of_a_receiver_can_be_set_afterwards() {
        let mut bytes = beat().encode();
        Beat::set_hears_here(&mut bytes, NodeSet::EMPTY);
        Beat::set_grant(&mut bytes, None);
        let expected = Beat { hears_here: NodeSet::EMPTY, grant: None, ..beat() };
        assert_eq!(Frame::decode(&bytes), Ok(Frame::Beat(expected)));
    }

    #[test]
    fn a_grant_is_never_read_as_longer_than_it_was_given_for() {
        let spans = [Span(1), Span(1_999), Span::from_secs(4_294), Span::from_secs(4_295), Span(u64::MAX)];
        for lease in spans {
            let grant = Some(BeatGrant { start: 3, sent: Tick(5), lease });
            let Ok(Frame::Beat(read)) = Frame::decode(&Beat { grant, ..beat() }.encode()) else {
                panic!("it is a beat")
            };
            assert!(read.grant.is_some_and(|grant| grant.lease <= lease));
        }
    }

    proptest! {
        #[test]
        fn a_damaged_beat_never_panics(at in 0usize..128, to in any::<u8>(), keep in 0usize..200) {
            let mut bytes = beat().encode();
            let at = at % bytes.len();
            bytes[at] = to;
            bytes.truncate(keep);
            let _ = Frame::decode(&bytes);
        }
    }
}
