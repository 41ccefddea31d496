//! Images of repositories: cut off at any write while they are made or written to, damaged in every way, and repaired.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use phalanx_ledger::{Ledger, Version as LedgerVersion};
use phalanx_repository::{
    Act, Area, Block, Condition, Copy, Expected, Hand, Header, Layout, Peer, Record, Remedy, SECTOR_BYTES,
    Sector, SectorBytes, Source, Spot, Survey, Unreadable, Whose, survey,
};
use phalanx_types::{ClusterId, Digest, Incarnation, NodeId, NodeSet, RepositoryId, ViewId};
use proptest::prelude::*;

const WHOSE: Whose = Whose { cluster: ClusterId([7; 16]), repository: RepositoryId([9; 16]) };

/// A disk in memory.
#[derive(Clone, PartialEq, Eq)]
struct Disk(Vec<SectorBytes>);

impl Source for Disk {
    fn sectors(&self) -> u64 {
        self.0.len() as u64
    }

    fn read(&mut self, place: u64) -> Result<SectorBytes, Unreadable> {
        self.0.get(place as usize).copied().ok_or(Unreadable)
    }
}

impl Disk {
    fn blank() -> Disk {
        Disk(vec![[0; SECTOR_BYTES]; layout().sectors() as usize])
    }

    fn carry_out(&mut self, acts: impl IntoIterator<Item = Act>) {
        for act in acts {
            if let Act::Write(place, bytes) = act {
                self.0[place as usize] = *bytes;
            }
        }
    }

    /// Carries out so many acts; of the next write only the first half arrives.
    fn cut_off(&mut self, acts: &[Act], whole: usize) {
        self.carry_out(acts[..whole].iter().cloned());
        if let Some(Act::Write(place, bytes)) = acts.get(whole) {
            self.0[*place as usize][..SECTOR_BYTES / 2].copy_from_slice(&bytes[..SECTOR_BYTES / 2]);
        }
    }

    fn survey(&mut self) -> Survey {
        survey(self, &mut [], &Expected::default())
    }

