//! Two daemons that do not hear each other on one network, both with a carrier: a router there tells whose adapter is dead.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod hosts;

use hosts::{end, members, phalanx, program, status, stop_all, three_nodes};
use phalanx_sandbox::{eventually, shell};
use std::process::ExitCode;

fn main() -> ExitCode {
    program(story)
}

fn story() {
    let (mut guards, mut daemons) = three_nodes();
    // The bridge is the router.
    shell("ip address add 10.11.0.254/24 dev client");

    end(&mut daemons[2]);
    eventually("the other two go on without cyd", || {
        status("ada").is_some_and(|status| members(&status) == ["ada", "bob"] && status["primary"] == true)
    });

    shell("ip link set client-bob nomaster");
    eventually("ada's adapter is vouched for", || said("ada", "a target does"));
    eventually("both agree on whose is dead", || {
        ["ada", "bob"].iter().all(|node| said(node, "network client is down at bob"))
    });
    assert!(!said("bob", "a target does") && !said("ada", "is down everywhere"));

    shell("ip link set client-bob master client");
    eventually("it is well again", || said("ada", "network client is up at bob"));

    stop_all(&mut daemons[..2]);
    guards.iter_mut().for_each(end);
}

fn said(node: &str, words: &str) -> bool {
    String::from_utf8_lossy(&phalanx(node, &["events"]).stdout).contains(words)
}
