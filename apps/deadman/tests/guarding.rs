//! The deadman against the real kernel: real cgroups, addresses and mounts, in namespaces of the story's own.
//!
//! No story here can take down the machine it runs on: the only actions used are a program that leaves a mark, and
//! lab-reset, which refuses to act outside a PID namespace of its own.
#![allow(clippy::unwrap_used, reason = "a test may")]

use phalanx_exec::{Cgroup, Identity, Job, Process};
use phalanx_host::now;
use phalanx_lifeline::{HeldAddress, HeldFileSystem, Hold, Lifeline, LifelineError};
use phalanx_sandbox::{CgroupGuard, Disk, alone, eventually, shell};
use phalanx_types::{NodeId, OwnershipEpoch, Span, Tick, ViewId};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

const SOCKET: &str = "/mnt/deadman.sock";
const DEADMAN: &str = env!("CARGO_BIN_EXE_phalanx-deadman");
/// The action of the stories leaves this mark instead of taking anything down.
const MARK: &str = "/mnt/host-is-down";

/// A deadman, its daemon, and a group with a process, an address and a file system.
struct Stage {
    deadman: Child,
    daemon: Lifeline,
    cgroup: Cgroup,
    disk: Disk,
}

fn with_stage(story: impl FnOnce(Stage)) {
    alone(|| {
        let cgroup = Cgroup::root(&format!("phalanx-test-{}", now().0)).unwrap();
        let _guard = CgroupGuard(cgroup.path());
        shell(&format!("printf '#!/bin/sh\\necho down > {MARK}\\n' > /mnt/act && chmod +x /mnt/act"));
        shell("ip link add client type veth peer name wire && ip link set client up");
        shell("ip address add 10.11.0.100/24 dev client && ip address add fd00:11::100/64 dev client nodad");
        let disk = Disk::ext4("shop", 8);
        shell(&format!("mkdir /mnt/shop && mount {} /mnt/shop", disk.device().display()));
        let deadman = begin(&["--action", "exec", "/mnt/act"]);
        let daemon = connect();
        story(Stage { deadman, daemon, cgroup: cgroup.clone(), disk });
    });
}

fn begin(arguments: &[&str]) -> Child {
    Command::new(DEADMAN)
        .args(["--socket", SOCKET])
        .args(arguments)
        .stderr(fs::File::create("/mnt/said").unwrap())
        .spawn()
        .unwrap()
}

fn connect() -> Lifeline {
    eventually("it listens", || Lifeline::connect(Path::new(SOCKET), Span::from_secs(5)).is_ok());
    let mut daemon = Lifeline::connect(Path::new(SOCKET), Span::from_secs(5)).unwrap();
    daemon.hello().unwrap();
    daemon
}

fn said() -> String {
    fs::read_to_string("/mnt/said").unwrap()
}

fn soon(millis: u64) -> Tick {
    now() + Span::from_millis(millis)
}

impl Stage {
    fn hold(&self) -> Hold {
        let (device, mount, format) =
            (self.disk.device().to_str().unwrap().into(), "/mnt/shop".into(), "ext4".into());
        Hold {
            group: "shop".parse().unwrap(),
            cgroup: self.cgroup.child("shop").path().to_str().unwrap().into(),
            file_systems: vec![HeldFileSystem { device, mount, format }],
            addresses: ["10.11.0.100", "fd00:11::100"]
                .map(|text| HeldAddress { address: text.parse().unwrap() })
                .into(),
        }
    }

    /// Runs a shell script in the group's cgroup, with its feet in the file system.
    fn run(&self, script: &str) -> Process {
        let script = format!("cd /mnt/shop; {script}");
        let command = ["sh", "-c", &script].map(String::from);
        let [cluster, node, group, resource] = ["demo", "ada", "shop", "web"].map(String::from);
        let view = ViewId { counter: 4, coordinator: NodeId(1) };
        let identity = Identity { cluster, node, group, resource, epoch: OwnershipEpoch(9), view };
        let cgroup = &self.cgroup.child("shop").child("web");
        let process = Job { command: &command, cgroup, identity: &identity, clearance: None, user: None }
            .spawn()
            .unwrap();
        eventually("it is ready", || Path::new("/mnt/shop/ready").exists());
        process
    }

    /// Feeds a lease of `millis` and has the group guarded.
    fn guard_for(&mut self, millis: u64, budget: u64) -> Tick {
        let until = soon(millis);
        self.daemon.feed(until, Span::from_millis(budget)).unwrap();
        self.daemon.hold(self.hold()).unwrap();
        until
    }

