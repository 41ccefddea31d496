//! Ctrl-C ends the laboratory: at once, without a word, as shells expect it, and nothing stays.

use phalanx_lab::preflight;
use phalanx_sandbox::{SCRATCH, alone, shell};
use rustix::process::{Pid, Signal, kill_process_group};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// A demo that comes no further than its first words: the first tool that it calls never ends.
fn demo_that_hangs() -> Child {
    shell(&format!("mkdir -p {SCRATCH}/bin {SCRATCH}/tmp"));
    shell(&format!("printf '#!/bin/sh\\nexec sleep 1000\\n' > {SCRATCH}/bin/ip; chmod +x {SCRATCH}/bin/ip"));
    let path = std::env::var("PATH").expect("there is a path");
    Command::new(env!("CARGO_BIN_EXE_phalanx-lab"))
        .arg("demo")
        .env("PATH", format!("{SCRATCH}/bin:{path}"))
        .env("TMPDIR", format!("{SCRATCH}/tmp"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .expect("the laboratory can be run")
}

#[test]
fn ctrl_c_ends_all_of_it_without_a_word() {
    alone(|| {
        if let Some(obstacle) = preflight::obstacle() {
            return eprintln!("skipped: {obstacle}");
        }
        let mut demo = demo_that_hangs();
        let told = BufReader::new(demo.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut rest = told.skip_while(|line| !line.contains("three hosts"));
        rest.next().expect("the demo begins");
        kill_process_group(Pid::from_child(&demo), Signal::INT).unwrap();
        assert_eq!(rest.next(), None, "all that wrote there is gone");
        let mut complaints = String::new();
        demo.stderr.take().unwrap().read_to_string(&mut complaints).unwrap();
        assert_eq!((demo.wait().unwrap().code(), complaints.as_str()), (Some(130), ""));
        assert_eq!(fs::read_dir(format!("{SCRATCH}/tmp")).unwrap().count(), 0, "no work directory");
        assert_eq!(shell("pgrep -x sleep || true"), "", "no process");
    });
}
