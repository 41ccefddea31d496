//! Three daemons in three network namespaces: they find each other, one is killed, one comes back.
//!
//! The test's own binary is also the programs that it starts, by its first argument, so that nothing else need be built.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use clap::Parser;
use phalanx_lifeline::{Listener, Received, Reply, Request};
use phalanx_sandbox::{SCRATCH, alone, eventually, shell};
use phalanx_types::Tick;
use serde_json::Value;
use std::env::{args_os, current_exe};
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitCode};
use std::thread::sleep;
use std::time::Duration;

const NODES: [&str; 3] = ["ada", "bob", "cyd"];
const FILE: &str = r#"
schema = 1
cluster = { name = "demo" }
[node]
ada = { address = { client = "10.11.0.1", back = "fd00:11::1" } }
bob = { address = { client = "10.11.0.2", back = "fd00:11::2" } }
cyd = { address = { client = "10.11.0.3", back = "fd00:11::3" } }
[network]
client = { subnet = "10.11.0.0/24" }
back = { subnet = "fd00:11::/64", service = false }
"#;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = args_os().skip(1).collect();
    match arguments.first().and_then(|first| first.to_str()) {
        Some("phalanx") => phalanx::main(arguments),
        Some("phalanxd") => daemon(arguments),
        Some("deadman") => stub_deadman(Path::new(&arguments[1])),
        Some(_) | None => {
            alone(story);
            ExitCode::SUCCESS
        }
    }
}

