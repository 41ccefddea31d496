//! What is fed with anything: each function is one decoder of bytes from a network, a disk or another program.
//!
//! None may panic, whatever it is given, nor take a piece of memory above four times its input. To add one: a function
//! here and in [`TARGETS`], two lines in `fuzz_targets/`, a `[[bin]]` in `Cargo.toml`, and seeds in `corpus/`.
#![forbid(unsafe_code)]

use phalanx_groups::{Engine, domain};
use phalanx_journal::file::{self, Kind};
use phalanx_ledger::Ledger;
use phalanx_lifeline::{Slate, message};
use phalanx_membership::{Upcall, testing};
use phalanx_repository::{Expected, Peer, SECTOR_BYTES, Sector, SectorBytes, Source, Unreadable, survey};
use phalanx_types::{Incarnation, NodeId, Span, Tick, TimingProfile, Timings};
use phalanx_wire::{Frame, Header};

/// One decoder.
pub type Target = fn(&[u8]);

/// All of them, by the names of their fuzz targets and corpora.
pub const TARGETS: &[(&str, Target)] = &[
    ("aha", aha),
    ("api", api),
    ("cluster", cluster),
    ("deadman", deadman),
    ("frame", frame),
    ("groups", groups),
    ("journal", journal),
    ("ledger", ledger),
    ("membership", membership),
    ("repository", repository),
    ("slate", slate),
];

/// A registration in the event file system. What was read is written as it was meant.
pub fn aha(data: &[u8]) {
    if let Ok(registration) = phalanx_aha::Registration::parse(data) {
        let written = registration.to_string();
        assert_eq!(phalanx_aha::Registration::parse(written.as_bytes()), Ok(registration));
    }
}

/// What a client asks of the daemon.
pub fn api(data: &[u8]) {
    let _ = serde_json::from_slice::<phalanx_api::Ask>(data);
}

/// A cluster file.
pub fn cluster(data: &[u8]) {
    if let Ok(text) = str::from_utf8(data) {
        let _ = phalanx_model::parse("cluster.toml", text);
    }
}

/// What daemon and deadman send to each other.
pub fn deadman(data: &[u8]) {
    let _ = (message::read_request(data), message::read_reply(data));
}

/// A datagram's header, and what is in it once it is opened. What was read is written as it was.
pub fn frame(data: &[u8]) {
    let _ = Header::decode(data);
    let Ok(frame) = Frame::decode(data) else { return };
    let written = match &frame {
        Frame::Beat(beat) => beat.encode(),
        Frame::Segment(segment) => segment.encode(),
        Frame::Ack(ack) => ack.encode(),
        Frame::Ring(ring) => ring.encode(),
        Frame::LeaseRequest(request) => request.encode(),
        Frame::LeaseRound(round) => round.encode(),
        Frame::Receipt(receipt) => receipt.encode(),
    };
    assert_eq!(Frame::decode(&written), Ok(frame));
}

/// A word or a vote of Group Services, or somebody's copy of the domain, and what a node that hears it does.
pub fn groups(data: &[u8]) {
    let _ = (minicbor::decode::<domain::Word>(data), domain::VoteWord::read(data));
    let me = Incarnation { node: NodeId(1), start: 1 };
    let mut engine = Engine::new(me, Timings::of(TimingProfile::Auto));
    engine.hear(Tick::ZERO, Upcall::Delivered { sender: me, body: data.to_vec().into(), sequence: 1 });
    engine.hear(Tick::ZERO, Upcall::Fifo { sender: me, body: data.to_vec() });
    engine.hear(Tick::ZERO, Upcall::State { from: NodeId(2), body: data.to_vec() });
    while engine.services().poll().is_some() {}
}

/// A file of the state directory.
pub fn journal(data: &[u8]) {
    for kind in [Kind::Identity, Kind::Starts, Kind::Limits, Kind::Ledger, Kind::Key, Kind::Invitation] {
        let _ = file::decode(kind, data);
    }
}

/// A ledger on a disk. What was read is written as it was.
pub fn ledger(data: &[u8]) {
    if let Ok(ledger) = Ledger::from_image(data) {
        assert_eq!(Ledger::from_image(&ledger.to_image()), Ok(ledger));
    }
}

/// What members of a view say to each other.
pub fn membership(data: &[u8]) {
    let _ = testing::read_message(data);
}

/// A disk of which few sectors are not zeros: each as its place in two bytes, and what stands there.
struct Sparse<'a>(&'a [u8]);

impl Source for Sparse<'_> {
    fn sectors(&self) -> u64 {
        u64::from(u16::MAX)
    }

    fn read(&mut self, place: u64) -> Result<SectorBytes, Unreadable> {
        let (pieces, _) = self.0.as_chunks::<{ 2 + SECTOR_BYTES }>();
        let here =
            |piece: &&[u8; 2 + SECTOR_BYTES]| u64::from(u16::from_le_bytes([piece[0], piece[1]])) == place;
        let found = pieces.iter().find(here).map(|piece| std::array::from_fn(|at| piece[2 + at]));
        Ok(found.unwrap_or([0; SECTOR_BYTES]))
    }
}

/// A repository disk, alone and beside a copy of itself. What was read of a sector is written as it was.
pub fn repository(data: &[u8]) {
    if let Some((bytes, _)) = data.split_first_chunk::<SECTOR_BYTES>()
        && let phalanx_repository::Raw::Whole(sector) = Sector::examine(bytes)
    {
        assert_eq!(Sector::examine(&sector.encode()), phalanx_repository::Raw::Whole(sector));
    }
    let alone = survey(&mut Sparse(data), &mut [], &Expected::default());
    let beside = survey(&mut Sparse(data), &mut [Peer::current(&mut Sparse(data))], &Expected::default());
    assert_eq!(alone.identity, beside.identity);
}

/// What the other side has written on the page that daemon and deadman share.
pub fn slate(data: &[u8]) {
    let number = |at: usize| {
        let bytes = data.get(at * 8..at * 8 + 8).and_then(|bytes| bytes.try_into().ok());
        u64::from_le_bytes(bytes.unwrap_or_default())
    };
    let Ok((slate, _file)) = Slate::make() else { return };
    slate.write(Tick(number(0)), Span(number(1)));
    let now = Tick(number(2));
    if let Some((until, stop_budget)) = slate.read(now) {
        slate.accept(until);
        let _ = Slate::pause(stop_budget);
    }
    let _ = (slate.silence(Tick(number(3))), slate.accepted());
}
