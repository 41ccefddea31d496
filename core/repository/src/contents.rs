//! What stands in the sectors of each area: the header, a node's membership record, its block of the claim, the sector that commits
//! a copy of the ledger. Beats and letters are other people's bytes.
//!
//! ```text
//! header   number 8 | slots 2 | mail 2 | ledger_body 4 | sectors 8 | name_length 1 | reserved 7 | name 64
//! record   view.counter 8 | view.coordinator 2 | reserved 6 | members 8 | generation 8
//! claim    round 8 | tried 8 | tried.node 2 | accepted.node 2 | reserved 4 | accepted 8 | claimed 1 | reserved 7 |
//!          predecessor.counter 8 | predecessor.coordinator 2 | reserved 6 | generation 8 | epoch 8 | holders 8
//! commit   generation 8 | epoch 8 | index 8 | version 32 | length 4 | reserved 4 | digest 32
//! ```
//! All numbers little-endian. What a newer program adds stands behind and is ignored here.

use crate::claim::{BALLOT_MAX, Ballot, Block, Claim};
use crate::layout::{LEDGER_BODY_SECTORS, Layout};
use crate::sector::PAYLOAD_BYTES_MAX;
use phalanx_ledger::{IMAGE_BYTES_MAX, Stamp};
use phalanx_types::limits::{NAME_BYTES_MAX, REPOSITORY_MAIL_SECTORS};
use phalanx_types::{Digest, NodeId, NodeSet, ViewId};
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// What repository it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Which repository of its cluster, counted from 1: one that replaces another has a higher number.
    pub number: u64,
    /// What stands where.
    pub layout: Layout,
    /// The cluster's name, for people.
    pub name: String,
}

/// What a node says of the last primary view that it installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// The view.
    pub view: ViewId,
    /// Its members.
    pub members: NodeSet,
    /// The charter's generation.
    pub generation: u64,
}

