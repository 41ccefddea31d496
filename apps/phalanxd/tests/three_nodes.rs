//! Three daemons in three network namespaces: they find each other, one is killed, one comes back.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod hosts;

use hosts::{NODES, daemon_of, end, members, phalanx, program, start, status, stop_all, three_nodes};
use phalanx_sandbox::eventually;
use std::process::ExitCode;

fn main() -> ExitCode {
    program(story)
}

fn story() {
    let (mut guards, mut daemons) = three_nodes();
    refuse_second_daemon();

    end(&mut daemons[2]);
    eventually("the other two go on without cyd", || {
        status("ada").is_some_and(|status| members(&status) == ["ada", "bob"] && status["primary"] == true)
    });

    daemons[2] = start("cyd");
    eventually("cyd is back in another life", || {
        status("cyd").is_some_and(|status| members(&status) == NODES && status["primary"] == true)
    });
    let replayed = status("ada").unwrap()["daemon"]["dropped"].to_string();
    assert!(!replayed.contains("forged") && !replayed.contains("twin"), "{replayed}");

    end(&mut guards[0]);
    eventually("without its deadman ada has no lease", || {
        status("ada").is_some_and(|status| status["lease_left"] == 0)
    });

    stop_all(&mut daemons);
    let mute = phalanx("ada", &["status"]);
    assert_eq!(mute.status.code(), Some(3), "no daemon answers");
    guards[1..].iter_mut().for_each(end);
}

fn refuse_second_daemon() {
    let second = daemon_of("ada").output().unwrap();
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(!second.status.success() && said.contains("another daemon has the state directory"), "{said}");
}
