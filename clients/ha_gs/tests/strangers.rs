//! Two programs that were written from IBM's published pages by somebody who had not seen our header: a voting provider on each of
//! three hosts that counts with the others, and a subscriber that watches them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../../../apps/phalanxd/tests/hosts/mod.rs"]
mod hosts;

mod c;

use c::{compile, install_library};
use hosts::{NODES, program, three_nodes};
use phalanx_sandbox::SCRATCH;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};

/// How far they count.
const COUNT: &str = "5";

fn main() -> ExitCode {
    program(story)
}

fn story() {
    install_library();
    let (counter, watcher) = (compile("strangers/counter.c"), compile("strangers/watcher.c"));
    let (mut guards, mut daemons) = three_nodes();
    let count = |at: usize| start(&counter, NODES[at], &[&(at + 1).to_string(), COUNT]);
    // They begin to count when the third has come, and are soon done: the watcher is to be there before.
    let mut counting = vec![count(0), count(1)];
    let mut watching = start(&watcher, NODES[1], &[COUNT]);
    let mut watched = BufReader::new(watching.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(watched.next().is_some(), "it sees the group");
    counting.push(count(2));
    let states: Vec<String> = (1..=5).map(|number| format!("state {number}")).collect();
    for counter in counting {
        let said = end(counter);
        let heard: Vec<&str> = said.lines().filter(|line| line.starts_with("state ")).collect();
        assert_eq!(heard, states, "{said}");
        assert!(said.contains("joined members=3"), "{said}");
    }
    let watched: Vec<String> = watched.collect();
    end(watching);
    assert!(watched.iter().any(|line| line == "state 5"), "{watched:?}");
    assert!(watched.iter().any(|line| line == "members=3"), "{watched:?}");
    let everybody = guards.iter_mut().chain(&mut daemons);
    everybody.for_each(|child| child.kill().and_then(|()| child.wait().map(drop)).unwrap());
}

fn start(program: &Path, node: &str, arguments: &[&str]) -> Child {
    let mut command = Command::new(program);
    command.env("PHALANX_RUN_DIR", format!("{SCRATCH}/{node}/run")).env("LD_LIBRARY_PATH", SCRATCH);
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// What it said until it ended well, by itself.
fn end(program: Child) -> String {
    let output = program.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}
