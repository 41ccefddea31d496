//! What the kernel says about this host: its boot clock, its mounts, its processes, the time that was stolen from it.
//!
//! Reads `/proc` and clocks and turns what it finds into plain values. Never changes anything, never decides.
#![forbid(unsafe_code)]

pub mod clock;
pub mod mounts;
pub mod process;
pub mod steal;

pub use clock::now;
pub use mounts::{Device, Mount, mounts};
pub use steal::StealClock;
