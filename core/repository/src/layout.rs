//! What stands where: the areas of a repository disk, computed from the number of its slots.
//!
//! Areas that hold something nobody writes again by himself are there twice, and the two far apart. Beats of all nodes stand
//! side by side, so that one read gets all of them. Each area begins at a multiple of [`ALIGNMENT_SECTORS`].

use crate::sector::{PAYLOAD_BYTES_MAX, SECTOR_BYTES};
use phalanx_ledger::IMAGE_BYTES_MAX;
use phalanx_types::NodeId;
use phalanx_types::limits::{NODES_MAX, REPOSITORY_MAIL_SECTORS};
use std::fmt;

/// Where the first copy of the header is, in sectors; the same on every repository.
pub const HEADER_FIRST: u64 = 0;
/// Where the second copy of the header is: behind what a partition table would take.
pub const HEADER_SECOND: u64 = 16;
/// Where the areas begin that depend on the number of slots.
pub const AREAS_FIRST: u64 = 32;
/// Each area begins at a multiple of so many sectors: 64 KiB.
pub const ALIGNMENT_SECTORS: u64 = 16;
/// Sectors of a copy of the ledger besides the one that commits it.
pub const LEDGER_BODY_SECTORS: u64 = IMAGE_BYTES_MAX.div_ceil(PAYLOAD_BYTES_MAX) as u64;

/// What a sector is part of. The numbers stand on disks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Area {
    /// What repository this is.
    Header,
    /// One sector for each node: the last primary view that it installed.
    Record,
    /// One sector for each node: its block of the tie-breaker's claim.
    Claim,
    /// One sector for each node: its last beat.
    Beat,
    /// [`REPOSITORY_MAIL_SECTORS`] for each node: its last letters to others.
    Mail,
    /// The chain of configurations.
    Ledger,
}

/// Which of two copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Copy {
    /// The first, or the only one.
    First,
    /// The second.
    Second,
}

/// A piece of the disk that belongs to one copy of one area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The area.
    pub area: Area,
    /// Which copy of it.
    pub copy: Copy,
    /// Its first sector.
    pub first: u64,
    /// How many there are.
    pub sectors: u64,
}

/// Where one sector belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// In sectors from the beginning of the disk.
    pub place: u64,
    /// The area.
    pub area: Area,
    /// Which copy of it.
    pub copy: Copy,
    /// The only node that writes it, where there is only one.
    pub owner: Option<NodeId>,
    /// Which of several of that owner, or of the area.
    pub index: u16,
}

/// The areas of a repository with so many slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    slots: u16,
}

impl Area {
    /// All areas.
    pub const ALL: [Area; 6] =
        [Area::Header, Area::Record, Area::Claim, Area::Beat, Area::Mail, Area::Ledger];

    /// The number that stands for it on disks.
    pub fn tag(self) -> u8 {
        match self {
            Area::Header => 1,
            Area::Record => 2,
            Area::Claim => 3,
            Area::Beat => 4,
            Area::Mail => 5,
            Area::Ledger => 6,
        }
    }

    /// The area that a number stands for.
    pub fn of_tag(tag: u8) -> Option<Area> {
        Area::ALL.into_iter().find(|area| area.tag() == tag)
    }

    /// Its copies.
    pub fn copies(self) -> &'static [Copy] {
        match self {
            Area::Header | Area::Record | Area::Claim | Area::Ledger => &[Copy::First, Copy::Second],
            Area::Beat | Area::Mail => &[Copy::First],
        }
    }

    /// How many sectors each node has in it; none where no node has its own.
    fn sectors_each(self) -> u64 {
        match self {
            Area::Header | Area::Ledger => 0,
            Area::Record | Area::Claim | Area::Beat => 1,
            Area::Mail => u64::from(REPOSITORY_MAIL_SECTORS),
        }
    }
}

impl Layout {
    /// The layout for nodes 1 to `slots`; none for a number that no cluster can have.
    pub fn new(slots: u16) -> Option<Layout> {
        (1..=NODES_MAX).contains(&usize::from(slots)).then_some(Layout { slots })
    }

    /// How many nodes have their place on it.
    pub fn slots(self) -> u16 {
        self.slots
    }

    /// The nodes that have.
    pub fn nodes(self) -> impl Iterator<Item = NodeId> {
        (1..=self.slots).map(NodeId)
    }

    /// All areas with their copies, in the order in which they stand on the disk.
    pub fn extents(self) -> [Extent; 10] {
        let header = |copy, first| Extent { area: Area::Header, copy, first, sectors: 1 };
        let mut next = AREAS_FIRST;
        let mut extent = |area: Area, copy| {
            let sectors = match area.sectors_each() {
                0 => 1 + LEDGER_BODY_SECTORS,
                each => each * u64::from(self.slots),
            };
            let first = next;
            next = (first + sectors).next_multiple_of(ALIGNMENT_SECTORS);
            Extent { area, copy, first, sectors }
        };
        [
            header(Copy::First, HEADER_FIRST),
            header(Copy::Second, HEADER_SECOND),
            extent(Area::Record, Copy::First),
            extent(Area::Claim, Copy::First),
            extent(Area::Beat, Copy::First),
            extent(Area::Mail, Copy::First),
            extent(Area::Ledger, Copy::First),
            extent(Area::Record, Copy::Second),
            extent(Area::Claim, Copy::Second),
            extent(Area::Ledger, Copy::Second),
        ]
    }

