//! Runs `scenarios/membership/*.txt` and `scenarios/groups/*.txt`: stories of whole clusters, as operators would tell them.
//!
//! Each is played with beats to all and along a ring, before every safety property (docs/dev/stories.md).
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

use phalanx_sim::story::{Blessing, Found, LUCK, bless, check, files};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Stories that each folder has at least.
const FEWEST: usize = 40;

/// Plays every other story of a folder, beginning with one of the first two: two tests share the work.
fn play(folder: &str, half: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios").join(folder);
    let all = files(&[folder]).expect("the folder is there");
    assert!(all.len() >= FEWEST, "{} stories", all.len());
    let went_otherwise = |file: &&PathBuf| match check(file, LUCK) {
        Found::Same => false,
        Found::Differs(lines) => {
            println!("{} goes otherwise (- expected, + came):\n{lines}", file.display());
            true
        }
        Found::Unreadable(words) => {
            println!("{words}");
            true
        }
    };
    let failed: Vec<&PathBuf> = all.iter().skip(half).step_by(2).filter(went_otherwise).collect();
    assert!(failed.is_empty(), "these went otherwise: {failed:?}");
}

#[test]
fn membership_goes_as_it_is_written_in_every_first_file() {
    play("membership", 0);
}

#[test]
fn membership_goes_as_it_is_written_in_every_second_file() {
    play("membership", 1);
}

#[test]
fn groups_go_as_they_are_written_in_every_first_file() {
    play("groups", 0);
}

#[test]
fn groups_go_as_they_are_written_in_every_second_file() {
    play("groups", 1);
}

const STORY: &str = "A story\nNothing is seen.\n\ncluster: ada bob cyd\n\n> wait 1 s\n  nothing\n";

/// A repository of its own with this text committed, and the file that has it.
fn committed(name: &str, text: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("an earlier run's folder goes");
    }
    fs::create_dir_all(&folder).expect("a folder can be made");
    let file = folder.join("story.txt");
    fs::write(&file, text).expect("a file can be written");
    let git = |words: &[&str]| {
        let identity =
            ["-c", "user.name=story", "-c", "user.email=story@localhost", "-c", "commit.gpgsign=false"];
        let run = Command::new("git").current_dir(&folder).args(identity).args(words).output();
        assert!(run.expect("git is there").status.success(), "git {words:?}");
    };
    git(&["init", "--quiet"]);
    git(&["add", "story.txt"]);
    git(&["commit", "--quiet", "--message", "a story"]);
    file
}

#[test]
fn a_known_story_is_blessed() {
    let file = committed("blessed", STORY);
    assert_eq!(bless(&file), Blessing::Unchanged);
    let wrong = STORY.replace("  nothing", "  1 s  ada: something");
    fs::write(&file, wrong).expect("it can be written");
    assert_eq!(bless(&file), Blessing::Rewritten);
    assert_eq!(fs::read_to_string(&file).expect("it is there"), STORY);
}

#[test]
fn a_new_story_is_not_blessed() {
    let file = committed("unblessed", STORY).with_file_name("new.txt");
    let wrong = STORY.replace("  nothing", "  1 s  ada: something");
    fs::write(&file, &wrong).expect("it can be written");
    let refused = |blessing| matches!(blessing, Blessing::Refused(words) if words.contains("new story"));
    assert!(refused(bless(&file)));
    assert_eq!(fs::read_to_string(&file).expect("it is there"), wrong, "it is left as it is");
}

#[test]
fn a_story_of_which_nothing_is_expected_is_not_blessed() {
    let file = committed("unexpected", &STORY.replace("  nothing\n", ""));
    let refused = |blessing| matches!(blessing, Blessing::Refused(words) if words.contains("story.txt:6: nothing is expected"));
    assert!(refused(bless(&file)));
}