    /// Repairs what can be, and says what is left.
    fn repair(&mut self, peers: &mut [Peer<'_>]) -> Survey {
        let found = survey(self, peers, &Expected::default());
        found.mends.iter().for_each(|(spot, bytes)| self.0[spot.place as usize] = **bytes);
        survey(self, peers, &Expected::default())
    }
}

fn layout() -> Layout {
    Layout::new(3).unwrap()
}

/// A ledger of several sectors; `text` tells it from others.
fn ledger(text: &str) -> Ledger {
    Ledger::begin(format!("# {text}\n{}", "# a line of a cluster file\n".repeat(500)))
}

fn later(ledger: &Ledger, text: &str) -> Ledger {
    let view = ViewId { counter: 5, coordinator: NodeId(1) };
    let next: LedgerVersion =
        ledger.next(format!("# {text}\n{}", "# a longer line of a cluster file\n".repeat(500)), view);
    let (digest, mut ledger) = (next.digest(), ledger.clone());
    ledger.stage(next).unwrap();
    ledger.commit(digest);
    ledger
}

fn create(ledger: &Ledger) -> Vec<Act> {
    let header = Header { number: 1, layout: layout(), name: "demo".into() };
    Hand::maker(WHOSE, 1).create(header, ledger.head().stamp(), &ledger.to_image()).collect()
}

fn hand(node: u16, start: u64) -> Hand {
    Hand { writer: Incarnation { node: NodeId(node), start }, ..Hand::maker(WHOSE, 1) }
}

fn record(counter: u64) -> Record {
    let view = ViewId { counter, coordinator: NodeId(1) };
    Record { view, members: NodeSet::EMPTY.with(NodeId(1)), generation: 1 }
}

/// A repository in use: every node has written its own.
fn used() -> Disk {
    let mut disk = Disk::blank();
    disk.carry_out(create(&ledger("one")));
    for node in 1..=3 {
        let hand = hand(node, 1);
        disk.carry_out(hand.pair(layout(), Area::Record, 1, &record(4).encode()));
        disk.carry_out(hand.pair(layout(), Area::Claim, 1, &Block::untried(1).encode()));
        let beat = layout().own(Area::Beat, Copy::First, NodeId(node), 0).unwrap();
        disk.0[beat.place as usize] = hand.sector(&beat, 40, b"a beat".to_vec()).encode();
    }
    disk
}

#[test]
fn what_was_made_is_whole_and_says_what_it_is() {
    let found = used().survey();
    assert_eq!((found.findings.len(), found.mends.len()), (0, 0), "{:?}", found.findings);
    let identity = found.identity.unwrap();
    assert_eq!((identity.whose, identity.header.name.as_str()), (WHOSE, "demo"));
    assert_eq!(found.ledger.unwrap().image, ledger("one").to_image());
    let traces = found.nodes[&NodeId(2)];
    assert_eq!((traces.record, traces.claim), (Some(record(4)), Some(Block::untried(1))));
    assert_eq!(traces.beat.unwrap().sequence, 40);
}

#[test]
fn a_creation_that_is_cut_off_leaves_no_repository_or_a_whole_one() {
    let acts = create(&ledger("one"));
    let mut old = Disk::blank();
    let other = Whose { repository: RepositoryId([1; 16]), ..WHOSE };
    let header = Header { number: 1, layout: layout(), name: "old".into() };
    let before = ledger("old");
    old.carry_out(Hand::maker(other, 1).create(header, before.head().stamp(), &before.to_image()));
    let mut ended = [0; 3];
    for whole in 0..=acts.len() {
        let mut disk = old.clone();
        disk.cut_off(&acts, whole);
        let found = disk.survey();
        match found.identity {
            None => ended[0] += 1,
            Some(identity) if identity.whose == WHOSE => {
                assert!(found.ledger.is_some() && found.findings.len() <= 1, "{:?}", found.findings);
                ended[1] += 1;
            }
            Some(_) => {
                assert!(whole < 2, "act {whole}: the old one is gone from the first act on");
                ended[2] += 1;
            }
        }
    }
    assert!(ended[0] > 1_000 && ended[1] > 1, "{ended:?}");
}

#[test]
fn a_ledger_that_is_cut_off_is_the_old_one_or_the_new_one_whole() {
    let (old, new) = (ledger("one"), later(&ledger("one"), "two"));
    for first in [Copy::First, Copy::Second] {
        let image = new.to_image();
        let acts: Vec<Act> = hand(2, 1).ledger(layout(), first, 2, new.head().stamp(), &image).collect();
        let mut seen = Vec::new();
        for whole in 0..=acts.len() {
            let mut disk = used();
            disk.cut_off(&acts, whole);
            let found = disk.survey().ledger.unwrap().image;
            let is_new = found == image;
            assert!(is_new || found == old.to_image(), "act {whole}");
            seen.push(is_new);
            let left = disk.repair(&mut []);
            assert_eq!(left.findings, [], "act {whole}");
            assert_eq!(left.ledger.unwrap().image, found, "a repair finds what a reader found");
        }
        assert!(seen.is_sorted() && seen.contains(&false) && seen.contains(&true));
    }
}

#[test]
fn a_pair_that_is_cut_off_is_old_or_new() {
    let acts = hand(2, 1).pair(layout(), Area::Record, 2, &record(9).encode());
    for whole in 0..=acts.len() {
        let mut disk = used();
        disk.cut_off(&acts, whole);
        let found = disk.survey().nodes[&NodeId(2)].record.unwrap();
        assert_eq!(found, record(if whole < 1 { 4 } else { 9 }), "act {whole}");
        assert_eq!(disk.repair(&mut []).findings, []);
    }
}

/// One sector is made into something else; what is said of it, and what becomes of it without and with a whole peer.
fn check(area: Area, copy: Copy, damage: impl Fn(&mut Disk, Spot), expected: Condition, remedy: Remedy) {
    let whole = used();
    let mut damaged = whole.clone();
    let found = layout().spots().find(|spot| {
        let mine = spot.owner.is_none_or(|owner| owner == NodeId(2));
        (spot.area, spot.copy) == (area, copy) && mine
    });
    let spot = found.unwrap();
    damage(&mut damaged, spot);
    let found = damaged.survey();
    let said: Vec<(u64, Condition, Remedy)> =
        found.findings.iter().map(|one| (one.spot.place, one.condition, one.remedy)).collect();
    assert_eq!(said, [(spot.place, expected, remedy)]);
    let mut alone = damaged.clone();
    let left = alone.repair(&mut []).findings.len();
    assert_eq!(left, usize::from(remedy != Remedy::Copy), "{area}");
    assert!(left > 0 || alone == whole, "a repair gives back what was there");
    if remedy != Remedy::Newer {
        assert_eq!(damaged.repair(&mut [Peer::current(&mut whole.clone())]).findings, []);
        assert!(damaged == whole);
    }
}

#[test]
fn each_kind_of_damage_is_named_and_mended_where_somebody_has_it() {
    let flip = |disk: &mut Disk, spot: Spot| disk.0[spot.place as usize][700] ^= 4;
    let damaged = Condition::Damaged { blocks: 2 };
    for copy in [Copy::First, Copy::Second] {
        for area in [Area::Header, Area::Record, Area::Claim, Area::Ledger] {
            check(area, copy, flip, damaged, Remedy::Copy);
        }
    }
    check(Area::Beat, Copy::First, flip, damaged, Remedy::Owner);
    check(Area::Mail, Copy::First, flip, damaged, Remedy::Owner);
    let wipe = |disk: &mut Disk, spot: Spot| disk.0[spot.place as usize].fill(0);
    check(Area::Claim, Copy::First, wipe, Condition::Blank, Remedy::Copy);
    let tear = |disk: &mut Disk, spot: Spot| disk.0[spot.place as usize][512..].fill(0);
    check(Area::Record, Copy::Second, tear, Condition::Torn, Remedy::Copy);
    let elsewhere =
        |disk: &mut Disk, spot: Spot| disk.0[spot.place as usize] = disk.0[spot.place as usize + 1];
    let place = layout().own(Area::Claim, Copy::First, NodeId(3), 0).unwrap().place;
    check(
        Area::Claim,
        Copy::First,
        elsewhere,
        Condition::Misdirected { area: Area::Claim, place },
        Remedy::Copy,
    );
    let cluster = ClusterId([8; 16]);
    let foreign = move |disk: &mut Disk, spot: Spot| {
        let hand = Hand { whose: Whose { cluster, ..WHOSE }, ..hand(2, 9) };
        disk.0[spot.place as usize] = hand.sector(&spot, 90, record(99).encode()).encode();
    };
    check(Area::Record, Copy::First, foreign, Condition::Foreign { cluster }, Remedy::Copy);
    let trespass = |disk: &mut Disk, spot: Spot| {
        disk.0[spot.place as usize] = hand(3, 9).sector(&spot, 90, record(99).encode()).encode();
    };
    check(Area::Record, Copy::First, trespass, Condition::Trespass { writer: NodeId(3) }, Remedy::Copy);
    let nonsense = |disk: &mut Disk, spot: Spot| {
        disk.0[spot.place as usize] = hand(2, 9).sector(&spot, 90, vec![1]).encode();
    };
    check(Area::Record, Copy::First, nonsense, Condition::Meaningless, Remedy::Copy);
}

#[test]
fn a_lost_write_is_found_by_the_other_copy_or_by_a_peer() {
    let writes = hand(2, 1).pair(layout(), Area::Record, 2, &record(9).encode());
    let (mut disk, mut half) = (used(), used());
    disk.carry_out(writes.clone());
    // The second copy never arrives, and nobody is told.
    half.carry_out(writes[..2].to_vec());
    let found = half.survey();
    assert!(matches!(found.findings[..], [one] if matches!(one.condition, Condition::Stale { .. })));
    assert_eq!((found.findings[0].remedy, found.nodes[&NodeId(2)].record), (Remedy::Copy, Some(record(9))));
    // Neither arrives: the disk looks well, and a peer knows better.
    let mut lost = used();
    assert_eq!(lost.survey().findings, []);
    let found = survey(&mut lost, &mut [Peer::current(&mut disk)], &Expected::default());
    assert_eq!(found.findings.iter().map(|one| one.remedy).collect::<Vec<_>>(), [Remedy::Peer(0); 2]);
    assert_eq!(found.nodes[&NodeId(2)].record, Some(record(9)));
}

#[test]
fn a_damaged_newest_ledger_never_gives_way_to_an_older_one() {
    let new = later(&ledger("one"), "two");
    let (image, stamp) = (new.to_image(), new.head().stamp());
    let acts: Vec<Act> = hand(2, 1).ledger(layout(), Copy::First, 2, stamp, &image).collect();
    let mut disk = used();
    // Only the first copy was written, and one of its pieces is damaged afterwards.
    disk.carry_out(acts[..acts.len() / 2].to_vec());
    let mut whole = disk.clone();
    disk.0[layout().ledger(Copy::First, 1).place as usize][9] ^= 1;
    let found = disk.survey();
    assert!(found.ledger.is_none() && found.mends.is_empty());
    assert!(found.findings.iter().all(|one| one.remedy == Remedy::Nothing));
    assert_eq!(disk.repair(&mut [Peer::current(&mut whole)]).ledger.unwrap().image, image);
}

#[test]
fn pieces_of_a_ledger_come_from_either_copy() {
    let mut disk = used();
    disk.0[layout().ledger(Copy::First, 1).place as usize][9] ^= 1;
    disk.0[layout().ledger(Copy::Second, 2).place as usize][9] ^= 1;
    disk.0[layout().ledger(Copy::First, 0).place as usize].fill(0);
    assert_eq!(disk.survey().ledger.unwrap().image, ledger("one").to_image());
    assert_eq!(disk.repair(&mut []).findings, []);
    assert!(disk == used());
}

#[test]
fn two_who_wrote_at_once_under_one_number_are_never_mixed() {
    let (mine, theirs) = (later(&ledger("one"), "mine"), later(&ledger("one"), "hers"));
    let write = |disk: &mut Disk, node, copy, new: &Ledger| {
        let image = new.to_image();
        let acts: Vec<Act> = hand(node, 1).ledger(layout(), copy, 2, new.head().stamp(), &image).collect();
        disk.carry_out(acts[..acts.len() / 2].to_vec());
    };
    let mut disk = used();
    write(&mut disk, 1, Copy::First, &mine);
    write(&mut disk, 2, Copy::Second, &theirs);
    let newer = std::cmp::max_by_key(&mine, &theirs, |ledger| ledger.head().stamp());
    assert_eq!(disk.survey().ledger.unwrap().image, newer.to_image());
    for copy in [Copy::First, Copy::Second] {
        let mut disk = disk.clone();
        disk.0[layout().ledger(copy, 1).place as usize].fill(0);
        let found = disk.survey().ledger;
        assert!(found.is_none_or(|chain| chain.image == newer.to_image()));
    }
    assert_eq!(disk.repair(&mut []).findings, []);
}

#[test]
fn two_contents_under_one_number_are_neither_read_nor_mended() {
    let mut disk = used();
    let spot = layout().own(Area::Record, Copy::Second, NodeId(2), 0).unwrap();
    disk.0[spot.place as usize] = hand(2, 1).sector(&spot, 1, record(5).encode()).encode();
    let found = disk.survey();
    assert!(found.findings.iter().all(|one| one.condition == Condition::Conflict));
    assert_eq!((found.findings.len(), found.mends.len(), found.nodes[&NodeId(2)].record), (2, 0, None));
}

#[test]
fn two_headers_that_disagree_are_no_answer_until_somebody_says_which() {
    let mut disk = used();
    let other = RepositoryId([1; 16]);
    let whose = Whose { repository: other, ..WHOSE };
    let header = Header { number: 1, layout: layout(), name: "old".into() };
    let (before, second) = (ledger("old"), 16);
    let mut old = Disk::blank();
    old.carry_out(Hand::maker(whose, 1).create(header, before.head().stamp(), &before.to_image()));
    disk.0[second] = old.0[second];
    let found = disk.survey();
    assert!(found.identity.is_none() && found.mends.is_empty());
    assert!(found.findings.iter().all(|one| one.condition == Condition::Conflict));
    let expected = Expected { repository: Some(WHOSE.repository), ..Expected::default() };
    let found = survey(&mut disk, &mut [], &expected);
    let said: Vec<Condition> = found.findings.iter().map(|one| one.condition).collect();
    assert_eq!((said, found.mends.len()), (vec![Condition::Other { repository: other }], 1));
}

#[test]
fn what_is_of_others_is_not_taken_from_them() {
    let expected = Expected { cluster: Some(ClusterId([1; 16])), ..Expected::default() };
    let found = survey(&mut used(), &mut [Peer::current(&mut used())], &expected);
    assert!(found.identity.is_none() && found.mends.is_empty());
    assert!(matches!(found.findings[0].condition, Condition::Foreign { .. }));
}

#[test]
fn of_a_copy_of_unknown_age_only_that_is_taken_which_cannot_be_old() {
    let mut disk = used();
    let places =
        |disk: &mut Disk| disk.survey().findings.iter().map(|one| one.spot.place).collect::<Vec<_>>();
    for copy in [Copy::First, Copy::Second] {
        let header = layout().extent(Area::Header, copy).unwrap().first;
        let claim = layout().own(Area::Claim, copy, NodeId(2), 0).unwrap().place;
        for place in [header, claim, layout().ledger(copy, 1).place] {
            disk.0[place as usize].fill(0);
        }
    }
    let mut old = used();
    let left = disk.repair(&mut [Peer::of_unknown_age(&mut old)]);
    assert!(left.ledger.is_some() && left.findings.iter().all(|one| one.spot.area == Area::Claim));
    assert_eq!((places(&mut disk).len(), left.findings[0].remedy), (2, Remedy::Nothing));
    for copy in [Copy::First, Copy::Second] {
        disk.0[layout().ledger(copy, 0).place as usize].fill(0);
    }
    assert!(disk.repair(&mut [Peer::of_unknown_age(&mut old)]).ledger.is_none(), "nobody knows the newest");
    assert_eq!(disk.repair(&mut [Peer::current(&mut old)]).findings, []);
    assert!(disk == used());
}

#[test]
fn a_disk_that_is_too_short_is_told() {
    let mut disk = used();
    disk.0.truncate(layout().ledger(Copy::Second, 0).place as usize);
    let found = disk.survey();
    assert!(found.ledger.is_some() && found.findings.iter().all(|one| one.condition == Condition::Beyond));
}

#[test]
fn sectors_side_by_side_are_one_finding() {
    let mut disk = used();
    disk.0[layout().extent(Area::Mail, Copy::First).unwrap().first as usize..][..48].fill([0; SECTOR_BYTES]);
    let found = disk.survey().findings;
    assert_eq!((found.len(), found[0].sectors, found[0].remedy), (1, 48, Remedy::Owner));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn whatever_is_done_to_an_image_nothing_wrong_is_read(
        damages in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0u8..4, any::<u8>()), 1..40),
    ) {
        let whole = used();
        let spots: Vec<Spot> = layout().spots().collect();
        let mut disk = whole.clone();
        for (to, from, kind, byte) in damages {
            let (to, from) = (spots[to.index(spots.len())].place as usize, spots[from.index(spots.len())].place as usize);
            match kind {
                0 => disk.0[to] = whole.0[from],
                1 => disk.0[to].fill(byte),
                2 => disk.0[to][usize::from(byte) * 16] ^= 1,
                _ => { let half = whole.0[from]; disk.0[to][..2_048].copy_from_slice(&half[..2_048]) }
            }
        }
        let found = disk.repair(&mut []);
        if let Some(identity) = found.identity {
            prop_assert_eq!(identity.whose, WHOSE);
            prop_assert!(found.ledger.is_none_or(|chain| chain.image == ledger("one").to_image()));
            for traces in found.nodes.values() {
                prop_assert!(traces.record.is_none_or(|read| read == record(4)));
                prop_assert!(traces.claim.is_none_or(|read| read == Block::untried(1)));
                prop_assert!(traces.beat.is_none_or(|read| read.sequence == 40));
            }
            let left = disk.repair(&mut [Peer::current(&mut whole.clone())]);
            prop_assert_eq!(left.findings, []);
        }
    }

    #[test]
    fn an_image_of_anything_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..20_000), zeros: bool) {
        let bytes = if zeros { vec![0; bytes.len()] } else { bytes };
        let found = survey(&mut &bytes[..], &mut [], &Expected::default());
        prop_assert!(found.identity.is_none() && found.findings.len() <= 2);
    }
}

