//! Who a node is. It lives in the state directory, not in the host's name.

use minicbor::{Decode, Encode};
use phalanx_types::{ClusterId, Digest, NodeId, NodeName};

/// Who this node is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Identity {
    /// The cluster it belongs to.
    #[n(0)]
    pub cluster: ClusterId,
    /// Its number.
    #[n(1)]
    pub node: NodeId,
    /// Its name.
    #[n(2)]
    pub name: NodeName,
}

/// The cluster's key, by which its nodes know each other.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct ClusterSecret {
    /// Which of the cluster's keys it is.
    #[n(0)]
    pub key_epoch: u32,
    /// The key.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub key: [u8; 32],
}

impl ClusterSecret {
    /// What people compare to see whether two nodes have the same key; the key cannot be told from it.
    pub fn fingerprint(&self) -> String {
        let digest = Digest::of(&[b"phalanx key fingerprint 1".as_slice(), &self.key].concat()).to_string();
        digest.as_bytes()[..16].chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join("-")
    }
}
