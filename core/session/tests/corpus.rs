//! The fuzz targets' checks over their corpus, so that neither rots where nobody fuzzes, and over every cut of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::disallowed_methods, reason = "a test reads the files that it compares with")]

#[path = "../fuzz/checks.rs"]
mod checks;
mod makers;

use proptest::collection::vec;
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};

type Check = fn(&[u8]);
const TARGETS: [(&str, Check); 4] = [
    ("greeting", checks::greeting),
    ("request", checks::request),
    ("told", checks::told),
    ("stream", checks::stream),
];

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target)
}

#[test]
fn every_seed_holds_whole_and_cut_short() {
    for (target, check) in TARGETS {
        let mut seeds = 0;
        for seed in fs::read_dir(corpus(target)).unwrap() {
            let bytes = fs::read(seed.unwrap().path()).unwrap();
            (0..=bytes.len()).for_each(|end| check(&bytes[..end]));
            seeds += 1;
        }
        assert!(seeds > 0, "{target} has seeds");
    }
}

/// The seeds are the examples. `BLESS=1` writes those that are missing.
#[test]
fn every_example_is_a_seed() {
    for (name, bytes) in makers::examples() {
        let target = match name.split('-').next() {
            Some("request") => "request",
            Some("told") => "told",
            _ => "greeting",
        };
        expect_seed(&corpus(target).join(&name), &bytes);
        let frame = phalanx_session::frame(&bytes).unwrap();
        let stream = [vec![7], frame.clone(), frame].concat();
        expect_seed(&corpus("stream").join(&name), &stream);
    }
}

fn expect_seed(path: &Path, bytes: &[u8]) {
    if std::env::var_os("BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    assert_eq!(fs::read(path).unwrap_or_default(), bytes, "{}; BLESS=1 writes it", path.display());
}

proptest! {
    #[test]
    fn any_bytes_hold(bytes in vec(any::<u8>(), 0..400)) {
        TARGETS.iter().for_each(|(_, check)| check(&bytes));
    }
}