fn daemon(arguments: Vec<OsString>) -> ExitCode {
    match phalanxd::run(phalanxd::Settings::parse_from(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Says yes to everything.
fn stub_deadman(socket: &Path) -> ExitCode {
    let listener = Listener::bind(socket).unwrap();
    let (mut connections, mut buffer) = (Vec::new(), vec![0; 1 << 17]);
    loop {
        connections.extend(listener.accept().unwrap());
        for connection in &connections {
            while let Received::Request(sequence, request) = connection.receive(&mut buffer) {
                let reply = match request {
                    Request::Hello => {
                        Reply::Standing { until: Tick::ZERO, groups: Vec::new(), watchdog: None }
                    }
                    Request::Hold(_) | Request::Drop { .. } | Request::Feed { .. } => Reply::Done,
                };
                connection.reply(sequence, reply, &mut buffer);
            }
        }
        sleep(Duration::from_millis(1));
    }
}

fn story() {
    lay_networks();
    settle();
    let mut guards: Vec<Child> = NODES.iter().map(|node| guard(node)).collect();
    let mut daemons: Vec<Child> = NODES.iter().map(|node| start(node)).collect();

    eventually("all three are in one primary view, and each has a lease", || {
        let all = NODES.map(status).into_iter().collect::<Option<Vec<Value>>>();
        all.is_some_and(|all| {
            all.iter().all(|status| {
                status["view"] == all[0]["view"]
                    && members(status) == NODES
                    && status["lease_left"].as_u64() > Some(0)
            })
        })
    });
    refuse_second_daemon();

    daemons[2].kill().and_then(|()| daemons[2].wait()).unwrap();
    eventually("the other two go on without cyd", || {
        status("ada").is_some_and(|status| members(&status) == ["ada", "bob"] && status["primary"] == true)
    });

    daemons[2] = start("cyd");
    eventually("cyd is back in another life", || {
        status("cyd").is_some_and(|status| members(&status) == NODES && status["primary"] == true)
    });
    let replayed = status("ada").unwrap()["daemon"]["dropped"].to_string();
    assert!(!replayed.contains("forged") && !replayed.contains("twin"), "{replayed}");

    guards[0].kill().and_then(|()| guards[0].wait()).unwrap();
    eventually("without its deadman ada has no lease", || {
        status("ada").is_some_and(|status| status["lease_left"] == 0)
    });

    for (node, daemon) in NODES.iter().zip(&mut daemons) {
        let stopped = phalanx(node, &["node", "stop"]);
        assert!(stopped.status.success(), "{node}: {}", String::from_utf8_lossy(&stopped.stderr));
        assert!(daemon.wait().unwrap().success(), "{node} ends well");
    }
    let mute = phalanx("ada", &["status"]);
    assert_eq!(mute.status.code(), Some(3), "no daemon answers");
    guards.iter_mut().skip(1).for_each(|guard| guard.kill().and_then(|()| guard.wait().map(drop)).unwrap());
}

fn lay_networks() {
    for (bridge, link) in [("client", "eth0"), ("back", "eth1")] {
        shell(&format!("ip link add {bridge} type bridge && ip link set {bridge} up"));
        for (number, node) in (1..).zip(NODES) {
            shell(&format!("ip netns list | grep -qw {node} || ip netns add {node}"));
            shell(&format!("ip link add {bridge}-{node} type veth peer name {link} netns {node}"));
            shell(&format!("ip link set {bridge}-{node} master {bridge} up"));
            shell(&format!("ip -n {node} link set {link} up && ip -n {node} link set lo up"));
            let address = match bridge {
                "client" => format!("10.11.0.{number}/24"),
                _ => format!("fd00:11::{number}/64 nodad"),
            };
            shell(&format!("ip -n {node} address add {address} dev {link}"));
        }
    }
}

/// Three hosts become the nodes of one cluster: one makes it, the others join by its invitation.
fn settle() {
    let file = format!("{SCRATCH}/demo.toml");
    let invitation = format!("{SCRATCH}/demo.invitation");
    fs::write(&file, FILE).unwrap();
    for node in NODES {
        fs::create_dir_all(format!("{SCRATCH}/{node}/run")).unwrap();
        let boot = fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap();
        fs::write(format!("{SCRATCH}/{node}/boot_id"), boot).unwrap();
        let state = format!("{SCRATCH}/{node}/state");
        let arguments = match node {
            "ada" => [
                "cluster",
                "create",
                &file,
                "--node",
                node,
                "--state-dir",
                &state,
                "--invitation",
                &invitation,
            ]
            .to_vec(),
            _ => ["cluster", "join", &invitation, "--node", node, "--state-dir", &state].to_vec(),
        };
        let made = phalanx(node, &arguments);
        assert!(made.status.success(), "{node}: {}", String::from_utf8_lossy(&made.stderr));
    }
}

fn guard(node: &str) -> Child {
    within(node).args(["deadman", &format!("{SCRATCH}/{node}/run/deadman.sock")]).spawn().unwrap()
}

fn start(node: &str) -> Child {
    daemon_of(node).spawn().unwrap()
}

fn daemon_of(node: &str) -> Command {
    let mut command = within(node);
    let place = |name: &str| format!("{SCRATCH}/{node}/{name}");
    command.args(["phalanxd", "--state-dir", &place("state"), "--run-dir", &place("run")]);
    command.args(["--boot-id-file", &place("boot_id"), "--cgroup-root", &place("cgroup")]);
    command
}

fn refuse_second_daemon() {
    let second = daemon_of("ada").output().unwrap();
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(!second.status.success() && said.contains("another daemon has the state directory"), "{said}");
}

fn within(node: &str) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/run/netns/{node}")).arg(current_exe().unwrap());
    command
}

fn phalanx(node: &str, arguments: &[&str]) -> std::process::Output {
    let run_dir = format!("{SCRATCH}/{node}/run");
    within(node).args(["phalanx", "--run-dir", &run_dir]).args(arguments).output().unwrap()
}

fn status(node: &str) -> Option<Value> {
    let output = phalanx(node, &["status", "--json"]);
    serde_json::from_slice(&output.stdout).ok().filter(|_| output.status.success())
}

fn members(status: &Value) -> Vec<&str> {
    let nodes = status["nodes"].as_object().into_iter().flatten();
    nodes.filter(|(_, node)| node["member"] == true).map(|(name, _)| name.as_str()).collect()
}
