//! Who voted against a proposal, packed: a list of providers, each with what it said to that.

use crate::list::{PROVIDER, pack, unpack};
use minicbor::decode::Error;
use minicbor::{Decode, Decoder, Encode, Encoder, encode};
use phalanx_groups::domain::{Message, ProviderId};
use phalanx_types::limits::GS_OBJECTIONS_BYTES_MAX;

/// Who voted against a proposal, and what each of them said: a list that stays as it came, so that reading it takes no more
/// memory than it has bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Against {
    /// For each its provider, one more than the length of what it said or zero if it said nothing, and that.
    packed: Vec<u8>,
}

/// One vote against a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Objection<'a> {
    /// Whose.
    pub provider: ProviderId,
    /// What it said to that, if it said something, and there was room for it.
    pub words: Option<&'a [u8]>,
}

impl Against {
    /// These, lowest first. Everybody is named; what they said only as long as there is room for it.
    pub fn of(objections: impl IntoIterator<Item = (ProviderId, Option<Message>)>) -> Against {
        let (mut packed, mut room) = (Vec::new(), GS_OBJECTIONS_BYTES_MAX);
        for (provider, message) in objections {
            packed.extend_from_slice(&pack(provider));
            let words = message.as_ref().map(|message| message.bytes());
            match words.and_then(|words| room.checked_sub(words.len()).map(|left| (words, left))) {
                None => packed.extend_from_slice(&0_u32.to_le_bytes()),
                Some((words, left)) => {
                    room = left;
                    packed.extend_from_slice(&(words.len() as u32 + 1).to_le_bytes());
                    packed.extend_from_slice(words);
                }
            }
        }
        Against { packed }
    }

    /// Whether nobody voted against it: it was approved, or default votes rejected it.
    pub fn is_empty(&self) -> bool {
        self.packed.is_empty()
    }

    /// Each of them, lowest first.
    pub fn iter(&self) -> impl Iterator<Item = Objection<'_>> {
        let first = first(&self.packed);
        std::iter::successors(first, |(_, rest)| self::first(rest)).map(|(objection, _)| objection)
    }
}

fn first(packed: &[u8]) -> Option<(Objection<'_>, &[u8])> {
    let (provider, packed) = packed.split_first_chunk::<PROVIDER>()?;
    let (length, packed) = packed.split_first_chunk()?;
    let (words, rest) = match u32::from_le_bytes(*length).checked_sub(1) {
        None => (None, packed),
        Some(length) => {
            let (words, rest) = packed.split_at_checked(usize::try_from(length).ok()?)?;
            (Some(words), rest)
        }
    };
    Some((Objection { provider: unpack(provider), words }, rest))
}

/// Where nobody is against it nothing is written, as before there was such a list.
impl<C> Encode<C> for Against {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        match self.is_empty() {
            true => e.null()?.ok(),
            false => e.bytes(&self.packed)?.ok(),
        }
    }

    fn is_nil(&self) -> bool {
        self.is_empty()
    }
}

impl<'b, C> Decode<'b, C> for Against {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Against, Error> {
        let packed = d.bytes()?;
        let mut rest = packed;
        while !rest.is_empty() {
            rest = first(rest).ok_or_else(|| Error::message("no list of votes against something"))?.1;
        }
        Ok(Against { packed: packed.to_vec() })
    }

    fn nil() -> Option<Against> {
        Some(Against::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_types::{Incarnation, NodeId};

    fn provider(node: u16) -> ProviderId {
        ProviderId { life: Incarnation { node: NodeId(node), start: 1 }, instance: 1 }
    }

    fn message(length: usize) -> Option<Message> {
        Message::new(vec![b'n'; length]).ok()
    }

    #[test]
    fn everybody_is_named_and_what_they_said_as_long_as_there_is_room() {
        let half = GS_OBJECTIONS_BYTES_MAX / 2 + 1;
        let said = [(1, message(half)), (2, None), (3, message(half)), (4, message(0)), (5, message(7))];
        let against = Against::of(said.map(|(node, message)| (provider(node), message)));
        let lengths: Vec<_> =
            against.iter().map(|one| (one.provider.life.node.0, one.words.map(<[u8]>::len))).collect();
        assert_eq!(lengths, [(1, Some(half)), (2, None), (3, None), (4, Some(0)), (5, Some(7))]);
    }

    #[test]
    fn half_an_objection_is_none() {
        let written = |packed: &[u8]| minicbor::to_vec(<&minicbor::bytes::ByteSlice>::from(packed)).unwrap();
        let whole = Against::of([(provider(1), message(3))]);
        for length in 1..whole.packed.len() {
            assert!(minicbor::decode::<Against>(&written(&whole.packed[..length])).is_err(), "{length}");
        }
        assert_eq!(minicbor::decode::<Against>(&written(&whole.packed)).ok(), Some(whole));
    }
}
