//! The daemon of a node: it runs the core on a real-time thread and carries out what the core decides.
//!
//! Everything that may wait (disks, drivers, the deadman, people) is on a thread of its own and comes back through the
//! inbox. Nothing is decided here but how.
#![forbid(unsafe_code)]

mod adapters;
mod aha;
mod birth;
mod clients;
mod daemon;
mod door;
mod doubles;
mod doubts;
mod error;
mod guard;
mod hands;
mod inbox;
mod keeper;
mod outlook;
mod remark;
mod scribe;
mod settings;
mod stall;
mod targets;
mod tie;
mod topology;
mod twin;
mod wait;
mod words;

pub use error::StartError;
pub use settings::Settings;

/// Runs a daemon until it is told to stop, or must.
pub fn run(settings: Settings) -> Result<(), StartError> {
    let signals = phalanx_realtime::Signals::begin().map_err(StartError::System)?;
    daemon::Daemon::start(&settings, signals)?.run()
}
