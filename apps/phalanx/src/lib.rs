//! The command line: what an operator types, and what it answers.
//!
//! Talks to the daemon of this host over its local socket, makes the state directory of a new node, and makes and checks repository
//! disks that nobody uses. Results go to
//! standard output, progress and errors to standard error; the exit code says how it ended. Never decides anything about
//! a cluster.
#![forbid(unsafe_code)]

pub mod ask;
pub mod change;
pub mod cli;
pub mod cluster;
pub mod compat;
pub mod events;
pub mod explain;
pub mod fault;
pub mod form;
pub mod lists;
pub mod manual;
pub mod paint;
pub mod provider;
pub mod replay;
pub mod repository;
pub mod repository_page;
pub mod status;
pub mod table;
pub mod topology;
pub mod view;

use clap::Parser;
use cli::{Cli, Noun};
use fault::Fault;
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the program with these arguments, its own name first.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if let Some(outcome) = compat::run(&arguments) {
        return end(outcome, false);
    }
    let cli = Cli::parse_from(arguments);
    end(run(&cli), cli.json)
}

fn end(outcome: Result<(), Fault>, json: bool) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            fault.print(json);
            ExitCode::from(fault.exit as u8)
        }
    }
}

fn run(cli: &Cli) -> Result<(), Fault> {
    match &cli.noun {
        Noun::Status(args) => status::run(cli, args),
        Noun::Apply(args) => change::apply(cli, args),
        Noun::Cluster(verb) => cluster::run(cli, verb),
        Noun::Group(group) => lists::group(cli, group),
        Noun::Node(node) => lists::node(cli, node),
        Noun::Topology => topology::run(cli),
        Noun::Provider(args) => provider::run(cli, args),
        Noun::Events(args) => events::run(cli, args),
        Noun::Explain(args) => explain::run(cli, args),
        Noun::Repository(verb) => repository::run(cli, verb),
        Noun::Replay(args) => replay::run(cli, args),
        Noun::Completions { shell } => manual::completions(*shell),
        Noun::Man { directory } => manual::pages(directory),
    }
}
