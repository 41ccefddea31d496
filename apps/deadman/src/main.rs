//! The deadman: a small process that outlives the daemon and lets go of what it held, or takes the host down.
//!
//! Knows nothing of views, quorums or plans: only groups, a lease end, and the time.

mod action;
mod guard;
mod hardening;
mod namespace;
mod options;
mod release;
mod rules;
mod say;
mod signals;
mod watchdog;

use guard::Guard;
use options::{Options, Settings};
use say::say;
use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    match options::parse(env::args().skip(1)) {
        Ok(Options::Help) => {
            print!("{}", options::HELP);
            ExitCode::SUCCESS
        }
        Ok(Options::Version) => {
            println!("phalanx-deadman {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Ok(Options::Guard(settings)) => guard(settings),
        Err(why) => fail(&why, 2),
    }
}

fn guard(settings: Settings) -> ExitCode {
    if let Err(why) = settings.action.check() {
        return fail(&why, 2);
    }
    if let Some((path, _)) = settings.watchdog.as_ref().filter(|(path, _)| !path.exists()) {
        return fail(&format!("there is no watchdog {}", path.display()), 2);
    }
    let socket = settings.socket.display().to_string();
    let mut guard = match Guard::new(settings) {
        Ok(guard) => guard,
        Err(error) => return fail(&format!("cannot listen on {socket}: {error}"), 1),
    };
    hardening::harden();
    say(&format!("ready on {socket}; nothing is held"));
    match guard.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("cannot go on: {error}"), 1),
    }
}

fn fail(why: &str, code: u8) -> ExitCode {
    say(why);
    ExitCode::from(code)
}