    /// Nothing of the group is here, the host stands, and the deadman says so.
    fn check_stood_down(&self) {
        eventually("it stands down", || said().contains("nothing is held any more; standing down"));
        assert!(!self.cgroup.is_populated().unwrap());
        let addresses = shell("ip address");
        assert!(!addresses.contains("10.11.0.100") && !addresses.contains("::100"), "an address is left");
        assert!(!shell("cat /proc/mounts").contains("/mnt/shop"), "a mount is left");
        assert!(!Path::new(MARK).exists(), "the host was taken down");
    }
}

const OBEDIENT: &str = "trap 'echo asked > /mnt/asked; exit' TERM; touch ready; while :; do sleep 0.01; done";
const STUBBORN: &str = "trap '' TERM; touch ready; while :; do sleep 1000; done";

#[test]
fn a_daemon_that_dies_has_its_groups_ended_in_order() {
    with_stage(|mut stage| {
        let _process = stage.run(OBEDIENT);
        let until = stage.guard_for(3_000, 2_800);
        let Stage { daemon, .. } = stage;
        drop(daemon);
        let stage = Stage { daemon: connect_silently(), ..stage };
        stage.check_stood_down();
        assert!(Path::new("/mnt/asked").exists(), "it was not asked first");
        assert!(now() < until, "it took the whole lease");
        assert!(said().contains("the daemon is gone (held: shop)"));
        assert!(
            said()
                .contains("the daemon is gone and its lease runs low: asking its groups to end (held: shop)")
        );
    });
}

/// A connection that never says hello: no daemon.
fn connect_silently() -> Lifeline {
    Lifeline::connect(Path::new(SOCKET), Span::from_secs(5)).unwrap()
}

#[test]
fn one_that_does_not_end_when_asked_is_killed() {
    with_stage(|mut stage| {
        let _process = stage.run(STUBBORN);
        stage.guard_for(3_000, 2_800);
        stage.daemon = connect_silently();
        stage.check_stood_down();
    });
}

#[test]
fn a_daemon_that_falls_silent_has_its_groups_killed() {
    with_stage(|mut stage| {
        let _process = stage.run(OBEDIENT);
        stage.guard_for(2_500, 2_000);
        stage.check_stood_down();
        assert!(!Path::new("/mnt/asked").exists(), "there was no time to ask");
        assert!(
            said()
                .contains("the lease runs low and was not renewed: ending the daemon's groups (held: shop)")
        );
    });
}

#[test]
fn what_cannot_be_let_go_of_takes_the_host_down_at_the_lease_end_and_not_before() {
    with_stage(|mut stage| {
        // This process is init here, and init is never ended.
        let open = fs::File::create("/mnt/shop/file").unwrap();
        let until = stage.guard_for(600, 400);
        eventually("the host is taken down", || {
            let down = Path::new(MARK).exists();
            assert!(!down || now() >= until, "it was taken down too early");
            down
        });
        eventually("it says so", || said().contains("taking the host down (held: shop)"));
        assert!(!said().contains("standing down"));
        drop(open);
        eventually("it goes on letting go", || said().contains("standing down"));
    });
}

#[test]
fn a_daemon_that_feeds_keeps_its_groups() {
    with_stage(|mut stage| {
        let mut process = stage.run(OBEDIENT);
        stage.guard_for(1_500, 200);
        let end = soon(2_500);
        while now() < end {
            stage.daemon.feed(soon(1_500), Span::from_millis(200)).unwrap();
        }
        assert!(process.wait(now()).is_none(), "it was ended although its lease ran");
        stage.daemon.drop_group("shop".parse().unwrap()).unwrap();
        eventually("the lease is over", || now() > end + Span::from_millis(1_600));
        assert!(process.wait(now()).is_none(), "it was ended although it was dropped");
    });
}

#[test]
fn a_lease_end_on_the_slate_is_accepted_unasked_and_only_then_relied_on() {
    with_stage(|mut stage| {
        let (mut process, slate) = (stage.run(OBEDIENT), stage.daemon.take_slate().unwrap());
        let budget = Span::from_millis(1_000);
        slate.write(soon(2_000), budget);
        assert_eq!(slate.accepted(), Tick::ZERO, "nobody has looked");
        stage.guard_for(2_000, 1_000);
        let until = soon(4_000);
        slate.write(until, budget);
        eventually("the deadman looks of its own accord", || slate.accepted() == until);
        slate.write(now().before(Span::from_secs(1)), budget);
        eventually("the first lease is over", || now() > until.before(Span::from_millis(1_500)));
        assert_eq!(slate.accepted(), until, "one that is past is not accepted");
        assert!(process.wait(now()).is_none(), "its lease ran");
        eventually("it was ended when that ran low", || process.wait(now()).is_some());
        stage.check_stood_down();
    });
}

