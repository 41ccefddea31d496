//! Applications: from start to every kind of end.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod common;

use common::{EPOCH, Host, permitted, said, with_host};
use phalanx_drivers::Report;
use phalanx_exec::Cgroup;
use phalanx_host::now;
use phalanx_sandbox::eventually;
use phalanx_types::{OperationResult, Span, Verb};
use rustix::process::{Pid, Signal, kill_process};

/// The application `web` whose start command is the shell script `script`; `more` adds keys.
fn with_web(script: &str, more: &str, story: impl FnOnce(Host)) {
    let resources = format!(
        "[group.shop.resource.web]\ntype = \"application\"\nstart = [\"sh\", \"-c\", '''{script}''']\n{more}"
    );
    with_host(&resources, story);
}

const PROCESS: &str = "monitor.alive = { type = \"process\" }";
const STEADY: &str = "echo $$ > /mnt/pid; exec sleep 1000";

fn main_pid() -> Pid {
    Pid::from_raw(said("pid").parse().unwrap()).unwrap()
}

fn main_cgroup(host: &Host) -> Cgroup {
    host.cgroup.child("shop").child("web").child("main")
}

#[test]
fn it_comes_and_goes() {
    with_web(STEADY, PROCESS, |host| {
        host.check_comes_and_goes("web");
        assert_eq!(host.unread(), [], "ends that were asked for are not told");
    });
}

#[test]
fn it_needs_a_permit() {
    with_web(STEADY, "", |host| host.check_needs_a_permit("web"));
}

#[test]
fn it_knows_on_whose_behalf_it_runs() {
    with_web(
        "echo $PHALANX_NODE $PHALANX_GROUP/$PHALANX_RESOURCE $PHALANX_EPOCH > /mnt/who; exec sleep 1000",
        "",
        |host| {
            assert_eq!(host.start("web"), OperationResult::Done);
            assert_eq!(said("who"), format!("ada shop/web {EPOCH}"));
        },
    );
}

#[test]
fn its_end_is_told_with_its_last_words() {
    with_web("echo out of cheese; exit 7", PROCESS, |host| {
        assert_eq!(host.start("web"), OperationResult::Done);
        assert_eq!(host.ended(), "exited with code 7; it last said: out of cheese");
    });
}

#[test]
fn after_its_end_it_is_started_again_in_place() {
    with_web(STEADY, PROCESS, |host| {
        assert_eq!(host.start("web"), OperationResult::Done);
        kill_process(main_pid(), Signal::KILL).unwrap();
        assert_eq!(host.ended(), "was ended by SIGKILL");
        assert_eq!(host.run("web", Verb::Probe), OperationResult::Inactive);
        assert_eq!(host.start("web"), OperationResult::Done);
    });
}

#[test]
fn without_a_process_monitor_its_main_process_may_end() {
    let script = "sleep 1000 & echo $$ > /mnt/pid";
    with_web(script, "monitor.answers = { type = \"custom\", command = [\"true\"] }", |host| {
        assert_eq!(host.start("web"), OperationResult::Done);
        let gone = main_pid();
        eventually("only the daemon is left", || {
            main_cgroup(&host).processes().is_ok_and(|pids| !pids.contains(&gone))
        });
        assert_eq!(host.run("web", Verb::Probe), OperationResult::Active { epoch: Some(EPOCH) });
        assert_eq!(host.run("web", Verb::Stop), OperationResult::Done);
        assert_eq!(host.unread(), []);
    });
}

#[test]
fn a_stop_command_has_its_time_and_then_the_cgroup_is_ended() {
    let deaf = "trap '' TERM; echo $$ > /mnt/pid; while :; do sleep 1000; done";
    with_web(
        deaf,
        "stop = [\"sh\", \"-c\", \"echo $PHALANX_EPOCH > /mnt/stopped\"]\nmonitor.alive = { type = \"process\" }",
        |host| {
            assert_eq!(host.start("web"), OperationResult::Done);
            main_pid();
            let since = now();
            assert_eq!(host.run_within("web", Verb::Stop, Span::from_millis(300)), OperationResult::Done);
            assert!(now().since(since) >= Span::from_millis(300), "it had its time");
            assert_eq!(said("stopped"), EPOCH.to_string());
            assert_eq!(host.run("web", Verb::Probe), OperationResult::Inactive);
            assert_eq!(host.unread(), []);
        },
    );
}

