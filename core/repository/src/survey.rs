//! Looks at every sector of an image that means something, trusts none of it, and says what is wrong and what would mend it.
//!
//! What several sectors should say alike is a cell: the two copies of a header, a record or a block of the claim, or the one sector
//! of a beat or a letter. The newest whole sector of a cell, on the disk or at a peer, is what was written; all others of it are mended
//! from that. Where there is none, nothing is made up. The ledger is one cell of many sectors: see [`crate::chain`].
//!
//! Takes memory for the findings, for the sectors that would mend them, and for one image of the ledger as far as its pieces are
//! really there: all of it is bounded by the layout.

use crate::chain;
use crate::claim::Block;
use crate::contents::{Commit, Header, Record};
use crate::finding::{Finding, Remedy};
use crate::layout::{Area, Copy, HEADER_FIRST, HEADER_SECOND, Layout, Spot};
use crate::reading::{Condition, Version, Whose, in_place, read, whole};
use crate::sector::{Sector, SectorBytes};
use crate::source::{Peer, Source, fetch};
use phalanx_types::limits::REPOSITORY_MAIL_SECTORS;
use phalanx_types::{ClusterId, NodeId, RepositoryId};
use std::collections::BTreeMap;

/// Whose repository it should be, as far as somebody knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// The cluster.
    pub cluster: Option<ClusterId>,
    /// The repository.
    pub repository: Option<RepositoryId>,
}

/// What was found.
#[derive(Debug)]
pub struct Survey {
    /// What repository it is; none if nobody can tell. Then nothing else was looked at.
    pub identity: Option<Identity>,
    /// The ledger, if a whole one is there or can be put together.
    pub ledger: Option<Chain>,
    /// What each node has written last.
    pub nodes: BTreeMap<NodeId, Traces>,
    /// What is wrong, in the order of places.
    pub findings: Vec<Finding>,
    /// Sectors that a repair writes, each on a spot that a finding names.
    pub mends: Vec<(Spot, Box<SectorBytes>)>,
}

/// What repository it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Whose.
    pub whose: Whose,
    /// What its header says.
    pub header: Header,
}

/// The ledger of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// How often it was written.
    pub number: u64,
    /// What commits it.
    pub commit: Commit,
    /// Its image.
    pub image: Vec<u8>,
}

/// What a node has left; each thing that is lost is missing here and among the findings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    /// Its membership record.
    pub record: Option<Record>,
    /// Its block of the claim.
    pub claim: Option<Block>,
    /// Its last beat.
    pub beat: Option<Version>,
}

/// Where a sector was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Disk,
    Peer(usize),
}

/// The disk and what it is compared with.
pub(crate) struct Look<'a> {
    pub(crate) whose: Whose,
    pub(crate) layout: Layout,
    disk: &'a mut dyn Source,
    peers: &'a mut [Peer<'a>],
}

