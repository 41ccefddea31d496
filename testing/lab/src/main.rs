//! `phalanx-lab`: the demo, the benches, and the small programs that its hosts are made of.

use phalanx_lab::stage::End;
use phalanx_lab::tool::Outcome;
use phalanx_lab::{bench, demo, host, preflight, stage, visit};
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "\
usage: phalanx-lab demo | bench SUITE
       of a cluster that KEEP=1 left up, at another terminal:
       phalanx-lab on HOST COMMAND…   phalanx-lab shell HOST
       phalanx-lab crash HOST   boot HOST   cut HOST   plug HOST   end";

/// What shells make of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["demo"] => on_stage(demo::run),
        ["bench", suite] => on_stage(|work| bench::run(suite, work)),
        ["on", name, command @ ..] if !command.is_empty() => end(Err(visit::on(name, command))),
        ["shell", name] => end(Err(visit::shell(name))),
        [verb @ ("crash" | "boot" | "cut" | "plug"), name] => end(visit::order(&format!("{verb} {name}"))),
        ["end"] => end(visit::order("end")),
        ["talk", words @ ..] => end(bench::talk::Talk::parse(words).and_then(|talk| talk.run())),
        ["init", name, cgroup] => end(host::init(name, cgroup)),
        ["within", cgroup, program, rest @ ..] => {
            let rest: Vec<String> = rest.iter().map(|word| (*word).to_owned()).collect();
            end(Err(host::within(cgroup, program, &rest)))
        }
        [] | [_, ..] => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn on_stage(act: impl FnOnce(&Path) -> Outcome<()>) -> ExitCode {
    if let Some(obstacle) = preflight::obstacle() {
        eprintln!("{obstacle}");
        return ExitCode::FAILURE;
    }
    match stage::inside() {
        Some(work) => end(act(&work)),
        None => match stage::enter() {
            Ok(End::Itself(code)) => ExitCode::from(code),
            Ok(End::Signal) => ExitCode::from(INTERRUPTED),
            Err(trouble) => end(Err(trouble)),
        },
    }
}

fn end(outcome: Outcome<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("phalanx-lab: {trouble}");
            ExitCode::FAILURE
        }
    }
}
