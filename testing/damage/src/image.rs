//! A repository in use, and the same one with one sector made into something else.

use phalanx_ledger::Ledger;
use phalanx_repository::{
    Act, Area, Ballot, Block, Claim, Copy, Hand, Header, Layout, Record, SECTOR_BYTES, SectorBytes, Source,
    Spot, Unreadable, Whose,
};
use phalanx_types::limits::REPOSITORY_MAIL_SECTORS;
use phalanx_types::{ClusterId, Incarnation, NodeId, NodeSet, RepositoryId, ViewId};

/// How many nodes have their place on it.
const SLOTS: u16 = 5;
const WHOSE: Whose = Whose { cluster: ClusterId([0x5a; 16]), repository: RepositoryId([0xa5; 16]) };

/// A disk in memory.
#[derive(Clone)]
pub struct Disk(Vec<SectorBytes>);

/// A disk of which one sector reads as something else, or as nothing.
pub struct Damaged<'a> {
    /// The disk.
    pub disk: &'a Disk,
    /// Where.
    pub place: u64,
    /// What is read there; an error if nothing is.
    pub reads: Option<SectorBytes>,
}

impl Source for Disk {
    fn sectors(&self) -> u64 {
        self.0.len() as u64
    }

    fn read(&mut self, place: u64) -> Result<SectorBytes, Unreadable> {
        self.0.get(place as usize).copied().ok_or(Unreadable)
    }
}

impl Source for Damaged<'_> {
    fn sectors(&self) -> u64 {
        self.disk.0.len() as u64
    }

    fn read(&mut self, place: u64) -> Result<SectorBytes, Unreadable> {
        match place == self.place {
            true => self.reads.ok_or(Unreadable),
            false => self.disk.0.get(place as usize).copied().ok_or(Unreadable),
        }
    }
}

/// The layout of all images.
pub fn layout() -> Layout {
    Layout::new(SLOTS).expect("a cluster can have five nodes")
}

impl Disk {
    /// A repository whose nodes have written `times` times to each of their sectors.
    pub fn used(times: u64) -> Disk {
        let mut disk = Disk(vec![[0; SECTOR_BYTES]; layout().sectors() as usize]);
        let ledger = ledger();
        let header = Header { number: 1, layout: layout(), name: "demo".into() };
        let (stamp, image) = (ledger.head().stamp(), ledger.to_image());
        disk.carry_out(Hand::maker(WHOSE, 1).create(header, stamp, &image));
        (1..=SLOTS).for_each(|node| disk.write_own(node, times));
        for time in 2..=times {
            disk.carry_out(hand(2).ledger(layout(), Copy::First, time, stamp, &image));
        }
        disk
    }

    fn carry_out(&mut self, acts: impl IntoIterator<Item = Act>) {
        for act in acts {
            if let Act::Write(place, bytes) = act {
                self.0[place as usize] = *bytes;
            }
        }
    }

    fn write_own(&mut self, node: u16, time: u64) {
        let hand = hand(node);
        let view = ViewId { counter: 4 + time, coordinator: NodeId(1) };
        let record = Record { view, members: NodeSet::from_bits(0b11111), generation: 1 };
        let ballot = Ballot { number: time, node: NodeId(node) };
        let holders = NodeSet::EMPTY.with(NodeId(node));
        let claim = Claim { predecessor: view, generation: 1, epoch: time, holders };
        let block = Block { round: 1, tried: ballot, accepted: Some((ballot, claim)) };
        self.carry_out(hand.pair(layout(), Area::Record, time, &record.encode()));
        self.carry_out(hand.pair(layout(), Area::Claim, time, &block.encode()));
        let own = |area, index| layout().own(area, Copy::First, NodeId(node), index);
        let beat = own(Area::Beat, 0);
        let letters = (0..REPOSITORY_MAIL_SECTORS).filter_map(|index| own(Area::Mail, index));
        for spot in beat.into_iter().chain(letters) {
            let text = format!("{} of node {node}, written {time} times", spot.area);
            self.0[spot.place as usize] = hand.sector(&spot, time, text.into_bytes()).encode();
        }
    }

    /// What stands somewhere.
    pub fn at(&self, place: u64) -> SectorBytes {
        self.0[place as usize]
    }
}

fn hand(node: u16) -> Hand {
    Hand { writer: Incarnation { node: NodeId(node), start: 3 }, ..Hand::maker(WHOSE, 1) }
}

fn ledger() -> Ledger {
    Ledger::begin("# a line of a cluster file\n".repeat(1_000))
}

/// The sectors that hold something: of the ledger only those that its image reaches.
pub fn held() -> Vec<Spot> {
    let pieces = ledger().to_image().len().div_ceil(phalanx_repository::PAYLOAD_BYTES_MAX);
    let held = |spot: &Spot| spot.area != Area::Ledger || usize::from(spot.index) <= pieces;
    layout().spots().filter(held).collect()
}

/// The same sector as another cluster would have written it.
pub fn foreign(spot: &Spot) -> SectorBytes {
    let whose = Whose { cluster: ClusterId([1; 16]), ..WHOSE };
    let writer = Incarnation { node: spot.owner.unwrap_or(NodeId(1)), start: 9 };
    Hand { whose, writer, ..hand(1) }.sector(spot, 99, b"not ours".to_vec()).encode()
}
