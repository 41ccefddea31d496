//! A daemon that is asked to mounts the event file system; a second one on the same host does without and says so; what a killed one
//! left is replaced, and nothing is left by one that ends.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod hosts;

use hosts::{all_in_one_view, daemon_of, end, events, phalanx, program, start, three_nodes};
use phalanx_sandbox::{SCRATCH, eventually, shell};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
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

    let watch = |producer: &str| {
        let path = format!("{place}/cluster/{producer}.monFactory/{producer}Event.mon");
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).unwrap();
        file.write_all(b"CHANGED=YES").unwrap();
        // What happens from now on is told.
        assert_eq!(polled(&file, Some(&Timespec::default())), PollFlags::empty());
        file
    };
    let (mut nodes, mut quorum) = (watch("nodeState"), watch("quorumState"));
    end(&mut daemons[1]);
    let told = next(&mut nodes);
    assert!(told.contains("\nRC_FROM_EVPROD=0\nBEGIN_EVPROD_INFO\nEVENT_TYPE=NODE_DOWN\nNODE_NUMBER=2\nNODE_ID=0x2\nCLUSTER_ID=0x"), "{told}");
    end(&mut daemons[0]);
    assert!(next(&mut nodes).contains("EVENT_TYPE=NODE_DOWN\nNODE_NUMBER=1\n"));
    assert!(next(&mut quorum).contains("EVENT_TYPE=QUORUM_DOWN\nNODE_NUMBER=3\n"));
    daemons[0] = start("ada");
    assert!(next(&mut nodes).contains("EVENT_TYPE=NODE_UP\nNODE_NUMBER=1\n"));
    assert!(next(&mut quorum).contains("EVENT_TYPE=QUORUM_UP\n"));
    daemons[1] = start("bob");
    all_in_one_view();
    drop((nodes, quorum));

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

/// What poll says; without a limit it waits as long as it takes.
fn polled(file: &File, limit: Option<&Timespec>) -> PollFlags {
    let mut one = [PollFd::new(file, PollFlags::IN)];
    poll(&mut one, limit).unwrap();
    one[0].revents()
}

fn next(file: &mut File) -> String {
    assert_eq!(polled(file, None), PollFlags::IN);
    let mut bytes = [0; 4_096];
    let count = file.read(&mut bytes).unwrap();
    String::from_utf8(bytes[..count].to_vec()).unwrap()
}

fn start_with(node: &str, place: &str) -> Child {
    daemon_of(node).args(["--aha", place]).spawn().unwrap()
}
