//! One sector: 4096 bytes that say where they belong, who wrote them when, and whether they are all there.
//!
//! A sector is eight blocks of 512 bytes, since that is what some disks write at once. Each block ends with a stamp, the same in
//! all blocks of one version, and a check of itself. So a sector whose write was cut off is told from one that was
//! damaged: there every block is whole, and they are of two versions.
//!
//! ```text
//! block    content 496 | stamp 8 | check 8                         the check covers content and stamp
//! content  head 128 | payload up to 3840, then zeros               of the eight blocks, one after the other
//! head     magic 8 | version_min 1 | version_max 1 | capabilities 2 | area 1 | reserved 1 | writer.node 2 |
//!          cluster 16 | repository 16 | place 8 | writer.start 8 | sequence 8 | view.counter 8 |
//!          view.coordinator 2 | length 2 | key_epoch 4 | reserved 8 | digest 32
//! ```
//! A later format keeps blocks, stamps, checks and digest, so that an older program can tell it from damage.
//!
//! All numbers little-endian. The digest is BLAKE3 of the content with zeros in its own place, the stamp its first eight bytes, a check
//! the first eight of BLAKE3. They tell accidents; whoever may write to the disk can make a sector that looks like anybody's.

use crate::layout::Area;
use phalanx_types::{ClusterId, Digest, Incarnation, NodeId, RepositoryId, ViewId};
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of a sector: what is read and written at once.
pub const SECTOR_BYTES: usize = 4_096;
/// Bytes of the largest payload.
pub const PAYLOAD_BYTES_MAX: usize = CONTENT_BYTES - HEAD_BYTES;
/// How a sector begins.
pub const MAGIC: [u8; 8] = *b"PHXREPOS";
/// The oldest format that this program reads.
pub const VERSION_MIN: u8 = 1;
/// The newest format that this program reads, and the one it writes.
pub const VERSION_MAX: u8 = 1;

/// Bytes that a disk writes at once, at the least.
const BLOCK_BYTES: usize = 512;
const BLOCKS: usize = SECTOR_BYTES / BLOCK_BYTES;
const STAMP_BYTES: usize = 8;
const CHECK_BYTES: usize = 8;
const CHECKED_BYTES: usize = BLOCK_BYTES - CHECK_BYTES;
const BLOCK_CONTENT_BYTES: usize = CHECKED_BYTES - STAMP_BYTES;
const CONTENT_BYTES: usize = BLOCKS * BLOCK_CONTENT_BYTES;
const HEAD_BYTES: usize = size_of::<Head>();
const DIGEST_OFFSET: usize = std::mem::offset_of!(Head, digest);

/// The bytes of a sector.
pub type SectorBytes = [u8; SECTOR_BYTES];

/// What a whole sector says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sector {
    /// The cluster it belongs to.
    pub cluster: ClusterId,
    /// The repository it was written to.
    pub repository: RepositoryId,
    /// What it is part of.
    pub area: Area,
    /// Where it belongs, in sectors from the beginning of the disk.
    pub place: u64,
    /// The life that wrote it; start 0 before the first.
    pub writer: Incarnation,
    /// Grows with each write of the writer to this sector.
    pub sequence: u64,
    /// The view installed at the writer.
    pub view: ViewId,
    /// Which of the cluster's keys was in use.
    pub key_epoch: u32,
    /// Bits for abilities that not every program has; unknown ones are ignored.
    pub capabilities: u16,
    /// What it is about.
    pub payload: Vec<u8>,
}

/// What bytes are that should be a sector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Raw {
    /// Nothing but zeros.
    Blank,
    /// A sector as it was written. Whether it belongs here is another question.
    Whole(Sector),
    /// Whole, but this program is too old to read it.
    Newer {
        /// What it takes to read it.
        version_min: u8,
    },
    /// Whole blocks of two versions, or of one and of none: a write was cut off.
    Torn,
    /// Not as it was written.
    Damaged {
        /// Which of the eight blocks are not, one bit each, the first the lowest.
        blocks: u8,
    },
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Head {
    magic: [u8; 8],
    version_min: u8,
    version_max: u8,
    capabilities: U16,
    area: u8,
    reserved: u8,
    writer_node: U16,
    cluster: [u8; 16],
    repository: [u8; 16],
    place: U64,
    writer_start: U64,
    sequence: U64,
    view_counter: U64,
    view_coordinator: U16,
    length: U16,
    key_epoch: U32,
    reserved_too: [u8; 8],
    digest: [u8; 32],
}

impl Sector {
    /// Writes the sector. The payload must not be longer than [`PAYLOAD_BYTES_MAX`].
    pub fn encode(&self) -> SectorBytes {
        assert!(self.payload.len() <= PAYLOAD_BYTES_MAX, "who makes a payload keeps to its limit");
        let mut content = [0; CONTENT_BYTES];
        content[..HEAD_BYTES].copy_from_slice(self.head().as_bytes());
        content[HEAD_BYTES..HEAD_BYTES + self.payload.len()].copy_from_slice(&self.payload);
        let digest = Digest::of(&content).0;
        content[DIGEST_OFFSET..HEAD_BYTES].copy_from_slice(&digest);
        spread(&content, &digest[..STAMP_BYTES])
    }

