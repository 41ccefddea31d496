//! What a sector that was read is worth: it is the one that was looked for, or it is not, and then why not.

use crate::layout::{Area, Spot};
use crate::sector::{Raw, Sector, SectorBytes};
use phalanx_types::{ClusterId, Incarnation, NodeId, RepositoryId};
use std::fmt;

/// Whose repository is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whose {
    /// The cluster.
    pub cluster: ClusterId,
    /// The repository.
    pub repository: RepositoryId,
}

/// Which write of a sector it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// The life that wrote it.
    pub writer: Incarnation,
    /// Grows with each write.
    pub sequence: u64,
}

/// Why a sector is not to be used. It is never the same as that there is nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The disk did not read it.
    Unreadable,
    /// The disk ends before it: it is shorter than the repository.
    Beyond,
    /// Nothing but zeros: creating a repository writes every sector, so what was here is gone.
    Blank,
    /// A write of it was cut off.
    Torn,
    /// It is not as it was written; the blocks of 512 bytes that are not, one bit each.
    Damaged {
        /// The lowest bit is the first block.
        blocks: u8,
    },
    /// A newer program wrote it, in a format that this one cannot read.
    Newer {
        /// What it takes to read it.
        version_min: u8,
    },
    /// It is of another cluster.
    Foreign {
        /// Of which.
        cluster: ClusterId,
    },
    /// It is of another repository of this cluster: one that was replaced, or a backup.
    Other {
        /// Of which.
        repository: RepositoryId,
    },
    /// It is whole, but belongs somewhere else.
    Misdirected {
        /// What it is part of.
        area: Area,
        /// Where it belongs.
        place: u64,
    },
    /// A node wrote it whose sector it is not.
    Trespass {
        /// Who.
        writer: NodeId,
    },
    /// It is older than what is known to have been written here.
    Stale {
        /// What is here.
        has: Version,
        /// What was written.
        known: Version,
    },
    /// It is part of a write that was not finished: nothing commits it.
    Unfinished {
        /// What is here.
        has: Version,
    },
    /// Two different contents are here under one number.
    Conflict,
    /// It is whole and in its place, and says nothing that this program understands.
    Meaningless,
}

impl Sector {
    /// Which write it is.
    pub fn version(&self) -> Version {
        Version { writer: self.writer, sequence: self.sequence }
    }
}

impl Version {
    /// Whether this is older than `other` on `spot`. Where one node writes alone its lives follow each other; elsewhere each
    /// writer goes on from the number that it found.
    pub fn is_older(self, other: Version, spot: &Spot) -> bool {
        let rank = |version: Version| match spot.owner {
            Some(_) => (version.writer.start, version.sequence),
            None => (version.sequence, 0),
        };
        rank(self) < rank(other)
    }
}

/// Reads what stands on a spot of a repository. `known` is what the reader knows to have been written there.
pub fn read(
    bytes: &SectorBytes,
    whose: &Whose,
    spot: &Spot,
    known: Option<Version>,
) -> Result<Sector, Condition> {
    let sector = whole(bytes)?;
    match () {
        () if sector.cluster != whose.cluster => Err(Condition::Foreign { cluster: sector.cluster }),
        () if sector.repository != whose.repository => {
            Err(Condition::Other { repository: sector.repository })
        }
        () => in_place(sector, spot, known),
    }
}

/// A sector that is as it was written, whosever it is.
pub(crate) fn whole(bytes: &SectorBytes) -> Result<Sector, Condition> {
    match Sector::examine(bytes) {
        Raw::Whole(sector) => Ok(sector),
        Raw::Blank => Err(Condition::Blank),
        Raw::Torn => Err(Condition::Torn),
        Raw::Damaged { blocks } => Err(Condition::Damaged { blocks }),
        Raw::Newer { version_min } => Err(Condition::Newer { version_min }),
    }
}

