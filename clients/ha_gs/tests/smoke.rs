//! A program in C, compiled against the header and linked with the library, as a client of a real daemon.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../../../apps/phalanxd/tests/hosts/mod.rs"]
mod hosts;

mod c;

use c::{compile, install_library};
use hosts::{program, three_nodes};
use phalanx_sandbox::{SCRATCH, eventually};
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, ExitCode};

const HEARD: &str = "\
phase 1 of type 1 for first
approved type 1 for first: 1 providers
phase 1 of type 1 for first
phase 1 of type 1 for second
approved type 1 for first: 2 providers
approved type 1 for second: 2 providers
news 0xb
delayed error 10 of type 11
phase 1 of type 6 for first
phase 1 of type 6 for second
delayed error 17 of type 6
phase 2 of type 6 for first
phase 2 of type 6 for second
approved type 6 for first: 2 providers
approved type 6 for second: 2 providers
news 0x1
10.11.0.1 is on node 1, eth0
phase 1 of type 3 for first
phase 1 of type 3 for second
approved type 3 for first: 1 providers
approved type 3 for second: 1 providers
news 0xc
";

fn main() -> ExitCode {
    program(story)
}

fn story() {
    install_library();
    let smoke = compile("smoke.c");
    let (mut guards, mut daemons) = three_nodes();
    let output = run(&smoke).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let mut heard: Vec<&str> = said.lines().collect();
    let mut expected: Vec<&str> = HEARD.lines().collect();
    assert_eq!(heard.len(), expected.len(), "{said}");
    // Between what two providers and a subscriber hear there is no order.
    heard.sort_unstable();
    expected.sort_unstable();
    assert_eq!(heard, expected);

    let elsewhere = run(&smoke).env("HA_DOMAIN_NAME", "moon").output().unwrap();
    assert!(String::from_utf8_lossy(&elsewhere.stderr).contains("init: 20 and not 0"), "{elsewhere:?}");
    survives_the_daemon(&smoke, &mut daemons[0]);
    let everybody = guards.iter_mut().chain(&mut daemons[1..]);
    everybody.for_each(|child| child.kill().and_then(|()| child.wait().map(drop)).unwrap());
}

/// It waits in a blocking dispatch, hears of the daemon's end, and goes on.
fn survives_the_daemon(smoke: &PathBuf, daemon: &mut std::process::Child) {
    let heard = format!("{SCRATCH}/heard");
    let mut waits = run(smoke);
    waits.env("WAIT_FOR_THE_END", "1").env("HA_DOMAIN_NAME", "demo").stdout(File::create(&heard).unwrap());
    let mut waits = waits.spawn().unwrap();
    let said = || fs::read_to_string(&heard).unwrap_or_default();
    eventually("it waits", || said().contains("waiting"));
    daemon.kill().and_then(|()| daemon.wait()).unwrap();
    assert!(waits.wait().unwrap().success(), "{}", said());
    assert!(said().ends_with("waiting\n1.\n"), "{}", said());
}

fn run(smoke: &PathBuf) -> Command {
    let mut command = Command::new(smoke);
    command.env("PHALANX_RUN_DIR", format!("{SCRATCH}/ada/run")).env("LD_LIBRARY_PATH", SCRATCH);
    command
}
