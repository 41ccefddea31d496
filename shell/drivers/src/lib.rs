//! Carries out operations on resources: each on a thread of its own, each answered once and in time.
//!
//! One contract, [`Driver`], for service addresses, file systems and applications. Never decides what to operate on;
//! never answers a probe with "inactive" while something that could still acquire is under way.
#![forbid(unsafe_code)]

mod address;
mod answers;
mod application;
pub mod contest;
pub mod driver;
mod drivers;
mod file_system;
pub mod host;
mod record;
mod starts;
mod watch;

pub use contest::Contest;
pub use driver::{Driver, Task, Trouble};
pub use drivers::Drivers;
pub use host::{Key, Report, Settings};
