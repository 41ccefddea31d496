//! One version of the configuration, bound to the one before it.

use minicbor::{Decode, Encode};
use phalanx_types::{Digest, ViewId};
use serde::Serialize;

/// A version. Its digest covers everything in it, its parent's digest too.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Version {
    #[n(0)]
    generation: u64,
    #[n(1)]
    epoch: u64,
    #[n(2)]
    index: u64,
    #[n(3)]
    parent: Digest,
    #[n(4)]
    text: String,
}

/// How new a version is: by generation, then by the view that agreed it, then by its place in the chain; never by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize)]
pub struct Stamp {
    /// A start that an operator forced opens a new one.
    #[n(0)]
    pub generation: u64,
    /// Counter of the view in which it was proposed.
    #[n(1)]
    pub epoch: u64,
    /// Its place in the chain, from 1.
    #[n(2)]
    pub index: u64,
    /// Tells two apart that are equal in all else, which cannot be.
    #[n(3)]
    pub digest: Digest,
}

impl Version {
    /// The first version of a cluster.
    pub fn first(text: String) -> Version {
        Version { generation: 1, epoch: 0, index: 1, parent: Digest([0; 32]), text }
    }

    /// The version after this one, proposed in `view`.
    pub fn next(&self, text: String, view: ViewId) -> Version {
        Version {
            generation: self.generation,
            epoch: view.counter,
            index: self.index + 1,
            parent: self.digest(),
            text,
        }
    }

    /// The same configuration as the first version of a new generation, begun in `view`.
    pub fn first_of(&self, generation: u64, view: ViewId) -> Version {
        Version { generation, ..self.next(self.text.clone(), view) }
    }

    /// Names it.
    pub fn digest(&self) -> Digest {
        Digest::of(&minicbor::to_vec(self).expect("writing to memory does not fail"))
    }

    /// How new it is.
    pub fn stamp(&self) -> Stamp {
        let Version { generation, epoch, index, .. } = *self;
        Stamp { generation, epoch, index, digest: self.digest() }
    }

    /// The digest of the version that it follows.
    pub fn parent(&self) -> Digest {
        self.parent
    }

    /// Its place in the chain, from 1.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The configuration, in canonical form.
    pub fn text(&self) -> &str {
        &self.text
    }
}
