//! Who writes, and what is written in which order, so that a power cut at any point leaves a whole copy of everything.

use crate::claim::Block;
use crate::contents::{Commit, Header, Record};
use crate::layout::{Area, Copy, HEADER_FIRST, HEADER_SECOND, Layout, Spot};
use crate::reading::Whose;
use crate::sector::{PAYLOAD_BYTES_MAX, SECTOR_BYTES, Sector, SectorBytes};
use phalanx_ledger::Stamp;
use phalanx_types::{Digest, Incarnation, NodeId, NodeSet, ViewId};

/// What is done to a disk. An iterator of these is to be carried out in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Write a sector.
    Write(u64, Box<SectorBytes>),
    /// Wait until all that was written is durable.
    Sync,
}

/// Who writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hand {
    /// To which repository.
    pub whose: Whose,
    /// Which life.
    pub writer: Incarnation,
    /// The view that it has installed.
    pub view: ViewId,
    /// Which of the cluster's keys is in use.
    pub key_epoch: u32,
}

impl Hand {
    /// The hand that makes a repository: the life of nobody, older than every write to come.
    pub fn maker(whose: Whose, key_epoch: u32) -> Hand {
        Hand { whose, writer: Incarnation { node: NodeId(0), start: 0 }, view: ViewId::NONE, key_epoch }
    }

    /// A sector for `spot`.
    pub fn sector(&self, spot: &Spot, sequence: u64, payload: Vec<u8>) -> Sector {
        Sector {
            cluster: self.whose.cluster,
            repository: self.whose.repository,
            area: spot.area,
            place: spot.place,
            writer: self.writer,
            sequence,
            view: self.view,
            key_epoch: self.key_epoch,
            capabilities: 0,
            payload,
        }
    }

    fn write(&self, spot: &Spot, sequence: u64, payload: Vec<u8>) -> Act {
        Act::Write(spot.place, Box::new(self.sector(spot, sequence, payload).encode()))
    }

    /// Makes a repository on whatever is there. Its header is taken away first and written last, so what was cut off is no
    /// repository at all. Every sector is written: zeros will mean that something is gone.
    pub fn create(self, header: Header, stamp: Stamp, ledger: &[u8]) -> impl Iterator<Item = Act> {
        let layout = header.layout;
        let wipe = [HEADER_FIRST, HEADER_SECOND].map(|place| Act::Write(place, Box::new([0; SECTOR_BYTES])));
        let empty = move |spot: Spot| {
            let payload = match spot.area {
                Area::Header => return None,
                Area::Record => {
                    Record { view: ViewId::NONE, members: NodeSet::EMPTY, generation: 0 }.encode()
                }
                Area::Claim => Block::untried(0).encode(),
                Area::Beat | Area::Mail | Area::Ledger => Vec::new(),
            };
            Some(self.write(&spot, 0, payload))
        };
        let heads = layout.spots().filter(|spot| spot.area == Area::Header).collect::<Vec<Spot>>();
        let heads =
            heads.into_iter().flat_map(move |spot| [self.write(&spot, 1, header.encode()), Act::Sync]);
        let ledger: Vec<Act> = self.ledger(layout, Copy::First, 1, stamp, ledger).collect();
        wipe.into_iter().chain([Act::Sync]).chain(layout.spots().filter_map(empty)).chain(ledger).chain(heads)
    }

    /// Writes a node's own sector of an area that is there twice, one copy after the other: one is whole at any moment.
    pub fn pair(self, layout: Layout, area: Area, sequence: u64, payload: &[u8]) -> Vec<Act> {
        let spots = area.copies().iter().filter_map(|copy| layout.own(area, *copy, self.writer.node, 0));
        spots.flat_map(|spot| [self.write(&spot, sequence, payload.to_vec()), Act::Sync]).collect()
    }

    /// Writes both copies of the ledger under `number`, the one at `first` first. Each is committed by its own first sector when all the rest of it
    /// is durable; the other copy is whole until then. Nobody is told that the ledger is there before the last act is done.
    ///
    /// `first` is the copy that is worth less: the one that is not whole, or the older one. If neither is whole, both are mended before:
    /// this would write over pieces of the only ledger there is.
    pub fn ledger(
        self,
        layout: Layout,
        first: Copy,
        number: u64,
        stamp: Stamp,
        image: &[u8],
    ) -> impl Iterator<Item = Act> {
        let commit = Commit { stamp, length: image.len() as u32, digest: Digest::of(image) };
        let copies = match first {
            Copy::First => [Copy::First, Copy::Second],
            Copy::Second => [Copy::Second, Copy::First],
        };
        copies.into_iter().flat_map(move |copy| self.ledger_copy(layout, copy, number, commit, image))
    }

    fn ledger_copy(
        self,
        layout: Layout,
        copy: Copy,
        number: u64,
        commit: Commit,
        image: &[u8],
    ) -> impl Iterator<Item = Act> {
        let spot = move |index| layout.ledger(copy, index);
        let pieces = image.chunks(PAYLOAD_BYTES_MAX).zip(1..);
        let body = pieces.map(move |(piece, index)| self.write(&spot(index), number, piece.to_vec()));
        let end = [Act::Sync, self.write(&spot(0), number, commit.encode()), Act::Sync];
        body.chain(end)
    }
}
