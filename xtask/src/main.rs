//! The repository checks itself: `cargo xtask tidy` reads only and fails with every fault it finds.

mod crates;
mod picture;
mod planted;
mod sources;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const HELP: &str =
    "usage: cargo xtask tidy | planted [--json] [--seeds N] [--plant BUG] | planted --units [BUG…] | picture

Checks what the compiler does not: which folders may depend on which, that the
core takes no other crates than those agreed on, that every file says what it is
for, and that nothing unfinished is left. Prints the longest files and functions.

`planted` plants each known bug in the core: the property that must name it has
to, within 2,000 seeds of the simulator. A line each; exit code 1 if one stays
hidden. `planted --units` runs the core's tests with each bug in them instead;
exit code 1 if some test catches what the table says none does, or none does
what it says that some does.

`picture` draws the output of the demo, given on standard input, for the README.";

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("tidy") => tidy(),
        Some("picture") => picture::draw(),
        Some("planted") => planted::run(&root(), &std::env::args().skip(2).collect::<Vec<_>>()),
        Some("help" | "--help" | "-h") => {
            println!("{HELP}");
            ExitCode::SUCCESS
        }
        Some(_) | None => {
            eprintln!("{HELP}");
            ExitCode::from(2)
        }
    }
}

fn tidy() -> ExitCode {
    let root = root();
    let mut faults = crates::check(&root);
    let sources = sources::read(&root);
    faults.extend(sources.iter().flat_map(sources::check));
    sources::print_longest(&sources);
    for fault in &faults {
        eprintln!("tidy: {fault}");
    }
    match faults.is_empty() {
        true => {
            println!("tidy: {} source files, nothing to mend", sources.len());
            ExitCode::SUCCESS
        }
        false => ExitCode::FAILURE,
    }
}

/// The folder that holds the workspace, whatever folder this was called from.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("xtask lies in the workspace").to_owned()
}
