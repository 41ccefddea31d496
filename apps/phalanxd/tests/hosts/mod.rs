//! What the stories of daemons share: hosts in network namespaces, the programs that run on them, and how to ask them.
//!
//! The test's own binary is also the programs that it starts, by its first argument, so that nothing else need be built.

#![allow(dead_code, reason = "what the stories share is more than each of them needs")]

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

pub const NODES: [&str; 3] = ["ada", "bob", "cyd"];
const FILE: &str = r#"
schema = 1
cluster = { name = "demo" }
[node]
ada = { address = { client = "10.11.0.1", back = "fd00:11::1" } }
bob = { address = { client = "10.11.0.2", back = "fd00:11::2" } }
cyd = { address = { client = "10.11.0.3", back = "fd00:11::3" } }
[network]
client = { subnet = "10.11.0.0/24", targets = ["10.11.0.254"] }
back = { subnet = "fd00:11::/64", service = false }
"#;

/// Runs the story, or one of the programs in it.
pub fn program<F: FnOnce()>(story: F) -> ExitCode {
    let arguments: Vec<OsString> = args_os().skip(1).collect();
    match arguments.first().and_then(|first| first.to_str()) {
        Some("phalanx") => phalanx::main(arguments),
        Some("phalanxd") => daemon(arguments),
        Some("deadman") => stub_deadman(Path::new(&arguments[1])),
        Some("--list") => list(&arguments),
        Some(_) | None => {
            alone(story);
            ExitCode::SUCCESS
        }
    }
}

/// What a runner of tests wants to know of this one before it runs it.
fn list(arguments: &[OsString]) -> ExitCode {
    if !arguments.iter().any(|argument| argument == "--ignored") {
        println!("story: test");
    }
    ExitCode::SUCCESS
}

/// Lays the networks, makes the cluster, and starts deadmen and daemons.
pub fn three_nodes() -> (Vec<Child>, Vec<Child>) {
    three_nodes_under("mesh")
}

/// The same, watching each other in this way.
pub fn three_nodes_under(monitoring: &str) -> (Vec<Child>, Vec<Child>) {
    three_nodes_with(&format!("monitoring = \"{monitoring}\""))
}

/// The same with these keys more in `[cluster]`.
pub fn three_nodes_with(keys: &str) -> (Vec<Child>, Vec<Child>) {
    lay_networks();
    let named = format!("name = \"demo\", {keys}");
    run_all(&FILE.replace("name = \"demo\"", &named))
}

/// Makes the cluster of this file on networks that are laid, and starts deadmen and daemons.
pub fn run_all(file: &str) -> (Vec<Child>, Vec<Child>) {
    run(&NODES, file)
}

/// The same on some of the hosts, those that the file has.
pub fn run(nodes: &[&str], file: &str) -> (Vec<Child>, Vec<Child>) {
    settle(nodes, file);
    let guards = nodes.iter().map(|node| guard(node)).collect();
    let daemons = nodes.iter().map(|node| start(node)).collect();
    in_one_view(nodes);
    (guards, daemons)
}

pub fn all_in_one_view() {
    in_one_view(&NODES);
}

pub fn in_one_view(nodes: &[&str]) {
    eventually("all are in one primary view, and each has a lease", || {
        let all = nodes.iter().map(|node| status(node)).collect::<Option<Vec<Value>>>();
        all.is_some_and(|all| {
            all.iter().all(|status| {
                status["view"] == all[0]["view"]
                    && members(status) == nodes
                    && status["primary"] == true
                    && status["lease_left"].as_u64() > Some(0)
            })
        })
    });
}

fn daemon(arguments: Vec<OsString>) -> ExitCode {
    match phalanxd::run(phalanxd::Settings::parse_from(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            error.exit_code()
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

pub fn lay_networks() {
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

/// Hosts become the nodes of one cluster: one makes it, the others join by its invitation.
fn settle(nodes: &[&str], text: &str) {
    let file = format!("{SCRATCH}/demo.toml");
    let invitation = format!("{SCRATCH}/demo.invitation");
    fs::write(&file, text).unwrap();
    for node in nodes.iter().copied() {
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

pub fn guard(node: &str) -> Child {
    within(node).args(["deadman", &format!("{SCRATCH}/{node}/run/deadman.sock")]).spawn().unwrap()
}

pub fn start(node: &str) -> Child {
    daemon_of(node).spawn().unwrap()
}

pub fn daemon_of(node: &str) -> Command {
    let mut command = within(node);
    let place = |name: &str| format!("{SCRATCH}/{node}/{name}");
    command.args(["phalanxd", "--state-dir", &place("state"), "--run-dir", &place("run")]);
    command.args(["--boot-id-file", &place("boot_id"), "--cgroup-root", &place("cgroup")]);
    command
}

/// Stops each node in good order; its daemon ends well.
pub fn stop_all(daemons: &mut [Child]) {
    for (node, daemon) in NODES.iter().zip(daemons) {
        let stopped = phalanx(node, &["node", "stop"]);
        assert!(stopped.status.success(), "{node}: {}", String::from_utf8_lossy(&stopped.stderr));
        assert!(daemon.wait().unwrap().success(), "{node} ends well");
    }
}

/// Ends a program at once, as if it had been killed.
pub fn end(child: &mut Child) {
    child.kill().and_then(|()| child.wait()).unwrap();
}

pub fn within(node: &str) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/run/netns/{node}")).arg(current_exe().unwrap());
    command
}

pub fn phalanx(node: &str, arguments: &[&str]) -> std::process::Output {
    let run_dir = format!("{SCRATCH}/{node}/run");
    within(node).args(["phalanx", "--run-dir", &run_dir]).args(arguments).output().unwrap()
}

pub fn status(node: &str) -> Option<Value> {
    let output = phalanx(node, &["status", "--json"]);
    serde_json::from_slice(&output.stdout).ok().filter(|_| output.status.success())
}

pub fn events(node: &str) -> String {
    String::from_utf8_lossy(&phalanx(node, &["events", "-n", "500"]).stdout).into_owned()
}

pub fn members(status: &Value) -> Vec<&str> {
    let nodes = status["nodes"].as_object().into_iter().flatten();
    nodes.filter(|(_, node)| node["member"] == true).map(|(name, _)| name.as_str()).collect()
}