#[test]
fn a_deadman_that_hangs_is_seen_on_the_slate_although_no_lease_is_renewed() {
    with_stage(|mut stage| {
        let slate = stage.daemon.take_slate().unwrap();
        let (until, budget) = (soon(60_000), Span::from_millis(50));
        slate.write(until, budget);
        stage.daemon.feed(until, budget).unwrap();
        let signal = |name: &str| shell(&format!("kill -{name} {}", stage.deadman.id()));
        signal("STOP");
        eventually("it is missed", || slate.silence(now()).is_some_and(|silence| silence > budget * 2));
        signal("CONT");
        eventually("it looks again", || slate.silence(now()).is_none());
    });
}

#[test]
fn a_slate_of_an_earlier_hello_is_looked_at_no_more() {
    with_stage(|mut stage| {
        let (slate, until) = (stage.daemon.take_slate().unwrap(), stage.guard_for(30_000, 100));
        let mut newer = connect();
        let next = newer.take_slate().unwrap();
        slate.write(soon(60_000), Span::from_millis(100));
        newer.feed(until, Span::from_millis(100)).unwrap();
        next.write(soon(30_000), Span::from_millis(100));
        newer.feed(next.read(now()).unwrap().0, Span::from_millis(100)).unwrap();
        assert_ne!(next.accepted(), Tick::ZERO);
        assert_eq!(slate.accepted(), Tick::ZERO);
    });
}

#[test]
fn a_daemon_that_comes_back_in_time_is_told_what_is_held() {
    with_stage(|mut stage| {
        let mut process = stage.run(OBEDIENT);
        let until = stage.guard_for(30_000, 1_000);
        let mut newer = connect_silently();
        assert_eq!(newer.hello().unwrap(), (until, vec!["shop".parse().unwrap()]));
        newer.feed(soon(60_000), Span::from_secs(1)).unwrap();
        let refused = LifelineError::Refused("say hello first; another daemon may have done so since".into());
        assert_eq!(stage.daemon.feed(soon(60_000), Span::from_secs(1)), Err(refused));
        assert!(process.wait(now()).is_none());
    });
}

#[test]
fn nothing_is_guarded_before_a_valid_feed() {
    with_stage(|mut stage| {
        let mut process = stage.run(OBEDIENT);
        let refused = |why: &str| Err(LifelineError::Refused(why.into()));
        assert_eq!(stage.daemon.hold(stage.hold()), refused("no lease was fed that still runs"));
        assert_eq!(stage.daemon.feed(now(), Span::from_secs(1)), refused("that lease is over"));
        assert_eq!(stage.daemon.feed(Tick::NEVER, Span::from_secs(1)), refused("no lease is that long"));
        assert_eq!(stage.daemon.hold(stage.hold()), refused("no lease was fed that still runs"));
        stage.daemon = connect_silently();
        shell(&format!("kill -TERM {}", stage.deadman.id()));
        assert!(stage.deadman.wait().unwrap().success());
        assert!(process.wait(now()).is_none() && !Path::new(MARK).exists());
    });
}

#[test]
fn asked_to_exit_it_stays_until_nothing_is_held() {
    with_stage(|mut stage| {
        stage.guard_for(60_000, 1_000);
        shell(&format!("kill -TERM {}", stage.deadman.id()));
        eventually("it has heard", || said().contains("asked to exit: will exit when nothing is held"));
        assert!(stage.deadman.try_wait().unwrap().is_none());
        stage.daemon.drop_group("shop".parse().unwrap()).unwrap();
        assert!(stage.deadman.wait().unwrap().success());
        assert!(!Path::new(SOCKET).exists());
        assert_eq!(stage.daemon.hello().unwrap_err().to_string(), "the deadman is gone");
    });
}

#[test]
fn there_is_one_deadman_and_it_replaces_a_dead_one() {
    with_stage(|mut stage| {
        let second = run(&["--socket", SOCKET, "--action", "exec", "/mnt/act"]);
        assert_eq!(second.status.code(), Some(1));
        assert!(
            String::from_utf8_lossy(&second.stderr)
                .contains("cannot listen on /mnt/deadman.sock: Address already in use")
        );
        stage.deadman.kill().and_then(|()| stage.deadman.wait()).unwrap();
        assert!(Path::new(SOCKET).exists());
        let mut third = begin(&["--action", "exec", "/mnt/act"]);
        eventually("the next one listens", || said().contains("ready on /mnt/deadman.sock; nothing is held"));
        assert_eq!(connect().hello().unwrap(), (Tick::ZERO, Vec::new()));
        third.kill().and_then(|()| third.wait()).unwrap();
    });
}

