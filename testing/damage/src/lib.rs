//! Images of repositories with one damaged sector each: is it found, is it mended from the second copy or a peer, and is anything
//! ever read that nobody wrote?
//!
//! Each image is the same repository in use, with one sector that holds something made into something else in one of nine ways. Some
//! images have a peer with a copy, and its copy may lack that sector. Where, how and what peer is drawn by a seed.

mod image;

use image::{Damaged, Disk, foreign, held, layout};
use phalanx_repository::{Area, Expected, Peer, SECTOR_BYTES, SectorBytes, Spot, Survey, survey};
use std::collections::BTreeMap;

/// Ways to damage a sector.
const WAYS: [&str; 9] =
    ["bit", "block", "garbage", "zeros", "torn", "unreadable", "misdirected", "foreign", "stale"];

/// What became of many images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Images with a damaged sector.
    pub images: u64,
    /// Those that had it whole in the second copy or at the peer.
    pub had: u64,
    /// Those of them that are byte for byte what they were after the repair.
    pub repaired: u64,
    /// Those that nobody had whole, and that were refused.
    pub refused: u64,
    /// Older beats and letters in place of the last ones, with nothing to compare them with: only who wrote them can tell.
    pub hidden: u64,
    /// Images whose damage was not found though it makes a difference.
    pub missed: u64,
    /// Images of which something was read, or mended, that nobody wrote.
    pub wrong: u64,
    /// Damages by their kind.
    pub ways: BTreeMap<&'static str, u64>,
}

/// Numbers that look like chance and are the same for each seed.
struct Chance(u64);

/// What was drawn for one image.
struct Draw {
    spot: Spot,
    way: &'static str,
    reads: Option<SectorBytes>,
    peer: Beside,
}

/// What there is beside the disk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    None,
    Whole,
    /// Its copy has the same sector damaged.
    Lacks,
}

/// Damages `images` images, one sector each.
pub fn run(images: u64, seed: u64) -> Tally {
    let (whole, older, spots) = (Disk::used(3), Disk::used(2), held());
    let mut chance = Chance(seed);
    let mut tally = Tally::default();
    let truth = facts(&survey(&mut whole.clone(), &mut [], &Expected::default()));
    for _ in 0..images {
        let draw = Draw::new(&mut chance, &spots, &whole, &older);
        judge(&draw, &whole, &truth, &mut tally);
    }
    tally
}

/// What a reader learns from a repository: everything but what is wrong with it.
fn facts(found: &Survey) -> Vec<String> {
    let nodes = found.nodes.iter().flat_map(|(node, traces)| {
        let record = traces.record.map(|record| format!("{node}: {record:?}"));
        let claim = traces.claim.map(|claim| format!("{node}: {claim:?}"));
        let beat = traces.beat.map(|beat| format!("{node}: {beat:?}"));
        [record, claim, beat]
    });
    let identity = found.identity.as_ref().map(|identity| format!("{identity:?}"));
    let ledger = found.ledger.as_ref().map(|chain| format!("{} {:?}", chain.number, chain.commit));
    nodes.chain([identity, ledger]).flatten().collect()
}

fn judge(draw: &Draw, whole: &Disk, truth: &[String], tally: &mut Tally) {
    let place = draw.spot.place;
    let mut damaged = Damaged { disk: whole, place, reads: draw.reads };
    let mut peer = Damaged {
        disk: whole,
        place,
        reads: if draw.peer == Beside::Lacks { None } else { Some(whole.at(place)) },
    };
    let mut peers: Vec<Peer<'_>> = Vec::new();
    if draw.peer != Beside::None {
        peers.push(Peer::current(&mut peer));
    }
    let found = survey(&mut damaged, &mut peers, &Expected::default());
    let twice = draw.spot.area.copies().len() > 1;
    let had = twice || draw.peer == Beside::Whole;
    // A beat that is one beat old looks well to whoever has nothing to compare it with.
    let hidden = !had && draw.way == "stale";
    let mended = found.mends.iter().all(|(spot, bytes)| **bytes == whole.at(spot.place));
    let is_mended = mended && found.mends.len() == 1 && found.mends[0].0.place == place;
    let invented = facts(&found).iter().any(|fact| !truth.contains(fact));
    tally.images += 1;
    *tally.ways.entry(draw.way).or_default() += 1;
    tally.had += u64::from(had);
    tally.repaired += u64::from(had && is_mended);
    tally.refused += u64::from(!had && found.mends.is_empty() && !found.findings.is_empty());
    tally.hidden += u64::from(hidden);
    tally.missed += u64::from(!hidden && found.findings.is_empty());
    tally.wrong += u64::from(!mended || (invented && !hidden));
}

impl Draw {
    fn new(chance: &mut Chance, spots: &[Spot], whole: &Disk, older: &Disk) -> Draw {
        let spot = chance.pick(spots);
        // Headers are written once: there is no older one.
        let ways = if spot.area == Area::Header { &WAYS[..8] } else { &WAYS[..] };
        let way = chance.pick(ways);
        let reads = damage(way, chance, &spot, spots, whole, older);
        let peer = chance.pick(&[Beside::None, Beside::Whole, Beside::Lacks]);
        Draw { spot, way, reads, peer }
    }
}

fn damage(
    way: &str,
    chance: &mut Chance,
    spot: &Spot,
    spots: &[Spot],
    whole: &Disk,
    older: &Disk,
) -> Option<SectorBytes> {
    let mut bytes = whole.at(spot.place);
    let block = chance.below(8) as usize * 512;
    match way {
        "bit" => {
            let bit = chance.below(SECTOR_BYTES as u64 * 8) as usize;
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        "block" => bytes[block..block + 512].iter_mut().for_each(|byte| *byte = chance.below(256) as u8),
        "garbage" => bytes.iter_mut().for_each(|byte| *byte = chance.below(256) as u8),
        "zeros" => bytes.fill(0),
        "torn" => {
            // Of what was there before, or of nothing where there was nothing.
            let before = older.at(spot.place);
            let before = if before == bytes { [0; SECTOR_BYTES] } else { before };
            let cut = (1 + chance.below(7) as usize) * 512;
            bytes[cut..].copy_from_slice(&before[cut..]);
        }
        "unreadable" => return None,
        "misdirected" => {
            let others: Vec<Spot> = spots.iter().copied().filter(|other| other.place != spot.place).collect();
            bytes = whole.at(chance.pick(&others).place);
        }
        "foreign" => bytes = foreign(spot),
        _ => bytes = older.at(spot.place),
    }
    Some(bytes)
}

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

/// Slots of the images, for people.
pub fn slots() -> u16 {
    layout().slots()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_images_of_each_kind() {
        let tally = run(600, 1);
        assert_eq!((tally.images, tally.missed, tally.wrong), (600, 0, 0), "{tally:?}");
        assert_eq!(tally.repaired, tally.had, "{tally:?}");
        assert_eq!(tally.ways.len(), WAYS.len());
        assert!(tally.refused > 50, "{tally:?}");
    }
}
