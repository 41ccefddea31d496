//! The two copies of the ledger, which are many sectors each: what is the newest, and is all of it there?
//!
//! A copy is whole when its first sector commits it and all pieces that this names are there. What counts is the newest that any copy
//! commits. Its pieces may come from either copy or from a peer; the digest says whether they fit. An older one is never taken because
//! the newest is damaged: that could undo what the cluster has agreed on.
//!
//! Pieces behind the end of an image are not looked at: the next write goes over them before anybody reads them.

use crate::contents::Commit;
use crate::layout::{Area, Copy, Spot};
use crate::reading::Condition;
use crate::sector::Sector;
use crate::survey::{Chain, Found, Look, Survey};
use phalanx_ledger::{Ledger, Stamp};
use phalanx_types::Digest;

/// A sector, and where it was found.
type Piece = (Found, Sector);

/// What commits a ledger.
struct Newest {
    piece: Piece,
    commit: Commit,
}

/// Looks at both copies, notes what is wrong with them, and gives the newest ledger if it is all there.
pub(crate) fn look(look: &mut Look<'_>, survey: &mut Survey) -> Option<Chain> {
    let spots: Vec<Spot> = Area::Ledger.copies().iter().map(|copy| look.layout.ledger(*copy, 0)).collect();
    let commits: Vec<(Spot, Result<Sector, Condition>)> =
        spots.into_iter().map(|spot| (spot, look.here(&spot))).collect();
    let Some(newest) = newest(look, &commits) else {
        for (spot, read) in commits {
            if let Err(condition) = read {
                survey.settle(spot, condition, None);
            }
        }
        return None;
    };
    let pieces = gather(look, &newest);
    for (spot, read) in commits {
        if let Some(condition) = wrong(read, &newest.piece.1) {
            survey.settle(spot, condition, Some(&newest.piece).filter(|_| pieces.is_some()));
        }
        check_body(look, survey, spot.copy, &newest, pieces.as_deref());
    }
    let image = join(&pieces?);
    if Ledger::from_image(&image).is_err() {
        survey.settle(look.layout.ledger(Copy::First, 0), Condition::Meaningless, None);
    }
    Some(Chain { number: newest.piece.1.sequence, commit: newest.commit, image })
}

/// The newest commit: by what it commits, then by how often the ledger was written. Never by where it was found. None where a newer
/// program has written one: it may be newer than all that can be read.
fn newest(look: &mut Look<'_>, commits: &[(Spot, Result<Sector, Condition>)]) -> Option<Newest> {
    if commits.iter().any(|(_, read)| matches!(read, Err(Condition::Newer { .. }))) {
        return None;
    }
    let disk = commits.iter().filter_map(|(_, read)| Some((Found::Disk, read.clone().ok()?)));
    let peers: Vec<Piece> = commits.iter().flat_map(|(spot, _)| look.there(spot)).collect();
    let all = disk.chain(peers).filter_map(|piece| {
        let commit = Commit::decode(&piece.1.payload)?;
        Some(Newest { piece, commit })
    });
    all.reduce(|best, other| if best.rank() < other.rank() { other } else { best })
}

impl Newest {
    fn rank(&self) -> (Stamp, u64) {
        (self.commit.stamp, self.piece.1.sequence)
    }
}

/// The pieces of the newest ledger from wherever they are. Those of one number fit each other, unless two have written at once:
/// then each place is given the chance to have them all.
fn gather(look: &mut Look<'_>, newest: &Newest) -> Option<Vec<Piece>> {
    let fits = |pieces: &Vec<Piece>| {
        let image = join(pieces);
        image.len() == newest.commit.length as usize && Digest::of(&image) == newest.commit.digest
    };
    let mut preferred = 0;
    loop {
        let mut places = 0;
        let pieces: Option<Vec<Piece>> = (1..=newest.commit.pieces())
            .map(|index| {
                let mut found = candidates(look, index as u16, newest.piece.1.sequence);
                places = places.max(found.len());
                let pick = if preferred < found.len() { preferred } else { 0 };
                (!found.is_empty()).then(|| found.swap_remove(pick))
            })
            .collect();
        match pieces? {
            pieces if fits(&pieces) => return Some(pieces),
            _ if preferred + 1 >= places => return None,
            _ => preferred += 1,
        }
    }
}

/// A piece of this number: as either copy has it, then as the peers have it.
fn candidates(look: &mut Look<'_>, index: u16, number: u64) -> Vec<Piece> {
    let spots = Area::Ledger.copies().iter().map(|copy| look.layout.ledger(*copy, index));
    let spots: Vec<Spot> = spots.collect();
    let disk: Vec<Piece> =
        spots.iter().filter_map(|spot| Some((Found::Disk, look.here(spot).ok()?))).collect();
    let peers = spots.iter().flat_map(|spot| look.there(spot)).collect::<Vec<Piece>>();
    disk.into_iter().chain(peers).filter(|(_, sector)| sector.sequence == number).collect()
}

fn join(pieces: &[Piece]) -> Vec<u8> {
    pieces.iter().flat_map(|(_, sector)| sector.payload.iter().copied()).collect()
}

/// Notes what is wrong with the pieces of one copy; `pieces` is what they should be, if that is known.
fn check_body(
    look: &mut Look<'_>,
    survey: &mut Survey,
    copy: Copy,
    newest: &Newest,
    pieces: Option<&[Piece]>,
) {
    for index in 1..=newest.commit.pieces() {
        let spot = look.layout.ledger(copy, index as u16);
        let read = look.here(&spot);
        let known = pieces.and_then(|pieces| pieces.get(index as usize - 1));
        let condition = match known {
            Some((_, known)) => wrong(read, known),
            None => missing(read, &newest.piece.1),
        };
        if let Some(condition) = condition {
            survey.settle(spot, condition, known);
        }
    }
}

/// What is wrong with a sector that should say what `known` says.
fn wrong(read: Result<Sector, Condition>, known: &Sector) -> Option<Condition> {
    let sector = match read {
        Ok(sector) => sector,
        Err(condition) => return Some(condition),
    };
    let (has, known_version) = (sector.version(), known.version());
    match () {
        () if sector.sequence < known.sequence => Some(Condition::Stale { has, known: known_version }),
        () if sector.sequence > known.sequence => Some(Condition::Unfinished { has }),
        () if sector.payload != known.payload => Some(Condition::Conflict),
        () => None,
    }
}

/// The same of a piece that nobody has as it should be.
fn missing(read: Result<Sector, Condition>, commit: &Sector) -> Option<Condition> {
    match read {
        Ok(sector) if sector.sequence == commit.sequence => None,
        Ok(sector) => wrong(Ok(sector), commit),
        Err(condition) => Some(condition),
    }
}