#[test]
fn it_runs_in_real_time_and_in_memory_where_it_may() {
    with_stage(|stage| {
        eventually("it is ready", || said().contains("ready on"));
        let status = fs::read_to_string(format!("/proc/{}/status", stage.deadman.id())).unwrap();
        let locked = status.lines().find(|line| line.starts_with("VmLck")).unwrap();
        assert!(said().contains("cannot lock its memory") || !locked.contains(" 0 kB"), "{locked}");
        let stat = fs::read_to_string(format!("/proc/{}/stat", stage.deadman.id())).unwrap();
        let policy = stat.split_whitespace().nth(40).unwrap();
        assert!(
            said().contains("cannot run in real time") || policy == "2",
            "SCHED_RR is 2, this is {policy}"
        );
    });
}

#[test]
fn a_watchdog_that_is_none_guards_nothing() {
    alone(|| {
        shell("printf '#!/bin/sh\\n' > /mnt/act && chmod +x /mnt/act && touch /mnt/watchdog");
        let missing = run(&["--socket", SOCKET, "--action", "exec", "/mnt/act", "--watchdog", "/mnt/none"]);
        assert_eq!(missing.status.code(), Some(2));
        let mut deadman = begin(&["--action", "exec", "/mnt/act", "--watchdog", "/mnt/watchdog"]);
        let mut daemon = connect();
        daemon.feed(soon(60_000), Span::from_secs(1)).unwrap();
        let (group, cgroup) = ("shop".parse().unwrap(), "/none".into());
        let error = daemon
            .hold(Hold { group, cgroup, file_systems: vec![], addresses: vec![] })
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("the deadman refuses: the watchdog cannot be armed: "), "{error}");
        deadman.kill().and_then(|()| deadman.wait()).unwrap();
    });
}

fn run(arguments: &[&str]) -> Output {
    Command::new(DEADMAN).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// The inode of the initial PID namespace on every kernel.
fn is_initial() -> bool {
    fs::metadata("/proc/self/ns/pid").unwrap().ino() == 0xefff_fffc
}

#[test]
fn lab_reset_refuses_the_hosts_own_pid_namespace() {
    if !is_initial() {
        return eprintln!("skipped: this is not the host's own PID namespace");
    }
    let directory = std::env::temp_dir().join(format!("deadman-{}.sock", std::process::id()));
    let refused = run(&["--socket", directory.to_str().unwrap(), "--action", "lab-reset"]);
    assert_eq!(refused.status.code(), Some(2));
    let why =
        "phalanx-deadman: lab-reset is for laboratories: it refuses to act in the host's own PID namespace\n";
    assert_eq!(String::from_utf8_lossy(&refused.stderr), why);
    assert!(!directory.exists(), "it has not even begun to listen");
}

#[test]
fn panic_refuses_a_laboratory() {
    alone(|| {
        assert!(!is_initial());
        let refused = run(&["--socket", SOCKET, "--action", "panic"]);
        assert_eq!(refused.status.code(), Some(2));
        assert!(
            String::from_utf8_lossy(&refused.stderr)
                .contains("panic would crash the kernel of the whole host")
        );
    });
}

#[test]
fn lab_reset_ends_the_laboratory_and_nothing_else() {
    with_stage(|mut stage| {
        assert!(!is_initial());
        stage.deadman.kill().and_then(|()| stage.deadman.wait()).unwrap();
        let script = format!("{DEADMAN} --socket {SOCKET} --action lab-reset 2>/mnt/said & sleep 1000");
        let mut laboratory = Command::new("unshare")
            .args(["--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", &script])
            .spawn()
            .unwrap();
        eventually("it is ready", || said().contains("ready on"));
        stage.daemon = connect();
        // Held by us, and we are not in the laboratory: it cannot let go of it.
        let _open = fs::File::create("/mnt/shop/file").unwrap();
        let until = stage.guard_for(400, 300);
        let status = laboratory.wait().unwrap();
        assert!(now() >= until, "it was reset too early");
        assert_eq!(status.signal(), Some(1), "a PID namespace that restarts ends with SIGHUP: {status}");
        assert!(is_alive(std::process::id()), "and we are still here");
    });
}

fn is_alive(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[test]
fn it_says_what_it_is() {
    let help = String::from_utf8(run(&["--help"]).stdout).unwrap();
    for word in
        ["USAGE", "DESCRIPTION", "ACTIONS", "OPTIONS", "SIGNALS", "EXIT CODES", "lab-reset", "stop budget"]
    {
        assert!(help.contains(word), "{word}");
    }
    assert!(help.lines().all(|line| line.len() <= 80));
    assert!(run(&["--version"]).stdout.starts_with(b"phalanx-deadman "));
    assert_eq!(run(&["--what"]).status.code(), Some(2));
}
