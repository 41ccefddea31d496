//! Three daemons on one network of two subnets, along a ring: the router between these goes down and comes back.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod hosts;

use hosts::{NODES, all_in_one_view, end, members, phalanx, program, run_all, start, status, stop_all};
use phalanx_sandbox::{eventually, shell};
use serde_json::{Value, json};
use std::process::ExitCode;

const FILE: &str = r#"
schema = 1
cluster = { name = "demo", monitoring = "ring" }
[node]
ada = { address = { lan = "10.11.0.1" } }
bob = { address = { lan = "10.11.0.2" } }
cyd = { address = { lan = "10.12.0.3" } }
[network]
lan = { subnet = ["10.11.0.0/24", "10.12.0.0/24"] }
"#;

/// A subnet: a bridge and its hosts.
struct Subnet {
    bridge: &'static str,
    number: u8,
    hosts: &'static [(&'static str, u8)],
}

const SUBNETS: [Subnet; 2] = [
    Subnet { bridge: "west", number: 11, hosts: &[("ada", 1), ("bob", 2)] },
    Subnet { bridge: "east", number: 12, hosts: &[("cyd", 3)] },
];

fn main() -> ExitCode {
    program(story)
}

fn story() {
    lay_subnets();
    let (mut guards, mut daemons) = run_all(FILE);
    eventually("cyd, who has the highest address, leads; bob speaks for it in the other subnet", || {
        NODES.iter().all(|node| ring(node) == Some((json!("cyd"), json!(["bob"]))))
    });

    route(false);
    eventually("ada and bob go on, and cyd is alone", || {
        let parts = NODES.map(|node| status(node).map(|status| members(&status).join(" ")));
        parts == [Some("ada bob"), Some("ada bob"), Some("cyd")].map(|part| part.map(str::to_owned))
    });
    assert!(status("ada").unwrap()["primary"] == true && status("cyd").unwrap()["primary"] == false);

    end(&mut daemons[0]);
    daemons[0] = start("ada");
    route(true);
    all_in_one_view();

    stop_all(&mut daemons);
    guards.iter_mut().for_each(end);
}

/// Who leads the ring as a node sees it, and its mayors.
fn ring(node: &str) -> Option<(Value, Value)> {
    let output = phalanx(node, &["topology", "--json"]);
    let told: Value = serde_json::from_slice(&output.stdout).ok()?;
    let network = &told["networks"][0];
    Some((network["leader"].clone(), network["mayors"].clone()))
}

/// Two bridges with their hosts; this namespace, in which the bridges are, is the router.
fn lay_subnets() {
    for Subnet { bridge, number, hosts } in SUBNETS {
        shell(&format!("ip link add {bridge} type bridge && ip link set {bridge} up"));
        shell(&format!("ip address add 10.{number}.0.254/24 dev {bridge}"));
        for (node, host) in hosts {
            shell(&format!("ip netns add {node}"));
            shell(&format!("ip link add {bridge}-{node} type veth peer name eth0 netns {node}"));
            shell(&format!("ip link set {bridge}-{node} master {bridge} up"));
            shell(&format!("ip -n {node} link set eth0 up && ip -n {node} link set lo up"));
            shell(&format!("ip -n {node} address add 10.{number}.0.{host}/24 dev eth0"));
            shell(&format!("ip -n {node} route add default via 10.{number}.0.254"));
        }
    }
    route(true);
}

fn route(up: bool) {
    shell(&format!("echo {} > /proc/sys/net/ipv4/ip_forward", u8::from(up)));
}
