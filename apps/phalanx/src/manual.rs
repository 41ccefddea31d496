//! Completions and manual pages, made from the grammar itself.

use crate::cli::Cli;
use crate::fault::Fault;
use clap::CommandFactory;
use std::io;
use std::path::Path;

/// Prints completions.
pub fn completions(shell: clap_complete::Shell) -> Result<(), Fault> {
    clap_complete::generate(shell, &mut Cli::command(), "phalanx", &mut io::stdout());
    Ok(())
}

/// Writes a page for each command.
pub fn pages(directory: &Path) -> Result<(), Fault> {
    clap_mangen::generate_to(Cli::command(), directory).map_err(|error| Fault::file(directory, &error))
}
