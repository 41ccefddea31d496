//! The heartbeat.
//!
//! Each node sends one to each peer on each path at each beat interval, and once more where news should not wait (a view
//! installed, a stall survived). It says what its sender hears, grants leases, and repeats how far the sender has
//! received ordered messages.

use crate::frame::{WireError, beat_kind};
use phalanx_types::limits::NODES_MAX;
use phalanx_types::{BootId, NodeId, NodeSet, Tick, ViewId};
use zerocopy::little_endian::{U16, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

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
    /// What the sender knows of each node that it hears.
    pub entries: Vec<BeatEntry>,
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
    /// The sending time (on that node's clock) of its newest beat that the sender grants; zero: no grant.
    pub granted: Tick,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct BeatHead {
    kind: u8,
    flags: u8,
    entries: U16,
    view_coordinator: U16,
    reserved: U16,
    number: U64,
    sent: U64,
    boot: [u8; 16],
    view_counter: U64,
    received: U64,
    counter_max: U64,
    hears: U64,
    hears_here: U64,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct EntryBody {
    node: U16,
    reserved: [u8; 6],
    start: U64,
    number: U64,
    hears: U64,
    granted: U64,
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
    /// Writes the beat: 80 bytes, and 40 for each entry.
    pub fn encode(&self) -> Vec<u8> {
        let head = BeatHead {
            kind: beat_kind(),
            flags: self.flags.bits(),
            entries: (self.entries.len() as u16).into(),
            view_coordinator: self.view.coordinator.0.into(),
            reserved: U16::ZERO,
            number: self.number.into(),
            sent: self.sent.0.into(),
            boot: self.boot.0,
            view_counter: self.view.counter.into(),
            received: self.received.into(),
            counter_max: self.counter_max.into(),
            hears: self.hears.bits().into(),
            hears_here: self.hears_here.bits().into(),
        };
        let mut out = Vec::with_capacity(size_of::<BeatHead>() + self.entries.len() * size_of::<EntryBody>());
        out.extend_from_slice(head.as_bytes());
        for entry in &self.entries {
            out.extend_from_slice(entry.body().as_bytes());
        }
        out
    }

    /// Overwrites, in an encoded beat, the one field that differs between the paths of a node.
    pub fn set_hears_here(encoded: &mut [u8], hears_here: NodeSet) {
        if let Ok((head, _)) = BeatHead::mut_from_prefix(encoded) {
            head.hears_here = hears_here.bits().into();
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Beat, WireError> {
        let (head, rest) = BeatHead::ref_from_prefix(bytes).map_err(|_| WireError::Truncated)?;
        let count = usize::from(head.entries.get());
        if count > NODES_MAX || rest.len() != count * size_of::<EntryBody>() {
            return Err(WireError::WrongLength);
        }
        let bodies = <[EntryBody]>::ref_from_bytes(rest).map_err(|_| WireError::WrongLength)?;
        let coordinator = NodeId(head.view_coordinator.get());
        Ok(Beat {
            flags: BeatFlags::from_bits(head.flags)?,
            number: head.number.get(),
            sent: Tick(head.sent.get()),
            boot: BootId(head.boot),
            view: ViewId { counter: head.view_counter.get(), coordinator },
            received: head.received.get(),
            counter_max: head.counter_max.get(),
            hears: NodeSet::from_bits(head.hears.get()),
            hears_here: NodeSet::from_bits(head.hears_here.get()),
            entries: bodies.iter().map(BeatEntry::from_body).collect(),
        })
    }
}

impl BeatEntry {
    fn body(&self) -> EntryBody {
        EntryBody {
            node: self.node.0.into(),
            reserved: [0; 6],
            start: self.start.into(),
            number: self.number.into(),
            hears: self.hears.bits().into(),
            granted: self.granted.0.into(),
        }
    }

    fn from_body(body: &EntryBody) -> BeatEntry {
        BeatEntry {
            node: NodeId(body.node.get()),
            start: body.start.get(),
            number: body.number.get(),
            hears: NodeSet::from_bits(body.hears.get()),
            granted: Tick(body.granted.get()),
        }
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
            entries: vec![BeatEntry { node: NodeId(2), start: 3, number: 4, hears, granted: Tick(5) }],
        }
    }

    #[test]
    fn golden_bytes_of_a_beat() {
        let mut golden = vec![1, 5, 1, 0, 1, 0, 0, 0];
        golden.extend_from_slice(&7u64.to_le_bytes());
        golden.extend_from_slice(&8u64.to_le_bytes());
        golden.extend_from_slice(&[9; 16]);
        for word in [10u64, 11, 12, 3, 2] {
            golden.extend_from_slice(&word.to_le_bytes());
        }
        golden.extend_from_slice(&[2, 0, 0, 0, 0, 0, 0, 0]);
        for word in [3u64, 4, 3, 5] {
            golden.extend_from_slice(&word.to_le_bytes());
        }
        assert_eq!(beat().encode(), golden);
        assert_eq!(Frame::decode(&golden), Ok(Frame::Beat(beat())));
    }

    #[test]
    fn the_field_of_a_path_can_be_set_afterwards() {
        let mut bytes = beat().encode();
        Beat::set_hears_here(&mut bytes, NodeSet::EMPTY);
        let expected = Beat { hears_here: NodeSet::EMPTY, ..beat() };
        assert_eq!(Frame::decode(&bytes), Ok(Frame::Beat(expected)));
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
