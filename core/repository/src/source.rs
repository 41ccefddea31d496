//! Where sectors are read from: a device, a file, a piece of memory. Whoever has one says what it is.

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