#[test]
fn a_kill_overtakes_a_stop() {
    with_web("trap '' TERM; echo $$ > /mnt/pid; while :; do sleep 1000; done", "", |host| {
        assert_eq!(host.start("web"), OperationResult::Done);
        main_pid();
        let stop = host.begin("web", Verb::Stop, Span::from_secs(600));
        assert_eq!(host.run("web", Verb::Kill), OperationResult::Done);
        assert_eq!(host.answer(stop), OperationResult::Done);
        assert_eq!(host.run("web", Verb::Probe), OperationResult::Inactive);
    });
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let resources = "[group.shop.resource.web]\ntype = \"application\"\nstart = [\"no-such-program\"]";
    with_host(resources, |host| {
        let OperationResult::Failed(why) = host.start("web") else { panic!("it started") };
        assert!(why.starts_with("cannot run no-such-program: No such file"), "{why}");
        assert_eq!(host.run("web", Verb::Probe), OperationResult::Inactive);
        let faults = host.drivers.verify(&"shop".parse().unwrap(), &host.cluster);
        assert_eq!(faults, ["web: there is no program no-such-program"]);
    });
}

#[test]
fn monitors_say_what_is_wrong() {
    let monitors = "monitor.file = { type = \"custom\", command = [\"sh\", \"-c\", \"cat /mnt/well\"], limit = \"1s\" }
         monitor.slow = { type = \"custom\", command = [\"sh\", \"-c\", \"until test -e /mnt/well; do :; done\"], limit = \"300ms\" }";
    with_web(STEADY, monitors, |host| {
        assert_eq!(host.start("web"), OperationResult::Done);
        let OperationResult::Failed(why) = host.run("web", Verb::Monitor) else { panic!("it is not well") };
        assert!(
            why.starts_with("file exited with code 1; it last said: cat: /mnt/well: No such file"),
            "{why}"
        );
        std::fs::write("/mnt/well", "yes").unwrap();
        assert_eq!(host.run("web", Verb::Monitor), OperationResult::Done);
        assert_eq!(host.run("web", Verb::Probe), OperationResult::Active { epoch: Some(EPOCH) });
    });
}

#[test]
fn a_restarted_daemon_takes_it_over() {
    let chatty = "echo $$ > /mnt/pid; while :; do echo still here; read line < /mnt/again; done";
    with_web(chatty, PROCESS, |host| {
        phalanx_sandbox::shell("mkfifo /mnt/again");
        assert_eq!(host.start("web"), OperationResult::Done);
        let main = main_pid();
        let host = host.restarted();
        assert_eq!(host.run("web", Verb::Probe), OperationResult::Active { epoch: Some(EPOCH) });
        phalanx_sandbox::shell("echo > /mnt/again");
        assert_eq!(host.start("web"), OperationResult::Done, "it runs already");
        assert_eq!(main_pid(), main);
        kill_process(main, Signal::KILL).unwrap();
        // In this story the earlier life still listens, and may be the one that reads what it says and hears how it ended.
        let how = host.ended();
        assert!(
            ["ended while nobody watched", "was ended by SIGKILL"].iter().any(|one| how.starts_with(one)),
            "{how}"
        );
    });
}

#[test]
fn a_restarted_daemon_is_told_that_it_ended_meanwhile() {
    with_web("sleep 1000 & echo $$ > /mnt/pid; wait", PROCESS, |host| {
        assert_eq!(host.start("web"), OperationResult::Done);
        let main = main_pid();
        // The record must outlive the end: the earlier life is gone before it.
        let record = std::fs::read("/mnt/run/resources/shop.web.record").unwrap();
        kill_process(main, Signal::KILL).unwrap();
        host.ended();
        std::fs::write("/mnt/run/resources/shop.web.record", record).unwrap();
        let host = host.restarted();
        assert_eq!(host.run("web", Verb::Probe), OperationResult::Active { epoch: Some(EPOCH) });
        assert_eq!(host.ended(), "ended while nobody watched");
        assert_eq!(host.start("web"), OperationResult::Done, "what was left is cleared away first");
        eventually("it runs once", || main_cgroup(&host).processes().unwrap().len() == 2);
        assert_ne!(main_pid(), main);
    });
}

#[test]
fn each_operation_is_answered_once() {
    with_web(STEADY, "", |host| {
        let verbs = [permitted(), Verb::Probe, Verb::Stop, Verb::Kill, Verb::Monitor, Verb::Probe];
        let begun: Vec<_> =
            (0..10).flat_map(|_| verbs.map(|verb| host.begin("web", verb, Span::from_secs(10)))).collect();
        begun.iter().for_each(|id| drop(host.answer(*id)));
        assert_eq!(host.run("web", Verb::Kill), OperationResult::Done);
        eventually("nothing is under way", || host.run("web", Verb::Probe) == OperationResult::Inactive);
        let answers = host.unread();
        assert!(!answers.iter().any(|report| matches!(report, Report::Operated { .. })), "{answers:?}");
    });
}
