//! A daemon is stopped for longer than detection while its host's kernel answers echoes: with a grace period it stays a
//! member. Once its host cannot be asked any more it is given up long before that is over.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod hosts;

use hosts::{all_in_one_view, end, events, members, phalanx, program, status, three_nodes_with};
use phalanx_sandbox::{eventually, shell};
use serde_json::Value;
use std::process::{Child, ExitCode};

/// Longer than the story waits for anything.
const GRACE: &str = "monitoring = \"ring\", grace = \"30s\"";
/// The detection time, in nanoseconds as programs are told.
const DETECT: u64 = 400_000_000;

fn main() -> ExitCode {
    program(story)
}

fn story() {
    let (mut guards, mut daemons) = three_nodes_with(GRACE);
    let view = view_of("ada");

    signal(&daemons[2], "STOP");
    let silent = |node: &str| heard_cyd(node).is_some_and(|silence| silence > DETECT * 3);
    eventually("cyd has been silent for longer than detection", || silent("ada") && silent("bob"));
    for node in ["ada", "bob"] {
        assert!(events(node).contains("but its host answers an echo"), "{}", events(node));
        assert_eq!(view_of(node), view);
    }
    signal(&daemons[2], "CONT");
    all_in_one_view();
    assert_eq!(view_of("cyd"), view, "nobody left it");

    signal(&daemons[2], "STOP");
    cables("down");
    eventually("cyd is given up, whose host does not answer", || {
        status("ada").is_some_and(|status| members(&status) == ["ada", "bob"] && status["primary"] == true)
    });
    daemons.iter_mut().chain(&mut guards).for_each(end);
}

fn view_of(node: &str) -> Option<Value> {
    status(node).map(|status| status["view"].clone())
}

/// For how long `node` has not heard cyd on any network.
fn heard_cyd(node: &str) -> Option<u64> {
    let output = phalanx(node, &["topology", "--json"]);
    let topology: Value = serde_json::from_slice(&output.stdout).ok()?;
    let networks = topology["networks"].as_array()?.iter();
    let members = networks.flat_map(|network| network["members"].as_array().into_iter().flatten());
    members.filter(|member| member["node"] == "cyd").filter_map(|member| member["heard"].as_u64()).min()
}

fn signal(daemon: &Child, name: &str) {
    shell(&format!("kill -{name} {}", daemon.id()));
}

fn cables(state: &str) {
    ["client", "back"]
        .into_iter()
        .for_each(|bridge| drop(shell(&format!("ip link set {bridge}-cyd {state}"))));
}
