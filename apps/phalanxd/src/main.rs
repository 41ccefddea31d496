//! The program `phalanxd`: arguments in, an exit code out.

use clap::Parser;
use phalanxd::{Settings, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    match run(Settings::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("phalanxd: {error}");
            ExitCode::FAILURE
        }
    }
}
