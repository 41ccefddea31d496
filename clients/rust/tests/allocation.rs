//! Decoding what came never allocates more than four times its bytes, whatever it says.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../../../core/session/tests/makers/mod.rs"]
mod makers;

use phalanx_session::{Greeting, Hello, Request, Told};
use proptest::collection::vec;
use proptest::prelude::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The allocator, and what this thread asked it for.
struct Counting;

thread_local! {
    static ALLOCATED: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is left to the system's allocator; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.with(|allocated| allocated.set(allocated.get() + layout.size()));
        // SAFETY: the caller keeps to the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps to the contract, which is the same.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes of the error of a decoder, which names what it missed; they do not grow with the input.
const ERROR: usize = 256;

fn check(bytes: &[u8]) {
    let allocated = |decode: &dyn Fn()| {
        let before = ALLOCATED.get();
        decode();
        ALLOCATED.get() - before
    };
    let all = [
        allocated(&|| drop(Hello::read(bytes))),
        allocated(&|| drop(Greeting::read(bytes))),
        allocated(&|| drop(Request::read(bytes))),
        allocated(&|| drop(Told::read(bytes))),
    ];
    let limit = 4 * bytes.len() + ERROR;
    assert!(all.iter().all(|one| *one <= limit), "{all:?} for {} bytes {bytes:02x?}", bytes.len());
}

proptest! {
    #[test]
    fn what_is_said(request in makers::requests(), told in makers::told()) {
        check(&request.write());
        check(&told.write());
    }

    #[test]
    fn what_is_said_and_garbled(
        told in makers::told(), request in makers::requests(), changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)
    ) {
        for mut body in [told.write(), request.write()] {
            for (at, byte) in &changes {
                let at = at.index(body.len());
                body[at] = *byte;
            }
            check(&body);
        }
    }

    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..2_000)) {
        check(&bytes);
    }
}

/// Where a field is that this version does not know, a decoder skips it. `Quit` and `Dissolved` have none of their own.
#[test]
fn nested_lengths_without_end_make_nobody_remember_them() {
    for number in [6, 3] {
        for pair in [[0x82, 0x9f], [0x82, 0x82], [0x9f, 0x9f], [0xbf, 0x82]] {
            check(&[[0x82, number, 0x81].as_slice(), pair.repeat(4_000).as_slice()].concat());
        }
    }
}
