//! Writes the seeds that only the product can make; those that people can read lie in `corpus/` as they are.

use phalanx_groups::domain::{
    Act, Attributes, Batch, Cast, Change, DefaultVote, LocalName, Merge, Name, PhaseId, Phases, Proposal,
    StateValue, VoteWord, Word,
};
use phalanx_ledger::Ledger;
use phalanx_membership::testing;
use phalanx_repository::{Act as Doing, Hand, Header, Layout, Whose};
use phalanx_types::{BootId, ClusterId, NodeId, NodeSet, RepositoryId, Span, Tick, ViewId};
use phalanx_wire::{Ack, Beat, BeatEntry, BeatFlags, BeatGrant, Receipt, Segment, Stream};
use std::{fs, path::Path};

fn main() {
    let ledger = ledger();
    write("frame", &frames());
    write("membership", &testing::messages());
    write("groups", &words());
    write("journal", &[state_file(b"the identity of a node")]);
    write("ledger", &[ledger]);
    write("repository", &repositories());
    let numbers = |numbers: [u64; 4]| numbers.map(u64::to_le_bytes).concat();
    write(
        "slate",
        &[numbers([2_000_000_000, 200_000_000, 1_000_000_000, 1_500_000_000]), numbers([u64::MAX; 4])],
    );
}

fn write(target: &str, seeds: &[Vec<u8>]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder).expect("the corpus can be written");
    for (number, seed) in seeds.iter().enumerate() {
        fs::write(folder.join(format!("seed-{number}")), seed).expect("the corpus can be written");
    }
}

fn frames() -> Vec<Vec<u8>> {
    let view = ViewId { counter: 9, coordinator: NodeId(1) };
    let hears: NodeSet = [1, 2, 3].map(NodeId).into_iter().collect();
    let entry = |node| BeatEntry { node: NodeId(node), start: 2, number: 40, hears };
    let beat = Beat {
        flags: BeatFlags { ready: true, blank: false, urgent: true },
        number: 41,
        sent: Tick(1_000_000),
        boot: BootId([7; 16]),
        view,
        received: 12,
        counter_max: 9,
        hears,
        hears_here: hears,
        grant: Some(BeatGrant { start: 4, sent: Tick(77), lease: Span::from_millis(540) }),
        entries: [2, 3].map(entry).to_vec(),
    };
    let segment = Segment {
        stream: Stream::Vote,
        generation: 1,
        number: 5,
        ack_generation: 1,
        ack: 4,
        ack_bits: 6,
        bytes: b"a piece of a message",
    };
    let receipt = Receipt { asks: true, number: 41 };
    vec![beat.encode(), segment.encode(), Ack { view, received: 12 }.encode(), receipt.encode()]
}

fn words() -> Vec<Vec<u8>> {
    let group = Name::new("theSourceGroup").expect("it fits");
    let limit = Phases::Many { limit: Span::from_secs(20) };
    let attributes = Attributes {
        client_version: 1,
        batch: Batch::Both,
        deactivate_on_failure: false,
        membership: limit,
        reflection: Phases::One,
        default_vote: DefaultVote::Approve,
        merge: Merge::Larger,
        source: None,
    };
    let join = Act::Join { instance: 1, local: LocalName::new("db2").expect("it fits"), attributes };
    let value = StateValue::new(vec![1, 2, 3]).expect("it fits");
    let proposal = Proposal { change: Change::State, state: Some(value), message: None };
    let propose = Act::Propose { instance: 1, proposal, phases: limit };
    let phase = PhaseId { group: group.clone(), protocol: 4, phase: 1 };
    let said = VoteWord { phase, instance: 1, cast: Cast::Silent }.write();
    let words = [join, propose].map(|act| ordered(&Word { group: group.clone(), act, seen: 3 }));
    words.into_iter().chain([said]).collect()
}

/// As it stands in an ordered message.
fn ordered(word: &Word) -> Vec<u8> {
    [&[0x82, 1, 0x81][..], &minicbor::to_vec(word).expect("writing to memory does not fail")].concat()
}

/// As the journal writes it.
fn state_file(content: &[u8]) -> Vec<u8> {
    let path = std::env::temp_dir().join(format!("phalanx-seed-{}", std::process::id()));
    phalanx_journal::file::write(&path, phalanx_journal::Kind::Identity, content).expect("it can be written");
    let bytes = fs::read(&path).expect("it was written");
    fs::remove_file(&path).expect("it is ours");
    bytes
}

/// A sector by itself; a disk with its headers; one with a ledger in its first copy.
fn repositories() -> Vec<Vec<u8>> {
    let whose = Whose { cluster: ClusterId([7; 16]), repository: RepositoryId([9; 16]) };
    let header = Header { number: 1, layout: Layout::new(1).expect("one is enough"), name: "demo".into() };
    let ledger = Ledger::begin("[cluster]\nname = \"one\"\n".into());
    let (stamp, image) = (ledger.head().stamp(), ledger.to_image());
    let acts = Hand::maker(whose, 1).create(header, stamp, &image).filter_map(|act| match act {
        Doing::Write(place, bytes) => Some((place, bytes)),
        Doing::Sync => None,
    });
    let written: std::collections::BTreeMap<u64, _> = acts.collect();
    let disk = |places: &[u64]| -> Vec<u8> {
        let piece = |place: &u64| [&(*place as u16).to_le_bytes()[..], &written[place][..]].concat();
        places.iter().flat_map(piece).collect()
    };
    let layout = Layout::new(1).expect("one is enough");
    let piece = |index| layout.ledger(phalanx_repository::Copy::First, index).place;
    vec![written[&0].to_vec(), disk(&[0, 16]), disk(&[0, piece(0), piece(1)])]
}

fn ledger() -> Vec<u8> {
    let mut ledger = Ledger::begin("[cluster]\nname = \"one\"\n".into());
    let next =
        ledger.next("[cluster]\nname = \"two\"\n".into(), ViewId { counter: 5, coordinator: NodeId(1) });
    ledger.stage(next).expect("it follows");
    ledger.to_image()
}
