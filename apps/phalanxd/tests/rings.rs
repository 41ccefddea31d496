//! Three daemons that watch each other along rings: the leader of both is killed, the others go on, it comes back.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod hosts;

use hosts::{all_in_one_view, end, members, program, start, status, stop_all, three_nodes_under};
use phalanx_sandbox::eventually;
use std::process::ExitCode;

fn main() -> ExitCode {
    program(story)
}

fn story() {
    let (mut guards, mut daemons) = three_nodes_under("ring");

    end(&mut daemons[2]);
    eventually("the other two go on without cyd, whose addresses are the highest", || {
        status("ada").is_some_and(|status| members(&status) == ["ada", "bob"] && status["primary"] == true)
    });
    for node in ["ada", "bob"] {
        assert!(status(node).unwrap()["lease_left"].as_u64() > Some(0), "{node} has a lease");
    }

    daemons[2] = start("cyd");
    all_in_one_view();

    stop_all(&mut daemons);
    guards.iter_mut().for_each(end);
}
