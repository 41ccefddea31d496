//! Real disks: a loop device, a file, and one that hangs because its file system is frozen.

#![allow(clippy::unwrap_used, reason = "a test may")]

use phalanx_host::now;
use phalanx_ledger::Ledger;
use phalanx_repodisk::{Access, Device, Disk, Done, Fault, Image, Job, OpenError};
use phalanx_repository::{
    Area, Copy, Expected, Hand, Header, Layout, SECTOR_BYTES, SectorBytes, Source, Whose, survey,
};
use phalanx_sandbox::{Disk as Loop, SCRATCH, alone, eventually, shell};
use phalanx_types::{ClusterId, RepositoryId, Span};
use std::path::{Path, PathBuf};

const LIMIT: Span = Span::from_secs(60);
const WHOSE: Whose = Whose { cluster: ClusterId([7; 16]), repository: RepositoryId([9; 16]) };

fn create(image: &mut Image) {
    let header = Header { number: 1, layout: Layout::new(4).unwrap(), name: "demo".into() };
    let ledger = Ledger::begin("# a cluster file\n".repeat(400));
    let bytes = ledger.to_image();
    image.carry_out(Hand::maker(WHOSE, 1).create(header, ledger.head().stamp(), &bytes)).unwrap();
}

fn image(path: &Path, access: Access) -> Image {
    Image::new(Device::open(path, access).unwrap(), LIMIT).unwrap()
}

/// Damages two sectors of a repository with the tools of a host, finds them, and mends them.
fn check(path: &Path) {
    create(&mut image(path, Access::Change));
    let layout = Layout::new(4).unwrap();
    let claim = layout.extent(Area::Claim, Copy::First).unwrap().first;
    for place in [claim, layout.ledger(Copy::Second, 1).place] {
        let path = path.display();
        shell(&format!(
            "dd if=/dev/urandom of={path} bs=512 seek={} count=1 conv=notrunc,fsync",
            place * 8 + 3
        ));
    }
    let mut disk = image(path, Access::Change);
    let found = survey(&mut disk, &mut [], &Expected::default());
    assert_eq!(found.findings.len(), 2, "{:?}", found.findings);
    for (spot, bytes) in found.mends {
        disk.run(Job::Write { place: spot.place, bytes }).unwrap();
    }
    disk.run(Job::Sync).unwrap();
    drop(disk);
    assert_eq!(survey(&mut image(path, Access::Look), &mut [], &Expected::default()).findings, []);
}

#[test]
fn a_disk_is_made_a_repository_damaged_and_mended() {
    alone(|| check(Loop::new("repository", 16).device()));
}

#[test]
fn so_is_one_with_blocks_as_large_as_a_sector() {
    alone(|| {
        let disk = Loop::with_blocks("repository", 16, 4_096);
        assert_eq!(Device::open(disk.device(), Access::Look).unwrap().block_bytes(), 4_096);
        check(disk.device());
    });
}

#[test]
fn so_is_a_file_in_memory() {
    alone(|| {
        let path = PathBuf::from(format!("{SCRATCH}/repository"));
        drop(Device::make(&path, Layout::new(4).unwrap().bytes()).unwrap());
        check(&path);
    });
}

#[test]
fn one_read_gets_the_beats_of_all_nodes() {
    alone(|| {
        let disk = Loop::new("repository", 16);
        create(&mut image(disk.device(), Access::Change));
        let beats = Layout::new(4).unwrap().extent(Area::Beat, Copy::First).unwrap();
        let mut image = image(disk.device(), Access::Look);
        let read = image.run(Job::Read { place: beats.first, sectors: beats.sectors as usize }).unwrap();
        let singly: Vec<SectorBytes> =
            (0..beats.sectors).map(|at| image.read(beats.first + at).unwrap()).collect();
        assert_eq!(read, Done::Read(singly));
        let end = image.sectors();
        assert!(matches!(image.run(Job::Read { place: end, sectors: 1 }), Err(Fault::Io(_))));
    });
}

#[test]
fn what_is_mounted_is_not_changed() {
    alone(|| {
        let disk = Loop::ext4("mounted", 16);
        shell(&format!("mkdir {SCRATCH}/here && mount {} {SCRATCH}/here", disk.device().display()));
        assert!(matches!(Device::open(disk.device(), Access::Change), Err(OpenError::InUse)));
        assert!(Device::open(disk.device(), Access::Look).is_ok());
        assert!(matches!(Device::open(Path::new("/dev/null"), Access::Look), Err(OpenError::OtherKind)));
    });
}

#[test]
fn a_disk_that_hangs_is_given_up_and_nobody_waits_for_it() {
    alone(|| {
        let host = Loop::ext4("host", 32);
        shell(&format!("mkdir {SCRATCH}/here && mount {} {SCRATCH}/here", host.device().display()));
        let path = PathBuf::from(format!("{SCRATCH}/here/repository"));
        let mut disk = Disk::start(Device::make(&path, 1 << 20).unwrap()).unwrap();
        let write = |place| Job::Write { place, bytes: Box::new([7; SECTOR_BYTES]) };
        shell(&format!("fsfreeze --freeze {SCRATCH}/here"));
        let (first, second) = (now() + Span::from_millis(20), now() + LIMIT);
        let hanging = disk.ask(write(1), first).unwrap();
        let behind = disk.ask(write(2), second).unwrap();
        assert_eq!(disk.wake_at(), first);
        let mut told = Vec::new();
        eventually("both are told", || {
            told.extend(disk.hear(now()));
            told.len() == 2
        });
        assert!(now() < second, "nobody waited for the one behind");
        assert!(matches!(told[0], (id, Err(Fault::Overdue)) if id == hanging));
        assert!(matches!(told[1], (id, Err(Fault::GivenUp)) if id == behind));
        assert!(matches!(disk.ask(Job::Sync, second), Err(Fault::GivenUp)));
        assert!(!disk.is_let_go(), "the write may still arrive");
        shell(&format!("fsfreeze --unfreeze {SCRATCH}/here"));
        eventually("the thread ends by itself", || disk.is_let_go());
        let mut image = image(&path, Access::Look);
        let read = image.run(Job::Read { place: 1, sectors: 2 }).unwrap();
        let expected = vec![[7; SECTOR_BYTES], [0; SECTOR_BYTES]];
        assert_eq!(read, Done::Read(expected), "what was begun arrived late, what was behind it never did");
    });
}
