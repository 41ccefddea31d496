//! The program `phalanxd`: arguments in, an exit code out.
//!
//! 0: it was told to end. 1: it could not start or had to end, and another start may go better. 2: its command line makes no
//! sense. 3: a person has to mend something first.

use clap::Parser;
use phalanx_realtime::Allocator;
use phalanxd::{Settings, run};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn main() -> ExitCode {
    match run(Settings::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("phalanxd: {error}");
            error.exit_code()
        }
    }
}
