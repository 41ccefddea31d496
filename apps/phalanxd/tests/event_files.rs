//! A daemon that is asked to mounts the event file system; a second one on the same host does without and says so; what a killed one
//! left is replaced, and nothing is left by one that ends.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod hosts;

use hosts::{all_in_one_view, daemon_of, end, events, phalanx, program, three_nodes};
use phalanx_sandbox::{SCRATCH, eventually, shell};
use std::fs;
use std::process::{Child, ExitCode};

fn main() -> ExitCode {
    program(story)
}

fn story() {
    let (mut guards, mut daemons) = three_nodes();
    let place = format!("{SCRATCH}/aha");
    fs::create_dir(&place).unwrap();
    let listed = || fs::read_to_string(format!("{place}/evProds.list")).unwrap_or_default();

    end(&mut daemons[2]);
    daemons[2] = start_with("cyd", &place);
    eventually("cyd has mounted it", || listed().contains("modFile\n"));
    end(&mut daemons[1]);
    daemons[1] = start_with("bob", &place);
    all_in_one_view();
    assert!(events("bob").contains("PHX-E014 no event file system"), "{}", events("bob"));
    assert!(!events("cyd").contains("PHX-E014"), "{}", events("cyd"));

    end(&mut daemons[2]);
    assert!(listed().is_empty(), "nobody serves it");
    daemons[2] = start_with("cyd", &place);
    eventually("cyd has mounted it anew", || listed().contains("modFile\n"));
    all_in_one_view();

    assert!(phalanx("cyd", &["node", "stop"]).status.success());
    assert!(daemons[2].wait().unwrap().success());
    assert!(!shell("cat /proc/self/mountinfo").contains("phalanx-aha"), "nothing is left");
    daemons[..2].iter_mut().chain(&mut guards).for_each(end);
}

fn start_with(node: &str, place: &str) -> Child {
    daemon_of(node).args(["--aha", place]).spawn().unwrap()
}