/// The same, of this repository: is it here that it belongs, and is it the last that was written?
pub(crate) fn in_place(sector: Sector, spot: &Spot, known: Option<Version>) -> Result<Sector, Condition> {
    if (sector.area, sector.place) != (spot.area, spot.place) {
        return Err(Condition::Misdirected { area: sector.area, place: sector.place });
    }
    // Start 0 is the life of nobody: that is how a sector is written when the repository is made.
    let stranger = spot.owner.is_some_and(|owner| owner != sector.writer.node) && sector.writer.start != 0;
    if stranger {
        return Err(Condition::Trespass { writer: sector.writer.node });
    }
    let has = sector.version();
    match known.filter(|known| has.is_older(*known, spot)) {
        Some(known) => Err(Condition::Stale { has, known }),
        None => Ok(sector),
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "write {} of {}", self.sequence, self.writer)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::Unreadable => f.write_str("cannot be read: the disk reports an error"),
            Condition::Beyond => f.write_str("beyond the end of the disk"),
            Condition::Blank => f.write_str("wiped: nothing but zeros where something was written"),
            Condition::Torn => f.write_str("torn: a write was cut off, parts of two versions"),
            Condition::Damaged { blocks: 0xff } => f.write_str("damaged: nothing of it is as it was written"),
            Condition::Damaged { blocks } => {
                let count = blocks.count_ones();
                write!(f, "damaged: {count} of 8 blocks are not as they were written ({blocks:#010b})")
            }
            Condition::Newer { version_min } => {
                write!(f, "written by a newer program: format {version_min} or later reads it")
            }
            Condition::Foreign { cluster } => write!(f, "of another cluster: {cluster}"),
            Condition::Other { repository } => {
                write!(f, "of another repository of this cluster: {repository}")
            }
            Condition::Misdirected { area, place } => {
                write!(f, "misdirected: it belongs to sector {place} ({area})")
            }
            Condition::Trespass { writer } => write!(f, "written by {writer}, whose it is not"),
            Condition::Stale { has, known } => write!(f, "stale: {has}, while {known} is known"),
            Condition::Unfinished { has } => write!(f, "part of a write that was not finished: {has}"),
            Condition::Conflict => f.write_str("in conflict: two contents under one number"),
            Condition::Meaningless => f.write_str("whole, but its content makes no sense here"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{Copy, Layout};
    use crate::sector::SECTOR_BYTES;
    use phalanx_types::ViewId;

    const WHOSE: Whose = Whose { cluster: ClusterId([7; 16]), repository: RepositoryId([9; 16]) };

    fn spot(node: u16) -> Spot {
        Layout::new(4).unwrap().own(Area::Beat, Copy::First, NodeId(node), 0).unwrap()
    }

    fn beat(node: u16, start: u64, sequence: u64) -> Sector {
        Sector {
            cluster: WHOSE.cluster,
            repository: WHOSE.repository,
            area: Area::Beat,
            place: spot(node).place,
            writer: Incarnation { node: NodeId(node), start },
            sequence,
            view: ViewId::NONE,
            key_epoch: 1,
            capabilities: 0,
            payload: vec![node as u8],
        }
    }

    fn check(sector: &Sector, expected: Option<Condition>) {
        let known = Some(Version { writer: Incarnation { node: NodeId(2), start: 5 }, sequence: 10 });
        let outcome = read(&sector.encode(), &WHOSE, &spot(2), known);
        assert_eq!(outcome, expected.map_or(Ok(sector.clone()), Err));
    }

    #[test]
    fn a_sector_is_good_or_says_what_else_it_is() {
        check(&beat(2, 5, 10), None);
        check(&beat(2, 5, 11), None);
        check(&beat(2, 6, 1), None);
        let foreign = ClusterId([8; 16]);
        check(&Sector { cluster: foreign, ..beat(2, 5, 11) }, Some(Condition::Foreign { cluster: foreign }));
        let other = RepositoryId([1; 16]);
        let of_other = Sector { repository: other, ..beat(2, 5, 11) };
        check(&of_other, Some(Condition::Other { repository: other }));
        let elsewhere = Condition::Misdirected { area: Area::Beat, place: spot(3).place };
        check(&beat(3, 5, 11), Some(elsewhere));
        let trespass = Sector { writer: Incarnation { node: NodeId(3), start: 1 }, ..beat(2, 5, 11) };
        check(&trespass, Some(Condition::Trespass { writer: NodeId(3) }));
    }

    #[test]
    fn what_is_older_than_the_reader_knows_is_stale() {
        let known = Version { writer: Incarnation { node: NodeId(2), start: 5 }, sequence: 10 };
        for (start, sequence) in [(5, 9), (4, 99), (0, 0)] {
            let old = beat(2, start, sequence);
            check(&old, Some(Condition::Stale { has: old.version(), known }));
        }
    }

    #[test]
    fn zeros_are_a_loss() {
        assert_eq!(read(&[0; SECTOR_BYTES], &WHOSE, &spot(2), None), Err(Condition::Blank));
    }
}