    /// One copy of an area; of an area that is there once there is only the first.
    pub fn extent(self, area: Area, copy: Copy) -> Option<Extent> {
        self.extents().into_iter().find(|extent| extent.area == area && extent.copy == copy)
    }

    /// Sectors of a repository.
    pub fn sectors(self) -> u64 {
        let ends = self.extents().map(|extent| extent.first + extent.sectors);
        ends.into_iter().max().unwrap_or(0).next_multiple_of(ALIGNMENT_SECTORS)
    }

    /// The least size of a disk for it.
    pub fn bytes(self) -> u64 {
        self.sectors() * SECTOR_BYTES as u64
    }

    /// Every sector that has a meaning.
    pub fn spots(self) -> impl Iterator<Item = Spot> {
        self.extents().into_iter().flat_map(|extent| (0..extent.sectors).map(move |at| extent.spot(at)))
    }

    /// A sector of a copy of the ledger: 0 is the one that commits it.
    ///
    /// The index must not be above [`LEDGER_BODY_SECTORS`].
    pub fn ledger(self, copy: Copy, index: u16) -> Spot {
        assert!(u64::from(index) <= LEDGER_BODY_SECTORS, "an image that is too large is refused before");
        let extent = self.extent(Area::Ledger, copy).expect("the ledger is there twice");
        extent.spot(u64::from(index))
    }

    /// The sector of one node in one copy of an area; none for a node without a slot, or an area without owners.
    pub fn own(self, area: Area, copy: Copy, node: NodeId, index: u16) -> Option<Spot> {
        let (each, index) = (area.sectors_each(), u64::from(index));
        let known = (1..=self.slots).contains(&node.0) && index < each;
        let extent = self.extent(area, copy).filter(|_| known)?;
        Some(extent.spot(u64::from(node.0 - 1) * each + index))
    }
}

impl Extent {
    /// One of its sectors.
    fn spot(self, at: u64) -> Spot {
        let each = self.area.sectors_each();
        let (owner, index) = match each {
            0 => (None, at),
            each => (Some(NodeId((at / each) as u16 + 1)), at % each),
        };
        Spot { place: self.first + at, area: self.area, copy: self.copy, owner, index: index as u16 }
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Area::Header => "header",
            Area::Record => "membership record",
            Area::Claim => "claim",
            Area::Beat => "beat",
            Area::Mail => "mail",
            Area::Ledger => "ledger",
        })
    }
}

impl fmt::Display for Copy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Copy::First => "first",
            Copy::Second => "second",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(slots: u16) -> Layout {
        Layout::new(slots).unwrap()
    }

    #[test]
    fn golden_table_of_64_slots() {
        let table = layout(64).extents().map(|extent| (extent.area, extent.first, extent.sectors));
        let golden = [
            (Area::Header, 0, 1),
            (Area::Header, 16, 1),
            (Area::Record, 32, 64),
            (Area::Claim, 96, 64),
            (Area::Beat, 160, 64),
            (Area::Mail, 224, 1_024),
            (Area::Ledger, 1_248, 548),
            (Area::Record, 1_808, 64),
            (Area::Claim, 1_872, 64),
            (Area::Ledger, 1_936, 548),
        ];
        assert_eq!(table, golden);
        assert_eq!((layout(64).sectors(), layout(64).bytes()), (2_496, 2_496 * 4_096));
    }

    #[test]
    fn no_number_of_slots_makes_areas_overlap() {
        for slots in 1..=64 {
            let mut places: Vec<u64> = layout(slots).spots().map(|spot| spot.place).collect();
            let spots = places.len();
            places.sort_unstable();
            places.dedup();
            assert_eq!(places.len(), spots, "{slots} slots");
            assert!(places.last().is_some_and(|last| *last < layout(slots).sectors()));
        }
        assert_eq!((Layout::new(0), Layout::new(65)), (None, None));
    }

    #[test]
    fn a_node_has_its_own_sectors_and_no_other_has_them() {
        let layout = layout(3);
        for spot in layout.spots().filter(|spot| spot.owner.is_some()) {
            let owner = spot.owner.unwrap();
            assert_eq!(layout.own(spot.area, spot.copy, owner, spot.index), Some(spot));
        }
        assert_eq!(layout.own(Area::Beat, Copy::First, NodeId(4), 0), None);
        assert_eq!(layout.own(Area::Beat, Copy::First, NodeId(0), 0), None);
        assert_eq!(layout.own(Area::Beat, Copy::First, NodeId(1), 1), None);
        assert_eq!(layout.own(Area::Beat, Copy::Second, NodeId(1), 0), None);
        assert_eq!(layout.own(Area::Ledger, Copy::First, NodeId(1), 0), None);
    }
}
