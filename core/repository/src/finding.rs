//! What a check finds: where, what it is, and what there is to do about it.

use crate::layout::{Area, Copy, Spot};
use crate::reading::Condition;
use std::fmt;

/// What can be done about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// The other copy on the disk has it: a repair writes it here.
    Copy,
    /// This peer has it, counted from 0: a repair writes it here.
    Peer(usize),
    /// The node whose sector it is writes it again with its next beat or letter; what stood here is not needed.
    Owner,
    /// A program that is new enough for it.
    Newer,
    /// Nothing that is at hand has it. It is left as it is, and not used.
    Nothing,
}

/// One or more sectors side by side in the same condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The first of them.
    pub spot: Spot,
    /// How many.
    pub sectors: u64,
    /// What is wrong with them.
    pub condition: Condition,
    /// What to do.
    pub remedy: Remedy,
}

impl Finding {
    /// Whether a repair mends it.
    pub fn is_mended(&self) -> bool {
        match self.remedy {
            Remedy::Copy | Remedy::Peer(_) => true,
            Remedy::Owner | Remedy::Newer | Remedy::Nothing => false,
        }
    }

    /// Takes `other` in if it goes on where this one ends.
    pub(crate) fn absorb(&mut self, other: &Finding) -> bool {
        let next = self.spot.place + self.sectors == other.spot.place;
        let alike = self.condition == other.condition && self.remedy == other.remedy;
        let absorbed = next && alike && self.is_beside(other);
        self.sectors += if absorbed { other.sectors } else { 0 };
        absorbed
    }

    /// Whether they are of one copy of one area.
    pub(crate) fn is_beside(&self, other: &Finding) -> bool {
        (self.spot.area, self.spot.copy) == (other.spot.area, other.spot.copy)
    }

    /// Where it is, for people.
    pub fn place(&self) -> String {
        let Spot { place, area, copy, owner, index } = self.spot;
        let of = match (owner, self.sectors, area) {
            (Some(owner), 1, Area::Mail) => format!(" of {owner}, letter {index}"),
            (Some(owner), 1, _) => format!(" of {owner}"),
            (None, 1, Area::Ledger) => format!(", piece {index}"),
            _ => String::new(),
        };
        let copy = match (area.copies().len(), copy) {
            (1, _) => String::new(),
            (_, copy @ (Copy::First | Copy::Second)) => format!(", {copy} copy"),
        };
        match self.sectors {
            1 => format!("sector {place} ({area}{of}{copy})"),
            sectors => format!("sectors {place} to {} ({area}{copy})", place + sectors - 1),
        }
    }

    /// What to do, for people.
    pub fn advice(&self) -> String {
        match (self.remedy, self.spot.area) {
            (Remedy::Copy, _) => "the other copy has it: a repair writes it again".into(),
            (Remedy::Peer(peer), _) => {
                format!("copy {} that was given has it: a repair writes it again", peer + 1)
            }
            (Remedy::Owner, _) => "its node writes it again by itself; nothing is lost that is needed".into(),
            (Remedy::Newer, _) => "use the version of Phalanx that wrote it; it is left as it is".into(),
            (Remedy::Nothing, Area::Header) => "give a copy of this repository, or create it anew".into(),
            (Remedy::Nothing, Area::Ledger) => {
                "give a copy of this repository, or create it anew from a node's state directory".into()
            }
            (Remedy::Nothing, Area::Record | Area::Claim | Area::Beat | Area::Mail) => {
                "nobody has it: it is refused until its node writes it again, or the repository is created anew".into()
            }
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place(), self.condition)
    }
}
