//! A host is cloned, identity and addresses and all: the copy is refused by name when it starts beside its original, and
//! whoever has the identity, at most one of the two is a member.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod hosts;

use hosts::{
    NODES, all_in_one_view, daemon_of, end, events, guard, members, program, start, status, three_nodes,
};
use phalanx_sandbox::{SCRATCH, eventually, shell};
use std::fs;
use std::process::ExitCode;

/// The host that carries a copy of ada.
const COPY: &str = "eve";

fn main() -> ExitCode {
    program(story)
}

fn story() {
    let (mut guards, mut daemons) = three_nodes();
    clone_ada();
    guards.push(guard(COPY));

    let refused = daemon_of(COPY).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("[PHX-D011]") && said.contains("of node ada is in use by another host"), "{said}");
    assert_eq!(refused.status.code(), Some(3), "a person has to mend it");

    // Plugged in late, the copy finds nobody to ask. The original is alive and keeps its place.
    cables("down");
    let mut copy = daemon_of(COPY).spawn().unwrap();
    eventually("the copy runs alone", || status(COPY).is_some_and(|status| members(&status) == ["ada"]));
    cables("up");
    eventually("somebody says which node exists twice", || {
        NODES.iter().chain([&COPY]).any(|node| events(node).contains("two hosts have the identity of ada"))
    });
    let primary = |node: &str| status(node).is_some_and(|status| status["primary"] == true);
    assert!(!(primary("ada") && primary(COPY)), "at most one ada is a member");

    end(&mut copy);
    cables("down");
    eventually("bob and cyd never stopped", || primary("bob") && primary("cyd"));
    end(&mut daemons[0]);
    daemons[0] = start("ada");
    all_in_one_view();
    daemons.iter_mut().chain(&mut guards).for_each(end);
}

/// A fourth host with ada's addresses, and ada's state directory as it is now.
fn clone_ada() {
    shell(&format!("ip netns add {COPY} && cp -r {SCRATCH}/ada {SCRATCH}/{COPY}"));
    let boot = fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap();
    fs::write(format!("{SCRATCH}/{COPY}/boot_id"), boot).unwrap();
    for (bridge, link, address) in
        [("client", "eth0", "10.11.0.1/24"), ("back", "eth1", "fd00:11::1/64 nodad")]
    {
        shell(&format!("ip link add {bridge}-{COPY} type veth peer name {link} netns {COPY}"));
        shell(&format!("ip link set {bridge}-{COPY} master {bridge} up"));
        shell(&format!("ip -n {COPY} link set lo up && ip -n {COPY} link set {link} up"));
        shell(&format!("ip -n {COPY} address add {address} dev {link}"));
    }
}

fn cables(state: &str) {
    ["client", "back"]
        .into_iter()
        .for_each(|bridge| drop(shell(&format!("ip link set {bridge}-{COPY} {state}"))));
}
