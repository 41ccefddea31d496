//! Ids: one type for each thing that has a number, so that two kinds can never be mixed up.
//!
//! ```compile_fail
//! use phalanx_types::{NetworkId, NodeId};
//! let node: NodeId = NetworkId(1);
//! ```

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A cluster, drawn at random when it is created; every frame and every file names it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct ClusterId(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

/// One boot of one host, as the kernel names it; a new one proves that the old boot is over.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct BootId(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

/// A repository disk, drawn at random when it is created; every sector on it names it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct RepositoryId(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

/// BLAKE3 of something that must be the same everywhere.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Digest(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

/// A configured node, 1 and up in the order of the cluster file; never reused.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct NodeId(#[n(0)] pub u16);

/// A configured network, 0 and up.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct NetworkId(#[n(0)] pub u8);

/// One of the ways between this node and a peer: a network, and which pair of addresses on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize)]
pub struct PathId {
    /// The network the path runs over.
    #[n(0)]
    pub network: NetworkId,
    /// Which of the peer's addresses on that network, in the order of the cluster file.
    #[n(1)]
    pub index: u8,
}

/// One of the subnets of a network, by its place in the cluster file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Segment(pub u8);

/// A node with an address on a path: a ring's place for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat {
    /// The node.
    pub node: NodeId,
    /// The subnet that the address is in.
    pub segment: Segment,
}

/// One life of one node's daemon. `start` is durable before it is used and grows by one each start.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
pub struct Incarnation {
    /// Whose life it is.
    #[n(0)]
    pub node: NodeId,
    /// Which life, counted from 1.
    #[n(1)]
    pub start: u64,
}

/// A membership view. Ids grow at every node, also across its restarts.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
pub struct ViewId {
    /// Higher than that of every view its members ever accepted.
    #[n(0)]
    pub counter: u64,
    /// Who formed it; makes ids of two coordinators at one counter differ.
    #[n(1)]
    pub coordinator: NodeId,
}

/// Which acquisition of a resource group this is; grows with each, cluster-wide. Handed to every start command,
/// so that an application can stamp what it writes.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct OwnershipEpoch(#[n(0)] pub u64);

/// One operation on one resource, unique within an incarnation.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct OperationId(#[n(0)] pub u64);

/// One operator's request, unique within an incarnation.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct RequestId(#[n(0)] pub u64);

impl ViewId {
    /// Older than every view there is.
    pub const NONE: ViewId = ViewId { counter: 0, coordinator: NodeId(0) };
}

impl OwnershipEpoch {
    /// Nothing was ever acquired.
    pub const NONE: OwnershipEpoch = OwnershipEpoch(0);

    /// The epoch after this one for an acquisition that view `view` decides.
    ///
    /// The view's counter is the upper part, so that epochs grow even when every node forgot the last one.
    pub fn next(self, view: ViewId) -> OwnershipEpoch {
        OwnershipEpoch((self.0 + 1).max(view.counter << 16))
    }
}

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(*blake3::hash(bytes).as_bytes())
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {}", self.0)
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.node.0, self.start)
    }
}

impl fmt::Display for ViewId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.counter, self.coordinator.0)
    }
}

impl fmt::Display for OwnershipEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

macro_rules! hexadecimal {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}(", stringify!($name))?;
                self.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))?;
                write!(f, ")")
            }
        }
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )*};
}
hexadecimal!(ClusterId, BootId, RepositoryId, Digest);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_and_programs_read_hexadecimal_digits() {
        let boot = BootId([0xa5; 16]);
        assert_eq!(boot.to_string(), "a5".repeat(16));
        assert_eq!(serde_json::to_string(&boot).unwrap(), format!("\"{boot}\""));
    }

    #[test]
    fn epochs_grow_within_a_view_and_over_a_forgetful_restart() {
        let view = |counter| ViewId { counter, coordinator: NodeId(1) };
        let first = OwnershipEpoch::NONE.next(view(7));
        let second = first.next(view(7));
        let after_restart = OwnershipEpoch::NONE.next(view(8));
        assert!(OwnershipEpoch::NONE < first && first < second && second < after_restart);
    }
}