    fn head(&self) -> Head {
        Head {
            magic: MAGIC,
            version_min: VERSION_MIN,
            version_max: VERSION_MAX,
            capabilities: self.capabilities.into(),
            area: self.area.tag(),
            reserved: 0,
            writer_node: self.writer.node.0.into(),
            cluster: self.cluster.0,
            repository: self.repository.0,
            place: self.place.into(),
            writer_start: self.writer.start.into(),
            sequence: self.sequence.into(),
            view_counter: self.view.counter.into(),
            view_coordinator: self.view.coordinator.0.into(),
            length: (self.payload.len() as u16).into(),
            key_epoch: self.key_epoch.into(),
            reserved_too: [0; 8],
            digest: [0; 32],
        }
    }

    /// What these bytes are. Nothing in them is believed before all of it is known to be as it was written.
    pub fn examine(bytes: &SectorBytes) -> Raw {
        if bytes.iter().all(|byte| *byte == 0) {
            return Raw::Blank;
        }
        let blocks: [Block; BLOCKS] =
            std::array::from_fn(|number| Block::of(&bytes[number * BLOCK_BYTES..][..BLOCK_BYTES]));
        let damaged = (0..BLOCKS).filter(|number| blocks[*number] == Block::Damaged);
        let damaged = damaged.fold(0, |set, number| set | 1 << number);
        let one = blocks.iter().all(|block| *block == blocks[0]);
        match (damaged, one) {
            (0, true) => read(&gather(bytes), blocks[0]),
            (0, false) => Raw::Torn,
            (blocks, _) => Raw::Damaged { blocks },
        }
    }
}

/// What one block is, by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    Blank,
    Of([u8; STAMP_BYTES]),
    Damaged,
}

impl Block {
    fn of(bytes: &[u8]) -> Block {
        let (checked, check) = bytes.split_at(CHECKED_BYTES);
        match () {
            () if check == check_of(checked) => {
                Block::Of(checked[BLOCK_CONTENT_BYTES..].try_into().expect("a stamp is what is left of it"))
            }
            () if bytes.iter().all(|byte| *byte == 0) => Block::Blank,
            () => Block::Damaged,
        }
    }
}

fn check_of(checked: &[u8]) -> [u8; CHECK_BYTES] {
    let digest = Digest::of(checked).0;
    std::array::from_fn(|at| digest[at])
}

/// The content over its blocks, each with the stamp and a check.
fn spread(content: &[u8; CONTENT_BYTES], stamp: &[u8]) -> SectorBytes {
    let mut bytes = [0; SECTOR_BYTES];
    for (block, piece) in bytes.chunks_exact_mut(BLOCK_BYTES).zip(content.chunks_exact(BLOCK_CONTENT_BYTES)) {
        block[..BLOCK_CONTENT_BYTES].copy_from_slice(piece);
        block[BLOCK_CONTENT_BYTES..CHECKED_BYTES].copy_from_slice(stamp);
        let check = check_of(&block[..CHECKED_BYTES]);
        block[CHECKED_BYTES..].copy_from_slice(&check);
    }
    bytes
}

fn gather(bytes: &SectorBytes) -> [u8; CONTENT_BYTES] {
    let mut content = [0; CONTENT_BYTES];
    for (block, piece) in bytes.chunks_exact(BLOCK_BYTES).zip(content.chunks_exact_mut(BLOCK_CONTENT_BYTES)) {
        piece.copy_from_slice(&block[..BLOCK_CONTENT_BYTES]);
    }
    content
}