/// The same sector as a program of the future writes it: what is in its blocks, with another format and digest.
fn of_the_future(bytes: &SectorBytes) -> SectorBytes {
    let blocks = bytes.chunks(512);
    let mut content: Vec<u8> = blocks.flat_map(|block| block[..496].iter().copied()).collect();
    content[8..10].fill(2);
    content[96..128].fill(0);
    let digest = Digest::of(&content).0;
    content[96..128].copy_from_slice(&digest);
    let mut bytes = [0; SECTOR_BYTES];
    for (block, piece) in bytes.chunks_mut(512).zip(content.chunks(496)) {
        block[..496].copy_from_slice(piece);
        block[496..504].copy_from_slice(&digest[..8]);
        let check = Digest::of(&block[..504]).0;
        block[504..].copy_from_slice(&check[..8]);
    }
    bytes
}

#[test]
fn what_a_newer_program_wrote_is_left_alone_and_nothing_older_is_read_in_its_place() {
    let claim = layout().own(Area::Claim, Copy::First, NodeId(2), 0).unwrap();
    for place in [claim.place, layout().ledger(Copy::Second, 0).place] {
        let mut disk = used();
        disk.0[place as usize] = of_the_future(&disk.0[place as usize]);
        let found = survey(&mut disk, &mut [Peer::current(&mut used())], &Expected::default());
        let said: Vec<(u64, Condition, Remedy)> =
            found.findings.iter().map(|one| (one.spot.place, one.condition, one.remedy)).collect();
        assert_eq!(said, [(place, Condition::Newer { version_min: 2 }, Remedy::Newer)]);
        assert!(found.mends.is_empty());
        let (block, ledger, claimed) = (found.nodes[&NodeId(2)].claim, found.ledger, claim.place);
        assert_eq!((block.is_none(), ledger.is_none()), (place == claimed, place != claimed));
    }
    let mut disk = used();
    let sector =
        Sector { capabilities: u16::MAX, ..hand(2, 1).sector(&claim, 1, Block::untried(1).encode()) };
    disk.0[claim.place as usize] = sector.encode();
    assert_eq!(disk.survey().findings, [], "capabilities that are not known are ignored");
}
