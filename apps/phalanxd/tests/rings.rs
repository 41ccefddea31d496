//! Three daemons that watch each other along rings: the leader of both is killed, the others go on, it comes back.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(dead_code, reason = "what the stories share is more than each of them needs")]

mod hosts;

use hosts::{NODES, all_in_one_view, members, phalanx, program, start, status, three_nodes_under};
use phalanx_sandbox::eventually;
use std::process::ExitCode;

fn main() -> ExitCode {
    program(story)
}

fn story() {
    let (mut guards, mut daemons) = three_nodes_under("ring");

    daemons[2].kill().and_then(|()| daemons[2].wait()).unwrap();
    eventually("the other two go on without cyd, whose addresses are the highest", || {
        status("ada").is_some_and(|status| members(&status) == ["ada", "bob"] && status["primary"] == true)
    });
    for node in ["ada", "bob"] {
        assert!(status(node).unwrap()["lease_left"].as_u64() > Some(0), "{node} has a lease");
    }

    daemons[2] = start("cyd");
    all_in_one_view();

    for (node, daemon) in NODES.iter().zip(&mut daemons) {
        let stopped = phalanx(node, &["node", "stop"]);
        assert!(stopped.status.success(), "{node}: {}", String::from_utf8_lossy(&stopped.stderr));
        assert!(daemon.wait().unwrap().success(), "{node} ends well");
    }
    guards.iter_mut().for_each(|guard| guard.kill().and_then(|()| guard.wait().map(drop)).unwrap());
}
