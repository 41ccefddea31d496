//! What providers say to each other through ordered messages, and how it is written.

use crate::domain;
use minicbor::{Decode, Encode};
use phalanx_types::Shared;

/// One ordered message of a group.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(context_bound = "phalanx_types::Source")]
pub(crate) enum Word {
    /// A broadcast; whoever sent it.
    #[n(0)]
    Broadcast(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// Of a group: the manager's own, or one of clients.
    #[n(1)]
    Group(#[n(0)] domain::Word),
}

/// What a donor hands to a member that needs it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Transfer {
    /// The manager's state.
    #[n(0)]
    Manager(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// The domain of Group Services.
    #[n(1)]
    Domain(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
}

impl Transfer {
    pub fn write(&self) -> Vec<u8> {
        minicbor::to_vec(self).expect("writing to memory does not fail")
    }
}

/// Bytes of a word without its message, as good as always.
const WORD_BYTES: usize = 128;

impl Word {
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(WORD_BYTES + self.message_bytes());
        minicbor::encode(self, &mut bytes).expect("writing to memory does not fail");
        bytes
    }

    fn message_bytes(&self) -> usize {
        match self {
            Word::Broadcast(body) => body.len(),
            Word::Group(word) => word.act.message().map_or(0, |message| message.bytes().len()),
        }
    }

    /// What was sent; a message in it stays where it is.
    pub fn read(bytes: &Shared) -> Option<Word> {
        minicbor::decode_with(bytes, &mut &*bytes).ok()
    }
}
