//! `cargo xtask planted`: plants each known bug in the core, runs the simulator, and prints which bugs were named by the
//! property that must name them. The table is `testing/sim/src/planted.rs`; nothing is decided here.

use std::path::Path;
use std::process::{Command, ExitCode};

/// A target folder of its own: no product is ever built beside a planted bug.
const TARGET: &str = "target/planted";
/// Seeds within which a bug has to be found, and what kinds of faults they have.
const COURSE: &[&str] = &["--planted", "--seeds", "2000", "--mode", "mixed"];

/// Runs it from `root`; `more` goes to the simulator.
pub fn run(root: &Path, more: &[String]) -> ExitCode {
    if !more.iter().any(|word| word == "--json") {
        println!("{:<26} {:<11} {:<22} found", "bug", "layer", "property");
    }
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let build = ["run", "--quiet", "--release", "-p", "phalanx-sim", "--features", "planted", "--target-dir"];
    let mut command = Command::new(cargo);
    command.current_dir(root).args(build).args([TARGET, "--"]).args(COURSE).args(more);
    match command.status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("planted: cargo cannot be run: {error}");
            ExitCode::FAILURE
        }
    }
}
