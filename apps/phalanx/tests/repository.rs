//! A repository in a file, from its making to its repair: what an operator types and sees. The transcript is a golden file
//! beside this one: `BLESS=1 cargo test -p phalanx` rewrites it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use phalanx_sandbox::{Disk, SCRATCH, alone, shell};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const SECTOR_BYTES: u64 = 4_096;
/// Places in a repository with 4 slots: one copy of bob's record, his beat, both copies of the first piece of the ledger.
const RECORD_OF_BOB: u64 = 33;
const BEAT_OF_BOB: u64 = 65;
const PIECES: [u64; 2] = [145, 737];

/// A folder of the test's own, and what was typed there.
struct Desk {
    folder: PathBuf,
    transcript: String,
}

impl Desk {
    fn new(story: &str) -> Desk {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(story);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/demo.toml");
        fs::copy(example, folder.join("demo.toml")).unwrap();
        Desk { folder, transcript: String::new() }
    }

    fn say(&mut self, words: &str) {
        self.transcript += &format!("# {words}\n\n");
    }

    /// Runs a command without a terminal; what it prints goes to the transcript, with ids that chance made in stars.
    fn type_in(&mut self, words: &str, expected: i32) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_phalanx"));
        command.args(words.split(' ')).current_dir(&self.folder).stdin(Stdio::null());
        let output = command.output().unwrap();
        let printed = [output.stdout, output.stderr].concat();
        let printed = String::from_utf8(printed).unwrap();
        assert_eq!(output.status.code(), Some(expected), "{words}: {printed}");
        self.transcript += &format!("$ phalanx {words}\n{}", starred(&printed));
        if expected != 0 {
            self.transcript += &format!("exit code {expected}\n");
        }
        self.transcript.push('\n');
        printed
    }

    fn copied(&self, place: u64) -> Vec<u8> {
        let (bytes, from) =
            (fs::read(self.folder.join("copy.img")).unwrap(), (place * SECTOR_BYTES) as usize);
        bytes[from..from + SECTOR_BYTES as usize].to_vec()
    }

    fn write(&self, place: u64, at: u64, bytes: &[u8]) {
        let file = OpenOptions::new().write(true).open(self.folder.join("repo.img")).unwrap();
        file.write_all_at(bytes, place * SECTOR_BYTES + at).unwrap();
    }
}

/// The text with every run of 32 hexadecimal digits in stars.
fn starred(text: &str) -> String {
    let mut out = String::new();
    for word in text.split_inclusive(|c: char| !c.is_ascii_hexdigit()) {
        let digits = word.trim_end_matches(|c: char| !c.is_ascii_hexdigit());
        let rest = &word[digits.len()..];
        out += if digits.len() == 32 { "********************************" } else { digits };
        out += rest;
    }
    out
}

#[test]
fn a_repository_is_made_damaged_found_out_and_mended() {
    let mut desk = Desk::new("repository-story");
    desk.type_in("cluster create demo.toml --node ada --state-dir ada", 0);
    desk.transcript.clear();

    desk.say("A repository in a file.");
    desk.type_in("repository create repo.img --slots 4 --state-dir ada", 0);
    desk.type_in("repository show repo.img", 0);
    desk.type_in("repository check repo.img", 0);
    fs::copy(desk.folder.join("repo.img"), desk.folder.join("copy.img")).unwrap();

    desk.say("A write of bob's record was cut off, a piece of the configuration is damaged: the second copies have both.");
    desk.write(RECORD_OF_BOB, 2_048, &[0; 2_048]);
    desk.write(PIECES[0], 700, b"rot");
    desk.type_in("repository check repo.img", 1);
    desk.type_in("repository check --repair repo.img", 0);
    desk.type_in("repository check repo.img", 0);

    desk.say(
        "Both copies of a piece of the configuration are gone, and a beat, which bob would write again.",
    );
    PIECES.iter().for_each(|place| desk.write(*place, 0, &[0; 4_096]));
    desk.write(BEAT_OF_BOB, 0, b"something else");
    desk.type_in("repository check --repair repo.img", 1);
    desk.type_in("repository show repo.img", 0);
    desk.say("A copy of the disk has the piece; it is the one that the disk itself says it should be.");
    desk.type_in("repository check --repair --copy copy.img repo.img", 0);
    desk.write(BEAT_OF_BOB, 0, &desk.copied(BEAT_OF_BOB));
    assert!(
        fs::read(desk.folder.join("repo.img")).unwrap() == fs::read(desk.folder.join("copy.img")).unwrap(),
        "every byte but the beat is as it was"
    );

    desk.say("What is there is not written over by mistake.");
    desk.type_in("repository create repo.img --state-dir ada", 2);
    desk.type_in("repository create repo.img --slots 4 --state-dir ada", 2);
    desk.type_in("repository create repo.img --slots 4 --state-dir ada --confirm copy.img", 2);
    desk.type_in("repository create repo.img --slots 4 --state-dir ada --confirm repo.img", 0);

    desk.say("What is no repository.");
    desk.type_in("repository check demo.toml", 2);
    desk.type_in("repository show missing.img", 2);
    desk.type_in("repository create /dev/null --state-dir ada", 2);

    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/repository.txt");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&golden, &desk.transcript).unwrap();
    }
    let expected = fs::read_to_string(&golden).unwrap_or_default();
    assert_eq!(expected, desk.transcript, "{} is another; BLESS=1 rewrites it", golden.display());
    fs::remove_dir_all(&desk.folder).unwrap();
}

#[test]
fn a_disk_with_a_file_system_is_not_taken_by_mistake() {
    alone(|| {
        let mut desk = Desk::new("repository-disk");
        desk.type_in("cluster create demo.toml --node ada --state-dir ada", 0);
        let disk = Disk::ext4("shared", 16);
        let (device, small) = (disk.device().display().to_string(), Disk::new("small", 8));
        let create = |more: &str| format!("repository create {device} --state-dir ada{more}");
        let told = desk.type_in(&create(""), 2);
        assert!(told.contains("PHX-C083") && told.contains("something at byte 0"), "{told}");
        shell(&format!("mkdir {SCRATCH}/here && mount {device} {SCRATCH}/here"));
        let told = desk.type_in(&create(&format!(" --confirm {device}")), 3);
        assert!(told.contains("PHX-C081"), "{told}");
        shell(&format!("umount {SCRATCH}/here"));
        assert!(shell(&format!("blkid {device}")).contains("ext4"), "it is as it was");
        desk.type_in(&create(&format!(" --confirm {device}")), 0);
        assert!(desk.type_in(&format!("repository check {device}"), 0).contains("is whole"));
        let told =
            desk.type_in(&format!("repository create {} --state-dir ada", small.device().display()), 2);
        assert!(told.contains("PHX-C082"), "{told}");
        let told = desk.type_in("repository create /dev/no-such-disk --state-dir ada", 2);
        assert!(told.contains("PHX-C080"), "{told}");
        fs::remove_dir_all(&desk.folder).unwrap();
    });
}