/// What makes a copy of the ledger whole: written after all the rest of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// How new the newest version in it is.
    pub stamp: Stamp,
    /// Bytes of the image.
    pub length: u32,
    /// The digest of the image.
    pub digest: Digest,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct HeaderBody {
    number: U64,
    slots: U16,
    mail: U16,
    ledger_body: U32,
    sectors: U64,
    name_length: u8,
    reserved: [u8; 7],
    name: [u8; NAME_BYTES_MAX],
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct RecordBody {
    counter: U64,
    coordinator: U16,
    reserved: [u8; 6],
    members: U64,
    generation: U64,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct ClaimBody {
    round: U64,
    tried: U64,
    tried_node: U16,
    accepted_node: U16,
    reserved: U32,
    accepted: U64,
    claimed: u8,
    reserved_too: [u8; 7],
    counter: U64,
    coordinator: U16,
    reserved_last: [u8; 6],
    generation: U64,
    epoch: U64,
    holders: U64,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct CommitBody {
    generation: U64,
    epoch: U64,
    index: U64,
    version: [u8; 32],
    length: U32,
    reserved: U32,
    digest: [u8; 32],
}

impl Header {
    /// Writes it. A name is no longer than [`NAME_BYTES_MAX`].
    pub fn encode(&self) -> Vec<u8> {
        let mut name = [0; NAME_BYTES_MAX];
        name[..self.name.len()].copy_from_slice(self.name.as_bytes());
        let body = HeaderBody {
            number: self.number.into(),
            slots: self.layout.slots().into(),
            mail: REPOSITORY_MAIL_SECTORS.into(),
            ledger_body: (LEDGER_BODY_SECTORS as u32).into(),
            sectors: self.layout.sectors().into(),
            name_length: self.name.len() as u8,
            reserved: [0; 7],
            name,
        };
        body.as_bytes().to_vec()
    }

    /// Reads it; nothing if it makes no sense, or describes other areas than this program has.
    pub fn decode(payload: &[u8]) -> Option<Header> {
        let (body, _) = HeaderBody::ref_from_prefix(payload).ok()?;
        let layout = Layout::new(body.slots.get())?;
        let same = body.mail.get() == REPOSITORY_MAIL_SECTORS
            && u64::from(body.ledger_body.get()) == LEDGER_BODY_SECTORS
            && body.sectors.get() == layout.sectors();
        let name = str::from_utf8(body.name.get(..usize::from(body.name_length))?).ok()?;
        same.then(|| Header { number: body.number.get(), layout, name: name.to_owned() })
    }
}

impl Record {
    /// Writes it.
    pub fn encode(&self) -> Vec<u8> {
        let body = RecordBody {
            counter: self.view.counter.into(),
            coordinator: self.view.coordinator.0.into(),
            reserved: [0; 6],
            members: self.members.bits().into(),
            generation: self.generation.into(),
        };
        body.as_bytes().to_vec()
    }

    /// Reads it.
    pub fn decode(payload: &[u8]) -> Option<Record> {
        let (body, _) = RecordBody::ref_from_prefix(payload).ok()?;
        Some(Record {
            view: view(body.counter, body.coordinator),
            members: NodeSet::from_bits(body.members.get()),
            generation: body.generation.get(),
        })
    }
}

impl Block {
    /// Writes it.
    pub fn encode(&self) -> Vec<u8> {
        let (accepted, claim) = self.accepted.unzip();
        let accepted = accepted.unwrap_or(Ballot::NONE);
        let claimed = u8::from(claim.is_some());
        let claim = claim.unwrap_or(Claim::NOTHING);
        let body = ClaimBody {
            round: self.round.into(),
            tried: self.tried.number.into(),
            tried_node: self.tried.node.0.into(),
            accepted_node: accepted.node.0.into(),
            reserved: U32::ZERO,
            accepted: accepted.number.into(),
            claimed,
            reserved_too: [0; 7],
            counter: claim.predecessor.counter.into(),
            coordinator: claim.predecessor.coordinator.0.into(),
            reserved_last: [0; 6],
            generation: claim.generation.into(),
            epoch: claim.epoch.into(),
            holders: claim.holders.bits().into(),
        };
        body.as_bytes().to_vec()
    }

    /// Reads it.
    pub fn decode(payload: &[u8]) -> Option<Block> {
        let (body, _) = ClaimBody::ref_from_prefix(payload).ok()?;
        let ballot = |number: U64, node: U16| Ballot { number: number.get(), node: NodeId(node.get()) };
        let claim = Claim {
            predecessor: view(body.counter, body.coordinator),
            generation: body.generation.get(),
            epoch: body.epoch.get(),
            holders: NodeSet::from_bits(body.holders.get()),
        };
        let accepted = match body.claimed {
            0 => None,
            1 => Some((ballot(body.accepted, body.accepted_node), claim)),
            _ => return None,
        };
        let tried = ballot(body.tried, body.tried_node);
        let fits = tried.number <= BALLOT_MAX && accepted.is_none_or(|(ballot, _)| ballot <= tried);
        fits.then_some(Block { round: body.round.get(), tried, accepted })
    }
}

impl Commit {
    /// Writes it.
    pub fn encode(&self) -> Vec<u8> {
        let body = CommitBody {
            generation: self.stamp.generation.into(),
            epoch: self.stamp.epoch.into(),
            index: self.stamp.index.into(),
            version: self.stamp.digest.0,
            length: self.length.into(),
            reserved: U32::ZERO,
            digest: self.digest.0,
        };
        body.as_bytes().to_vec()
    }

    /// Reads it; nothing for an image that would not fit.
    pub fn decode(payload: &[u8]) -> Option<Commit> {
        let (body, _) = CommitBody::ref_from_prefix(payload).ok()?;
        let stamp = Stamp {
            generation: body.generation.get(),
            epoch: body.epoch.get(),
            index: body.index.get(),
            digest: Digest(body.version),
        };
        let commit = Commit { stamp, length: body.length.get(), digest: Digest(body.digest) };
        (commit.length as usize <= IMAGE_BYTES_MAX).then_some(commit)
    }

    /// How many sectors the image takes besides this one.
    pub fn pieces(&self) -> u64 {
        (self.length as u64).div_ceil(PAYLOAD_BYTES_MAX as u64)
    }
}

fn view(counter: U64, coordinator: U16) -> ViewId {
    ViewId { counter: counter.get(), coordinator: NodeId(coordinator.get()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn numbers(numbers: &[u64]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    #[test]
    fn golden_bytes_of_a_header() {
        let header = Header { number: 3, layout: Layout::new(2).unwrap(), name: "demo".into() };
        let mut golden = numbers(&[3]);
        golden.extend_from_slice(&[2, 0, 16, 0, 35, 2, 0, 0]);
        golden.extend_from_slice(&numbers(&[header.layout.sectors(), 4]));
        golden.extend_from_slice(b"demo");
        golden.extend_from_slice(&[0; 60]);
        assert_eq!(header.encode(), golden);
        assert_eq!(Header::decode(&golden), Some(header));
        golden[8] = 3;
        assert_eq!(Header::decode(&golden), None, "the areas do not end where it says");
    }

    #[test]
    fn golden_bytes_of_a_record() {
        let view = ViewId { counter: 9, coordinator: NodeId(2) };
        let record = Record { view, members: NodeSet::from_bits(0b110), generation: 4 };
        assert_eq!(record.encode(), numbers(&[9, 2, 0b110, 4]));
        assert_eq!(Record::decode(&record.encode()), Some(record));
    }

    #[test]
    fn golden_bytes_of_a_block_of_the_claim() {
        let claim = Claim {
            predecessor: ViewId { counter: 9, coordinator: NodeId(2) },
            generation: 4,
            epoch: 5,
            holders: NodeSet::from_bits(0b10),
        };
        let ballot = |number, node| Ballot { number, node: NodeId(node) };
        let block = Block { round: 1, tried: ballot(8, 2), accepted: Some((ballot(7, 3), claim)) };
        assert_eq!(block.encode(), numbers(&[1, 8, 0x0003_0002, 7, 1, 9, 2, 4, 5, 0b10]));
        assert_eq!(Block::decode(&block.encode()), Some(block));
        let empty = Block { accepted: None, ..block };
        assert_eq!(Block::decode(&empty.encode()), Some(empty));
        let last = Block { tried: ballot(u64::MAX, 2), ..block };
        assert_eq!(Block::decode(&last.encode()), None, "nothing is above it");
    }

    #[test]
    fn golden_bytes_of_a_commit() {
        let stamp = Stamp { generation: 1, epoch: 2, index: 3, digest: Digest([4; 32]) };
        let commit = Commit { stamp, length: 3_841, digest: Digest([5; 32]) };
        let mut golden = numbers(&[1, 2, 3]);
        golden.extend_from_slice(&[4; 32]);
        golden.extend_from_slice(&numbers(&[3_841]));
        golden.extend_from_slice(&[5; 32]);
        assert_eq!(commit.encode(), golden);
        assert_eq!((Commit::decode(&golden), commit.pieces()), (Some(commit), 2));
        golden[56 + 3] = 1;
        assert_eq!(Commit::decode(&golden), None, "no image is so long");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (Header::decode(&bytes), Record::decode(&bytes), Block::decode(&bytes), Commit::decode(&bytes));
        }
    }
}
