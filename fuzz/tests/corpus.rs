//! Every target over its seeds and some thousand changes of each: none panics, none takes more than it is given.

use phalanx_fuzz::TARGETS;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};

/// So many changes of every seed.
const CHANGES: u64 = 4_000;
/// No piece of memory is larger than so many times the input.
const TIMES_MAX: usize = 4;
/// Text is taken apart into words, each with its place: that takes more, in proportion.
const TEXT_TIMES_MAX: usize = 16;
/// Targets that read text.
const TEXTS: &[&str] = &["aha", "api", "cluster"];
/// What a decoder may take whatever it is given: a node of a map, the fixed part of an answer.
const BYTES_ALWAYS: usize = 16_384;

/// Notes the largest piece of memory that this thread asked for.
struct Counting;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is handed to the system's allocator as it came; what is noted beside is a number of this thread.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(layout.size())));
        // SAFETY: the caller keeps to the contract that the system's allocator has, too.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: it came from `alloc`, and so from the system's allocator.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn no_target_panics_or_takes_more_than_it_is_given() {
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        assert!(!seeds.is_empty(), "{name} has no seeds");
        for (path, seed) in &seeds {
            check(name, path, *target, seed);
            let mut chance = Chance(0x9e37_79b9);
            (0..CHANGES).for_each(|_| check(name, path, *target, &changed(seed, &mut chance)));
        }
    }
}

fn check(name: &str, path: &Path, target: fn(&[u8]), input: &[u8]) {
    LARGEST.set(0);
    let outcome = std::panic::catch_unwind(|| target(input));
    let largest = LARGEST.get();
    assert!(outcome.is_ok(), "{name}: panics, from {}: {input:02x?}", path.display());
    let times = if TEXTS.contains(&name) { TEXT_TIMES_MAX } else { TIMES_MAX };
    let allowed = (input.len() * times).max(BYTES_ALWAYS);
    assert!(largest <= allowed, "{name}: takes {largest} bytes at once for {}: {input:02x?}", input.len());
}

fn seeds(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = entries.collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).expect("it was just seen"))).collect()
}

/// Numbers that look like chance and are the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

/// One to four changes: a bit, a byte, a number, a piece cut out, doubled, or the end cut off.
fn changed(seed: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=chance.below(4) {
        let at = chance.below(bytes.len());
        match chance.below(6) {
            _ if bytes.is_empty() => bytes.push(chance.below(256) as u8),
            0 => bytes[at] ^= 1 << chance.below(8),
            1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff, chance.below(256) as u8][chance.below(6)],
            2 => {
                let length = [1, 2, 4, 8][chance.below(4)].min(bytes.len() - at);
                bytes[at..at + length].fill([0, 0xff][chance.below(2)]);
            }
            3 => drop(bytes.drain(at..at + chance.below(bytes.len() - at + 1))),
            4 => bytes.truncate(at),
            _ => {
                let piece = bytes[at..].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
    bytes
}
