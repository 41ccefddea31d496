//! Where sectors are read from: a device, a file, a piece of memory. Whoever has one says what it is.

use crate::layout::{Area, Spot};
use crate::reading::Condition;
use crate::sector::{SECTOR_BYTES, SectorBytes};

/// The disk did not read a sector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// Something that has sectors.
pub trait Source {
    /// How many there are.
    fn sectors(&self) -> u64;

    /// Reads one.
    fn read(&mut self, place: u64) -> Result<SectorBytes, Unreadable>;
}

/// A copy of a disk, or what somebody remembers of it.
pub struct Peer<'a> {
    /// What it has.
    pub source: &'a mut dyn Source,
    /// How old that is.
    pub age: Age,
}

/// How old a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// It has what was last written of all that it has whole: the memory of those who wrote it.
    Current,
    /// Nobody knows. Only what never changes is taken from it, and pieces of the ledger that the disk itself commits: an old claim would
    /// take back a promise, an old ledger what was agreed on.
    Unknown,
}

impl<'a> Peer<'a> {
    /// The memory of those who wrote the disk.
    pub fn current(source: &'a mut dyn Source) -> Peer<'a> {
        Peer { source, age: Age::Current }
    }

    /// A copy that somebody made some day.
    pub fn of_unknown_age(source: &'a mut dyn Source) -> Peer<'a> {
        Peer { source, age: Age::Unknown }
    }

    /// Whether what it has for `spot` is to be relied on.
    pub(crate) fn is_heard(&self, spot: &Spot) -> bool {
        match (self.age, spot.area) {
            (Age::Current, _) | (Age::Unknown, Area::Header) => true,
            (Age::Unknown, Area::Ledger) => spot.index > 0,
            (Age::Unknown, Area::Record | Area::Claim | Area::Beat | Area::Mail) => false,
        }
    }
}

/// Reads a sector, or says why there is none.
pub(crate) fn fetch(source: &mut dyn Source, place: u64) -> Result<SectorBytes, Condition> {
    match place < source.sectors() {
        true => source.read(place).map_err(|Unreadable| Condition::Unreadable),
        false => Err(Condition::Beyond),
    }
}

impl Source for &[u8] {
    fn sectors(&self) -> u64 {
        (self.len() / SECTOR_BYTES) as u64
    }

    fn read(&mut self, place: u64) -> Result<SectorBytes, Unreadable> {
        let (sectors, _) = self.as_chunks::<SECTOR_BYTES>();
        let sector = usize::try_from(place).ok().and_then(|place| sectors.get(place));
        sector.copied().ok_or(Unreadable)
    }
}