/// Looks at a disk. `peers` are copies of it, whole or not.
pub fn survey(disk: &mut dyn Source, peers: &mut [Peer<'_>], expected: &Expected) -> Survey {
    let mut survey = Survey::nothing();
    let identity = match identify(disk, peers, expected) {
        Ok(identity) => identity,
        Err(conditions) => {
            for (spot, condition) in header_spots().into_iter().zip(conditions) {
                survey.find(spot, condition, Remedy::Nothing);
            }
            return survey;
        }
    };
    let (whose, layout) = (identity.whose, identity.header.layout);
    survey.identity = Some(identity);
    // The lifetime of what they borrow shrinks only where it is borrowed anew.
    let mut peers: Vec<Peer<'_>> =
        peers.iter_mut().map(|peer| Peer { source: &mut *peer.source, age: peer.age }).collect();
    let mut look = Look { whose, layout, disk, peers: &mut peers };
    look.cell(&header_spots(), &mut survey);
    for node in layout.nodes() {
        let traces = look.node(node, &mut survey);
        survey.nodes.insert(node, traces);
    }
    survey.ledger = chain::look(&mut look, &mut survey);
    survey.findings.sort_by_key(|finding| finding.spot.place);
    survey
}

fn header_spots() -> [Spot; 2] {
    [(Copy::First, HEADER_FIRST), (Copy::Second, HEADER_SECOND)].map(|(copy, place)| Spot {
        place,
        area: Area::Header,
        copy,
        owner: None,
        index: 0,
    })
}

/// Whose repository it is, by either header; by that of a peer if neither is whole. Two that disagree are no answer.
fn identify(
    disk: &mut dyn Source,
    peers: &mut [Peer<'_>],
    expected: &Expected,
) -> Result<Identity, [Condition; 2]> {
    let read = header_spots().map(|spot| header(disk, &spot).and_then(|found| found.check(expected)));
    match read {
        [Ok(first), Ok(second)] if first.whose != second.whose => Err([Condition::Conflict; 2]),
        [Ok(identity), _] | [_, Ok(identity)] => Ok(identity),
        [Err(first), Err(second)] => {
            // What is there may be meant for others: only damage is mended from a copy.
            let is_lost =
                |condition| !matches!(condition, Condition::Foreign { .. } | Condition::Other { .. });
            let lost = is_lost(first) && is_lost(second);
            let spots = header_spots();
            let copies = peers.iter_mut().flat_map(|peer| spots.map(|spot| header(peer.source, &spot)));
            let known = copies.flatten().find_map(|found| found.check(expected).ok());
            known.filter(|_| lost).ok_or([first, second])
        }
    }
}

fn header(source: &mut dyn Source, spot: &Spot) -> Result<Identity, Condition> {
    let bytes = fetch(source, spot.place)?;
    let sector = in_place(whole(&bytes)?, spot, None)?;
    let header = Header::decode(&sector.payload).ok_or(Condition::Meaningless)?;
    Ok(Identity { whose: Whose { cluster: sector.cluster, repository: sector.repository }, header })
}

impl Identity {
    fn check(self, expected: &Expected) -> Result<Identity, Condition> {
        let Whose { cluster, repository } = self.whose;
        match () {
            () if expected.cluster.is_some_and(|known| known != cluster) => {
                Err(Condition::Foreign { cluster })
            }
            () if expected.repository.is_some_and(|known| known != repository) => {
                Err(Condition::Other { repository })
            }
            () => Ok(self),
        }
    }
}

impl Look<'_> {
    fn node(&mut self, node: NodeId, survey: &mut Survey) -> Traces {
        let layout = self.layout;
        let own = |area: Area, index| -> Vec<Spot> {
            area.copies().iter().filter_map(|copy| layout.own(area, *copy, node, index)).collect()
        };
        let record = self.cell(&own(Area::Record, 0), survey);
        let claim = self.cell(&own(Area::Claim, 0), survey);
        let beat = self.cell(&own(Area::Beat, 0), survey);
        for index in 0..REPOSITORY_MAIL_SECTORS {
            self.cell(&own(Area::Mail, index), survey);
        }
        Traces {
            record: record.and_then(|sector| Record::decode(&sector.payload)),
            claim: claim.and_then(|sector| Block::decode(&sector.payload)),
            beat: beat.map(|sector| sector.version()),
        }
    }

    /// Looks at sectors that should say the same, and gives what they should say.
    fn cell(&mut self, spots: &[Spot], survey: &mut Survey) -> Option<Sector> {
        let here: Vec<(Spot, Result<Sector, Condition>)> =
            spots.iter().map(|spot| (*spot, self.here(spot))).collect();
        let good = here.iter().filter_map(|(_, read)| read.clone().ok()).map(|sector| (Found::Disk, sector));
        let all: Vec<(Found, Sector)> = good.chain(spots.iter().flat_map(|spot| self.there(spot))).collect();
        let best = newest(&spots[0], &all);
        // What a newer program wrote may be newer than all that this one can read.
        let is_sealed = here.iter().any(|(_, read)| matches!(read, Err(Condition::Newer { .. })));
        let is_disputed = best.is_some_and(|(_, best)| is_contradicted(best, &all));
        let agreed = best.filter(|_| !is_sealed && !is_disputed);
        for (spot, read) in here {
            let conflict = is_disputed.then_some(Condition::Conflict);
            if let Some(condition) = conflict.or_else(|| judge(&spot, read, agreed)) {
                survey.settle(spot, condition, agreed);
            }
        }
        agreed.map(|(_, sector)| sector.clone())
    }

    /// What stands on a spot of the disk, if it makes sense there.
    pub(crate) fn here(&mut self, spot: &Spot) -> Result<Sector, Condition> {
        let bytes = fetch(self.disk, spot.place)?;
        understood(&bytes, &self.whose, spot)
    }

    /// The same at all peers that have it whole and are to be relied on for it.
    pub(crate) fn there(&mut self, spot: &Spot) -> Vec<(Found, Sector)> {
        let whose = self.whose;
        let one = |(number, peer): (usize, &mut Peer<'_>)| {
            if !peer.is_heard(spot) {
                return None;
            }
            let sector = understood(&fetch(peer.source, spot.place).ok()?, &whose, spot).ok()?;
            Some((Found::Peer(number), sector))
        };
        self.peers.iter_mut().enumerate().filter_map(one).collect()
    }
}

/// A sector in its place whose content means something there.
fn understood(bytes: &SectorBytes, whose: &Whose, spot: &Spot) -> Result<Sector, Condition> {
    let sector = read(bytes, whose, spot, None)?;
    let sense = match spot.area {
        Area::Header => Header::decode(&sector.payload).is_some(),
        Area::Record => Record::decode(&sector.payload).is_some(),
        Area::Claim => Block::decode(&sector.payload).is_some(),
        Area::Ledger if spot.index == 0 => Commit::decode(&sector.payload).is_some(),
        Area::Beat | Area::Mail | Area::Ledger => true,
    };
    if sense { Ok(sector) } else { Err(Condition::Meaningless) }
}

/// The newest of what was found, the disk's before a peer's.
fn newest<'a>(spot: &Spot, all: &'a [(Found, Sector)]) -> Option<&'a (Found, Sector)> {
    all.iter().reduce(|best, other| match best.1.version().is_older(other.1.version(), spot) {
        true => other,
        false => best,
    })
}

