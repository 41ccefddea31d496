//! Stories of a state directory: made, lived in, damaged, contested.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use phalanx_journal::event_log::last_lines;
use phalanx_journal::{ClusterSecret, EventLog, Identity, Invitation, Limits, StateDir, StateError};
use phalanx_ledger::Ledger;
use phalanx_types::{ClusterId, NodeId, Span};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A directory that goes when the story ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("phalanx-journal-{}-{name}", std::process::id()));
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn identity() -> Identity {
    Identity { cluster: ClusterId([1; 16]), node: NodeId(2), name: "bob".parse().unwrap() }
}

fn secret() -> ClusterSecret {
    ClusterSecret { key_epoch: 1, key: [5; 32] }
}

fn image() -> Vec<u8> {
    Ledger::begin("schema = 1".into()).to_image()
}

fn make(path: &Path) -> StateDir {
    StateDir::create(path, &identity(), &secret(), &image(), 0).unwrap()
}

#[test]
fn a_node_remembers_who_it_is_and_counts_its_lives() {
    let scratch = Scratch::new("lives");
    drop(make(&scratch.0));
    for start in 1..=3 {
        let dir = StateDir::open(&scratch.0).unwrap();
        assert_eq!(dir.identity().unwrap(), identity());
        assert_eq!(dir.begin_life(&identity(), 0).unwrap().start, start);
        assert_eq!(dir.ledger().unwrap(), image());
    }
}

#[test]
fn a_directory_put_back_from_a_copy_lives_no_life_twice() {
    let scratch = Scratch::new("put-back");
    let dir = make(&scratch.0);
    let begin = |floor| dir.begin_life(&identity(), floor).unwrap().start;
    assert_eq!([begin(1_000), begin(1_000), begin(5)], [1_000, 1_001, 1_002], "whatever the clock says");
}

#[test]
fn what_was_written_last_is_what_is_read() {
    let scratch = Scratch::new("records");
    let dir = make(&scratch.0);
    assert_eq!(dir.limits().unwrap(), Limits::default());
    let limits = Limits { view_counter_max: 64, lease_max: Span::from_millis(500) };
    dir.write_limits(&limits).unwrap();
    dir.write_ledger(b"another").unwrap();
    assert_eq!((dir.limits().unwrap(), dir.ledger().unwrap()), (limits, b"another".to_vec()));
}

#[test]
fn one_daemon_at_a_time_and_no_node_over_another() {
    let scratch = Scratch::new("locked");
    let held = make(&scratch.0);
    assert!(matches!(StateDir::open(&scratch.0), Err(StateError::Locked(_))));
    assert_eq!(StateDir::look(&scratch.0).unwrap().identity().unwrap(), identity(), "looking needs no lock");
    drop(held);
    let again = StateDir::create(&scratch.0, &identity(), &secret(), &image(), 0);
    assert!(matches!(again, Err(StateError::Taken(_))));
    assert!(matches!(StateDir::open(Path::new("/nonexistent")), Err(StateError::Empty(_))));
}

#[test]
fn a_damaged_file_is_named_with_what_is_wrong() {
    let check = |name: &str, damage: fn(&mut Vec<u8>), expected: &str| {
        let scratch = Scratch::new(&format!("damaged-{name}"));
        drop(make(&scratch.0));
        let path = scratch.0.join(name);
        let mut bytes = fs::read(&path).unwrap();
        damage(&mut bytes);
        fs::write(&path, bytes).unwrap();
        let dir = StateDir::open(&scratch.0).unwrap();
        let read = dir.identity().map(drop).and_then(|()| dir.begin_life(&identity(), 0).map(drop));
        let read = read.and_then(|()| dir.limits().map(drop)).and_then(|()| dir.ledger().map(drop));
        let said = read.and_then(|()| dir.secret(None).map(drop)).unwrap_err().to_string();
        assert!(said.contains(&path.display().to_string()) && said.contains(expected), "{said}");
    };
    let flip: fn(&mut Vec<u8>) = |bytes| *bytes.last_mut().unwrap() ^= 1;
    for name in ["identity", "starts", "limits", "ledger", "key"] {
        check(name, flip, "not what was written");
    }
    check("limits", |bytes| bytes.truncate(bytes.len() - 1), "not as long as it says");
    check("ledger", Vec::clear, "does not begin as a file of Phalanx");
    let foreign: fn(&mut Vec<u8>) = |bytes| bytes[8..16].copy_from_slice(b"limits  ");
    check("starts", foreign, "another one has this name");
}

#[test]
fn secrets_are_for_their_owner_alone() {
    let scratch = Scratch::new("secret");
    drop(make(&scratch.0));
    let invitation = Invitation { cluster: ClusterId([1; 16]), secret: secret(), ledger: image() };
    let path = scratch.0.join("demo.invitation");
    invitation.write(&path).unwrap();
    assert!(Invitation::read(&path).unwrap() == invitation);
    for file in [scratch.0.join("key"), path] {
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
    assert!(!secret().fingerprint().contains("0505"), "the key is not shown");
}

#[test]
fn the_event_log_keeps_the_newest_and_stays_bounded() {
    let scratch = Scratch::new("events");
    fs::create_dir_all(&scratch.0).unwrap();
    let mut log = EventLog::open(&scratch.0).unwrap();
    let filler = "x".repeat(64 << 10);
    (0..500).for_each(|n| log.write(&format!("{n} {filler}")).unwrap());
    drop(log);
    let mut log = EventLog::open(&scratch.0).unwrap();
    log.write("the last").unwrap();
    let lines = last_lines(&scratch.0, 100);
    assert_eq!((lines.len(), lines[99].as_str()), (100, "the last"));
    assert!(lines[0].starts_with("401 "), "{}", &lines[0][..8]);
    let bytes: u64 =
        fs::read_dir(&scratch.0).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes < 20 << 20, "{bytes} bytes are kept");
}