/// Reads a content all of whose blocks are of one version.
fn read(content: &[u8; CONTENT_BYTES], stamp: Block) -> Raw {
    const NO_BLOCK: Raw = Raw::Damaged { blocks: 0 };
    let (head, rest) = Head::ref_from_prefix(content).expect("a content is longer than a head");
    let mut undigested = *content;
    undigested[DIGEST_OFFSET..HEAD_BYTES].fill(0);
    let stamped = stamp == Block::Of(std::array::from_fn(|at| head.digest[at]));
    if head.magic != MAGIC || !stamped || Digest::of(&undigested).0 != head.digest {
        return NO_BLOCK;
    }
    if head.version_min > VERSION_MAX {
        return Raw::Newer { version_min: head.version_min };
    }
    let payload = rest.get(..usize::from(head.length.get()));
    let (Some(area), Some(payload)) = (Area::of_tag(head.area), payload) else { return NO_BLOCK };
    Raw::Whole(Sector {
        cluster: ClusterId(head.cluster),
        repository: RepositoryId(head.repository),
        area,
        place: head.place.get(),
        writer: Incarnation { node: NodeId(head.writer_node.get()), start: head.writer_start.get() },
        sequence: head.sequence.get(),
        view: ViewId { counter: head.view_counter.get(), coordinator: NodeId(head.view_coordinator.get()) },
        key_epoch: head.key_epoch.get(),
        capabilities: head.capabilities.get(),
        payload: payload.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sector(sequence: u64, payload: &[u8]) -> Sector {
        Sector {
            cluster: ClusterId([7; 16]),
            repository: RepositoryId([9; 16]),
            area: Area::Beat,
            place: 80,
            writer: Incarnation { node: NodeId(2), start: 3 },
            sequence,
            view: ViewId { counter: 12, coordinator: NodeId(1) },
            key_epoch: 4,
            capabilities: 0x0201,
            payload: payload.to_vec(),
        }
    }

    fn hexadecimal(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn golden_bytes_of_a_sector() {
        let bytes = sector(5, b"beat").encode();
        let mut head = b"PHXREPOS\x01\x01\x01\x02\x04\x00\x02\x00".to_vec();
        head.extend_from_slice(&[7; 16]);
        head.extend_from_slice(&[9; 16]);
        [80u64, 3, 5, 12].iter().for_each(|number| head.extend_from_slice(&number.to_le_bytes()));
        head.extend_from_slice(&[1, 0, 4, 0, 4, 0, 0, 0]);
        head.extend_from_slice(&[0; 8]);
        assert_eq!(bytes[..DIGEST_OFFSET], head);
        assert_eq!(bytes[HEAD_BYTES..HEAD_BYTES + 8], *b"beat\0\0\0\0");
        assert_eq!(hexadecimal(&bytes[DIGEST_OFFSET..HEAD_BYTES]), GOLDEN_DIGEST);
        assert_eq!(hexadecimal(&bytes[BLOCK_CONTENT_BYTES..BLOCK_BYTES]), GOLDEN_FIRST_TAIL);
        assert_eq!(hexadecimal(&bytes[SECTOR_BYTES - 16..]), GOLDEN_LAST_TAIL);
        assert_eq!(Sector::examine(&bytes), Raw::Whole(sector(5, b"beat")));
    }

    const GOLDEN_DIGEST: &str = "d9a3b1880667977f2bafc00cb721b09d936f6448caecf50486f4f86c00c1099f";
    const GOLDEN_FIRST_TAIL: &str = "d9a3b1880667977ff5b2ce0ae18916df";
    const GOLDEN_LAST_TAIL: &str = "d9a3b1880667977fe040f989f17e8b6f";

    #[test]
    fn zeros_are_blank_and_nothing_else_is() {
        let mut bytes = [0; SECTOR_BYTES];
        assert_eq!(Sector::examine(&bytes), Raw::Blank);
        bytes[4_000] = 1;
        assert_eq!(Sector::examine(&bytes), Raw::Damaged { blocks: 0x80 });
    }

    #[test]
    fn a_write_that_was_cut_off_anywhere_is_torn_over_an_older_version_and_over_zeros() {
        let new = sector(6, &[6; PAYLOAD_BYTES_MAX]).encode();
        for old in [sector(5, b"old").encode(), [0; SECTOR_BYTES]] {
            for written in 1u8..=0xfe {
                let mut bytes = old;
                for number in (0..BLOCKS).filter(|number| written & 1 << number != 0) {
                    let place = number * BLOCK_BYTES..(number + 1) * BLOCK_BYTES;
                    bytes[place.clone()].copy_from_slice(&new[place]);
                }
                assert_eq!(Sector::examine(&bytes), Raw::Torn, "blocks {written:08b}");
            }
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed_and_its_block_named() {
        let whole = sector(5, &[3; 2_000]).encode();
        for bit in (0..SECTOR_BYTES * 8).step_by(7) {
            let mut bytes = whole;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Sector::examine(&bytes), Raw::Damaged { blocks: 1 << (bit / 8 / BLOCK_BYTES) });
        }
    }

    #[test]
    fn a_newer_format_is_not_taken_for_damage() {
        let whole = sector(5, b"").encode();
        let mut content = gather(&whole);
        content[8] = VERSION_MAX + 1;
        content[DIGEST_OFFSET..HEAD_BYTES].fill(0);
        let digest = Digest::of(&content).0;
        content[DIGEST_OFFSET..HEAD_BYTES].copy_from_slice(&digest);
        let bytes = spread(&content, &digest[..STAMP_BYTES]);
        assert_eq!(Sector::examine(&bytes), Raw::Newer { version_min: VERSION_MAX + 1 });
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(sequence: u64, payload in proptest::collection::vec(any::<u8>(), 0..PAYLOAD_BYTES_MAX)) {
            let written = sector(sequence, &payload);
            prop_assert_eq!(Sector::examine(&written.encode()), Raw::Whole(written));
        }

        #[test]
        fn arbitrary_bytes_never_panic_and_are_never_whole(bytes in proptest::collection::vec(any::<u8>(), SECTOR_BYTES)) {
            let bytes: SectorBytes = bytes.try_into().unwrap();
            prop_assert!(!matches!(Sector::examine(&bytes), Raw::Whole(_)));
        }
    }
}
