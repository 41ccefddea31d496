//! What another machine needs to become a node: the cluster, its key and its first configuration, in one secret file.

use crate::file::{self, FileError, Kind};
use crate::identity::ClusterSecret;
use minicbor::{Decode, Encode};
use phalanx_types::ClusterId;
use std::path::Path;

/// An invitation. Whoever has it can join: treat it as the key that is in it.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Invitation {
    /// The cluster.
    #[n(0)]
    pub cluster: ClusterId,
    /// Its key.
    #[n(1)]
    pub secret: ClusterSecret,
    /// The image of its ledger.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub ledger: Vec<u8>,
}

impl Invitation {
    /// Writes it to a file that only its owner may read.
    pub fn write(&self, path: &Path) -> Result<(), FileError> {
        file::write_value(path, Kind::Invitation, self)
    }

    /// Reads one.
    pub fn read(path: &Path) -> Result<Invitation, FileError> {
        file::read_value(path, Kind::Invitation)
    }
}
