//! Runs `scenarios/plan/*.txt`: stories in an operator's words, played by real managers over an in-memory group.
//!
//! Rewrite what they print with `BLESS=1 cargo test -p phalanx-conduct --test stories`.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::disallowed_macros)]

#[path = "stories/cluster.rs"]
mod cluster;
#[path = "stories/script.rs"]
mod script;
#[path = "stories/tell.rs"]
mod tell;
#[path = "stories/world.rs"]
mod world;

use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/plan")
}

#[test]
fn every_story_goes_as_it_is_written() {
    let mut files: Vec<_> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    let failed: Vec<_> = files.iter().filter(|file| !check(file)).collect();
    assert!(failed.is_empty(), "these went otherwise: {failed:?}");
}

fn check(file: &Path) -> bool {
    let written = std::fs::read_to_string(file).unwrap();
    let played = script::play(&written);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(file, &played).unwrap();
        return true;
    }
    if written != played {
        let line = written.lines().zip(played.lines()).position(|(a, b)| a != b);
        println!("{} differs at line {line:?}; it went:\n{played}", file.display());
    }
    written == played
}
