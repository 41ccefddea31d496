//! Two daemons and a tie-breaker. One is killed, and the other goes on alone; they meet again; while the file server is away
//! nobody goes on alone.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod hosts;

use hosts::{end, events, in_one_view, lay_networks, members, program, run, start, status};
use phalanx_sandbox::{SCRATCH, eventually, shell};
use std::process::ExitCode;

const NODES: [&str; 2] = ["ada", "bob"];
const FILE: &str = r#"
schema = 1
cluster = { name = "pair", tie-breaker = "server" }
[node]
ada = { address = { client = "10.11.0.1", back = "fd00:11::1" } }
bob = { address = { client = "10.11.0.2", back = "fd00:11::2" } }
[network]
client = { subnet = "10.11.0.0/24" }
back = { subnet = "fd00:11::/64", service = false }
[tie-breaker]
server = { type = "nfs", directory = "DIRECTORY" }
"#;

fn main() -> ExitCode {
    program(story)
}

fn story() {
    lay_networks();
    let directory = format!("{SCRATCH}/mounted");
    shell(&format!("mkdir -p {SCRATCH}/server {directory}"));
    mount(&directory);
    let (mut guards, mut daemons) = run(&NODES, &FILE.replace("DIRECTORY", &directory));

    end(&mut daemons[1]);
    eventually("ada goes on alone", || is_primary("ada", &["ada"]));
    assert!(
        events("ada").contains("PHX-E010 the tie-breaker is won: ada goes on alone"),
        "{}",
        events("ada")
    );
    assert!(status("ada").unwrap()["lease_left"].as_u64() > Some(0));

    daemons[1] = start("bob");
    in_one_view(&NODES);
    eventually("both decide together again", || {
        NODES.iter().all(|node| events(node).contains("a majority of all nodes decides"))
    });

    shell(&format!("umount -l {directory}"));
    end(&mut daemons[0]);
    eventually("bob asks in vain", || events("bob").contains("PHX-E012 the tie-breaker does not answer"));
    assert!(!is_primary("bob", &["bob"]));
    mount(&directory);
    eventually("bob goes on once it answers", || is_primary("bob", &["bob"]));

    daemons[1..].iter_mut().chain(&mut guards).for_each(end);
    shell(&format!("umount -l {directory}"));
}

fn mount(directory: &str) {
    shell(&format!("bindfs {SCRATCH}/server {directory}"));
}

fn is_primary(node: &str, of: &[&str]) -> bool {
    status(node).is_some_and(|status| status["primary"] == true && members(&status) == of)
}