/// Whether something else was found under the same number: then nobody knows which was meant.
fn is_contradicted(best: &Sector, all: &[(Found, Sector)]) -> bool {
    all.iter().any(|(_, other)| other.version() == best.version() && other.payload != best.payload)
}

/// What is wrong with one sector of a cell.
fn judge(spot: &Spot, read: Result<Sector, Condition>, best: Option<&(Found, Sector)>) -> Option<Condition> {
    let has = match read {
        Ok(sector) => sector.version(),
        Err(condition) => return Some(condition),
    };
    let known = best.map(|(_, best)| best.version()).filter(|known| has.is_older(*known, spot))?;
    Some(Condition::Stale { has, known })
}

impl Survey {
    fn nothing() -> Survey {
        let (nodes, findings, mends) = (BTreeMap::new(), Vec::new(), Vec::new());
        Survey { identity: None, ledger: None, nodes, findings, mends }
    }

    /// Notes what is wrong with a spot, and what would mend it.
    pub(crate) fn settle(&mut self, spot: Spot, condition: Condition, known: Option<&(Found, Sector)>) {
        let remedy = match (condition, known, spot.area) {
            (Condition::Newer { .. }, _, _) => Remedy::Newer,
            (_, Some((Found::Disk, _)), _) => Remedy::Copy,
            (_, Some((Found::Peer(number), _)), _) => Remedy::Peer(*number),
            (_, None, Area::Beat | Area::Mail) => Remedy::Owner,
            (_, None, Area::Header | Area::Record | Area::Claim | Area::Ledger) => Remedy::Nothing,
        };
        if let (Remedy::Copy | Remedy::Peer(_), Some((_, sector))) = (remedy, known) {
            let mend = Sector { place: spot.place, ..sector.clone() };
            self.mends.push((spot, Box::new(mend.encode())));
        }
        self.find(spot, condition, remedy);
    }

    fn find(&mut self, spot: Spot, condition: Condition, remedy: Remedy) {
        let finding = Finding { spot, sectors: 1, condition, remedy };
        let beside = self.findings.iter_mut().rev().find(|other| other.is_beside(&finding));
        if !beside.is_some_and(|other| other.absorb(&finding)) {
            self.findings.push(finding);
        }
    }
}
