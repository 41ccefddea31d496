//! Runs a whole cluster of real cores on virtual networks, disks and clocks, and lets the oracle judge it.
//!
//! One seed is one story: boot, warm up, faults for at least a minute, heal, and be well again. The same seed tells the
//! same story on every machine, whatever else runs. [`run_seed`] tells one, [`Report`] sums up many.
#![forbid(unsafe_code)]

mod clients;
pub mod clock;
pub mod core;
pub mod deadman;
pub mod disk;
mod drill;
mod drivers;
pub mod fault;
pub mod flight;
mod host;
pub mod net;
pub mod node;
pub mod planted;
pub mod points;
mod power;
pub mod queue;
pub mod random;
pub mod report;
mod rescue;
pub mod resource;
pub mod run;
pub mod scale;
pub mod session;
pub mod setting;
mod shell;
pub mod story;
mod strike;
mod thread;
mod tie;
pub mod toy;
pub mod trace;
pub mod wear;
mod words;
mod world;

pub use fault::Mode;
pub use node::{Factory, SimNode};
pub use points::Points;
pub use report::Report;
pub use run::{Outcome, run_seed};
pub use setting::{Lite, Setting};
pub use world::World;
