//! The clear header of every datagram; what follows it is sealed, and the header is authenticated with it.
//!
//! ```text
//! magic 4 | version_min 1 | version_max 1 | capabilities 2 | cluster 16 | key_epoch 4 | kind 1 | lane 1 |
//! from.node 2 | to.node 2 | reserved 2 | from.start 8 | to.start 8 | view.coordinator 2 | reserved 6 | view.counter 8 | counter 8
//! ```
//! All numbers little-endian, 72 bytes in all. A receiver drops what has another magic, no common version, another
//! cluster, another receiver or an unknown key epoch, before it touches any state.

use crate::frame::WireError;
use phalanx_types::{ClusterId, Incarnation, NodeId, ViewId};
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// How a datagram of Phalanx begins.
pub const MAGIC: [u8; 4] = *b"PHLX";
/// The oldest protocol that this program speaks.
pub const VERSION_MIN: u8 = 1;
/// The newest protocol that this program speaks.
pub const VERSION_MAX: u8 = 1;
/// Bytes of a header.
pub const HEADER_BYTES: usize = size_of::<HeaderBody>();
/// Where in a header the lane stands.
pub const LANE_OFFSET: usize = std::mem::offset_of!(HeaderBody, lane);

/// What kind of datagram it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatagramKind {
    /// A challenge, authenticated by the cluster key: whoever answers it with sealed frames is alive now.
    Hello,
    /// A sealed frame of a session.
    Sealed,
}

/// A header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bits for abilities that not every program has; unknown ones are ignored.
    pub capabilities: u16,
    /// The cluster it belongs to.
    pub cluster: ClusterId,
    /// Which of the cluster's keys was used.
    pub key_epoch: u32,
    /// What it is.
    pub kind: DatagramKind,
    /// Its urgency, 0 the highest; 3 need not wake its receiver.
    pub lane: u8,
    /// The life that sent it.
    pub from: Incarnation,
    /// The life it is for; start 0 if the sender does not know it yet.
    pub to: Incarnation,
    /// The view installed at the sender.
    pub view: ViewId,
    /// Never used twice by one life in one session.
    pub counter: u64,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct HeaderBody {
    magic: [u8; 4],
    version_min: u8,
    version_max: u8,
    capabilities: U16,
    cluster: [u8; 16],
    key_epoch: U32,
    kind: u8,
    lane: u8,
    from_node: U16,
    to_node: U16,
    reserved: U16,
    from_start: U64,
    to_start: U64,
    view_coordinator: U16,
    reserved_too: [u8; 6],
    view_counter: U64,
    counter: U64,
}

impl Header {
    /// Writes the header.
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let body = HeaderBody {
            magic: MAGIC,
            version_min: VERSION_MIN,
            version_max: VERSION_MAX,
            capabilities: self.capabilities.into(),
            cluster: self.cluster.0,
            key_epoch: self.key_epoch.into(),
            kind: match self.kind {
                DatagramKind::Hello => 1,
                DatagramKind::Sealed => 2,
            },
            lane: self.lane,
            from_node: self.from.node.0.into(),
            to_node: self.to.node.0.into(),
            reserved: U16::ZERO,
            from_start: self.from.start.into(),
            to_start: self.to.start.into(),
            view_coordinator: self.view.coordinator.0.into(),
            reserved_too: [0; 6],
            view_counter: self.view.counter.into(),
            counter: self.counter.into(),
        };
        zerocopy::transmute!(body)
    }

    /// Reads the header of a datagram, and gives what follows it.
    pub fn decode(datagram: &[u8]) -> Result<(Header, &[u8]), WireError> {
        let (body, rest) = HeaderBody::ref_from_prefix(datagram).map_err(|_| WireError::Truncated)?;
        if body.magic != MAGIC {
            return Err(WireError::BadField("magic"));
        }
        if body.version_min > VERSION_MAX || body.version_max < VERSION_MIN {
            return Err(WireError::BadField("version"));
        }
        let kind = match body.kind {
            1 => DatagramKind::Hello,
            2 => DatagramKind::Sealed,
            other => return Err(WireError::UnknownKind(other)),
        };
        let life = |node: U16, start: U64| Incarnation { node: NodeId(node.get()), start: start.get() };
        let coordinator = NodeId(body.view_coordinator.get());
        let header = Header {
            capabilities: body.capabilities.get(),
            cluster: ClusterId(body.cluster),
            key_epoch: body.key_epoch.get(),
            kind,
            lane: body.lane,
            from: life(body.from_node, body.from_start),
            to: life(body.to_node, body.to_start),
            view: ViewId { counter: body.view_counter.get(), coordinator },
            counter: body.counter.get(),
        };
        Ok((header, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header() -> Header {
        Header {
            capabilities: 0x0201,
            cluster: ClusterId([7; 16]),
            key_epoch: 3,
            kind: DatagramKind::Sealed,
            lane: 1,
            from: Incarnation { node: NodeId(4), start: 5 },
            to: Incarnation { node: NodeId(6), start: 8 },
            view: ViewId { counter: 9, coordinator: NodeId(10) },
            counter: 11,
        }
    }

    #[test]
    fn golden_bytes_of_a_header() {
        let mut golden = b"PHLX\x01\x01\x01\x02".to_vec();
        golden.extend_from_slice(&[7; 16]);
        golden.extend_from_slice(&[3, 0, 0, 0, 2, 1, 4, 0, 6, 0, 0, 0]);
        golden.extend_from_slice(&5u64.to_le_bytes());
        golden.extend_from_slice(&8u64.to_le_bytes());
        golden.extend_from_slice(&[10, 0, 0, 0, 0, 0, 0, 0]);
        golden.extend_from_slice(&9u64.to_le_bytes());
        golden.extend_from_slice(&11u64.to_le_bytes());
        assert_eq!(header().encode().to_vec(), golden);
        golden.push(99);
        assert_eq!(Header::decode(&golden), Ok((header(), &[99][..])));
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        let check = |at: usize, to: u8, expected: WireError| {
            let mut bytes = header().encode();
            bytes[at] = to;
            assert_eq!(Header::decode(&bytes).unwrap_err(), expected);
        };
        check(0, b'X', WireError::BadField("magic"));
        check(4, 2, WireError::BadField("version"));
        check(5, 0, WireError::BadField("version"));
        check(28, 9, WireError::UnknownKind(9));
        assert_eq!(Header::decode(&header().encode()[..HEADER_BYTES - 1]).unwrap_err(), WireError::Truncated);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = Header::decode(&bytes);
        }
    }
}
