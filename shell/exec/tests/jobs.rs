//! Jobs against the real kernel: how they end, what they see, what is left of them.
#![allow(clippy::unwrap_used, reason = "a test may")]

use phalanx_exec::{Cgroup, Clearance, Ending, Finished, Identity, Job, Permits, SpawnError, User};
use phalanx_host::now;
use phalanx_sandbox::{CgroupGuard, alone, eventually};
use phalanx_types::{NodeId, OwnershipEpoch, Permit, Span, Tick, ViewId};

const VIEW: ViewId = ViewId { counter: 4, coordinator: NodeId(1) };

fn identity() -> Identity {
    let [cluster, node, group, resource] = ["demo", "ada", "shop", "web"].map(String::from);
    Identity { cluster, node, group, resource, epoch: OwnershipEpoch(9), view: VIEW }
}

fn with_cgroup(story: impl FnOnce(&Cgroup)) {
    let root = Cgroup::root(&format!("phalanx-test-{}", now().0)).unwrap();
    let guard = CgroupGuard(root.path());
    story(&root.child("shop").child("web"));
    drop(guard);
    assert!(!root.path().exists());
}

fn argv(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Runs a shell script with two seconds to do it in.
fn run(cgroup: &Cgroup, script: &str) -> Finished {
    run_within(cgroup, script, Span::from_secs(2))
}

fn run_within(cgroup: &Cgroup, script: &str, limit: Span) -> Finished {
    let (command, identity) = (argv(&["sh", "-c", script]), identity());
    let job = Job { command: &command, cgroup, identity: &identity, clearance: None, user: None };
    job.run(now() + limit).unwrap()
}

#[test]
fn a_command_ends_and_says_how() {
    alone(|| {
        with_cgroup(|cgroup| {
            let check = |script: &str, ending, output: &str| {
                let finished = Finished { ending: Some(ending), output: output.into() };
                assert_eq!(run(cgroup, script), finished, "{script}");
            };
            check("true", Ending::Exited(0), "");
            check("echo one; echo two >&2; exit 3", Ending::Exited(3), "one\ntwo");
            check("kill -KILL $$", Ending::Signalled(9), "");
            check("yes | head -c 1000000 | tr -d '\\n' >/dev/null; printf end", Ending::Exited(0), "end");
            let chatty = run(cgroup, "yes | head -c 1000000; echo end");
            assert!(chatty.output.len() <= 4_096 && chatty.output.ends_with("end"));
        });
    });
}

#[test]
fn a_command_sees_a_clean_world() {
    alone(|| {
        with_cgroup(|cgroup| {
            let environment = run(cgroup, "exec env").output;
            let mut names: Vec<&str> =
                environment.lines().map(|line| line.split_once('=').unwrap().0).collect();
            names.retain(|name| !matches!(*name, "PWD" | "SHLVL" | "_" | "OLDPWD"));
            names.sort_unstable();
            let expected =
                ["CLUSTER", "EPOCH", "GROUP", "NODE", "RESOURCE", "VIEW"].map(|one| format!("PHALANX_{one}"));
            assert_eq!(names[1..], expected);
            assert_eq!(names[0], "PATH");
            assert!(environment.contains("PHALANX_EPOCH=9") && environment.contains("PHALANX_VIEW=4/1"));
            let leak = std::fs::File::open("/dev/null").unwrap();
            rustix::io::fcntl_setfd(&leak, rustix::io::FdFlags::empty()).unwrap();
            let open = run(cgroup, "cat; pwd; umask; exec ls /proc/self/fd");
            // The 3 is the directory that ls reads.
            assert_eq!(open.output, "/\n0022\n0\n1\n2\n3", "a file descriptor leaked, or input is not empty");
        });
    });
}

#[test]
fn a_real_time_parent_has_ordinary_children() {
    alone(|| {
        with_cgroup(|cgroup| {
            let parameters = libc::sched_param { sched_priority: 5 };
            // SAFETY: 0 names the calling thread; the parameters outlive the call.
            let outcome = unsafe { libc::sched_setscheduler(0, libc::SCHED_RR, &parameters) };
            if outcome != 0 {
                return eprintln!("skipped: no real-time scheduling in this cgroup");
            }
            let stat = run(cgroup, "cut -d' ' -f41 /proc/self/stat; cat /proc/self/oom_score_adj");
            assert_eq!(stat.output, "0\n0", "SCHED_OTHER is 0");
        });
    });
}

#[test]
fn a_command_that_hangs_is_ended_with_all_it_started() {
    alone(|| {
        with_cgroup(|cgroup| {
            let deaf = "trap '' TERM; echo begun; (trap '' TERM; setsid sleep 1000 & ) ; while :; do sleep 1000; done";
            let finished = run_within(cgroup, deaf, Span::from_millis(200));
            assert_eq!(finished, Finished { ending: None, output: "begun".into() });
            assert!(!cgroup.is_populated().unwrap());
            assert_eq!(finished.to_string(), "did not end in time; it last said: begun");
        });
    });
}

#[test]
fn a_command_that_leaves_something_behind_leaves_nothing() {
    alone(|| {
        with_cgroup(|cgroup| {
            let finished = run(cgroup, "setsid sleep 1000 & echo done");
            assert_eq!((finished.is_success(), finished.output.as_str()), (true, "done"));
            assert!(!cgroup.is_populated().unwrap() && !cgroup.path().exists());
        });
    });
}

#[test]
fn a_program_that_is_not_there_is_named() {
    alone(|| {
        with_cgroup(|cgroup| {
            let (command, identity) = (argv(&["no-such-program"]), identity());
            let job = Job { command: &command, cgroup, identity: &identity, clearance: None, user: None };
            let error = job.spawn().unwrap_err().to_string();
            assert!(error.starts_with("cannot run no-such-program: No such file"), "{error}");
        });
    });
}

#[test]
fn nothing_is_started_without_a_lease() {
    alone(|| {
        with_cgroup(|cgroup| {
            let (command, identity) = (argv(&["touch", "/mnt/acquired"]), identity());
            let permits = Permits::none();
            let clearance = Clearance::new(&permits, Permit { view: VIEW, valid_until: Tick::NEVER });
            let job = Job {
                command: &command,
                cgroup,
                identity: &identity,
                clearance: Some(&clearance),
                user: None,
            };
            let other = ViewId { counter: 5, ..VIEW };
            for (view, until) in [(VIEW, now()), (other, now() + Span::from_secs(9)), (VIEW, Tick::ZERO)] {
                permits.publish(view, until);
                assert!(matches!(job.spawn(), Err(SpawnError::Stale)), "{view} until {until:?}");
            }
            assert!(!std::path::Path::new("/mnt/acquired").exists());
            permits.publish(VIEW, now() + Span::from_secs(9));
            assert!(job.run(now() + Span::from_secs(2)).unwrap().is_success());
            assert!(std::path::Path::new("/mnt/acquired").exists());
        });
    });
}

#[test]
fn a_cgroup_is_ended_to_the_last_process() {
    alone(|| {
        with_cgroup(|cgroup| {
            let (command, identity) =
                (argv(&["sh", "-c", "for i in 1 2 3 4 5; do sleep 1000 & done; wait"]), identity());
            let job = Job { command: &command, cgroup, identity: &identity, clearance: None, user: None };
            let mut process = job.spawn().unwrap();
            eventually("six processes run", || cgroup.processes().unwrap().len() == 6);
            cgroup.end(now() + Span::from_secs(5)).unwrap();
            assert_eq!(process.wait(Tick::NEVER), Some(Ending::Signalled(9)));
            assert!(cgroup.processes().unwrap().is_empty());
        });
    });
}

#[test]
fn an_old_hierarchy_serves_too() {
    alone(|| {
        let mounts = phalanx_host::mounts().unwrap();
        let Some(pids) =
            mounts.iter().find(|mount| mount.format == "cgroup" && mount.options.contains("pids"))
        else {
            return eprintln!("skipped: no hierarchy of version 1 is mounted here");
        };
        let root = Cgroup::at(pids.point.join(format!("phalanx-test-{}", now().0)));
        let _guard = CgroupGuard(root.path());
        let finished = run(&root.child("web"), "setsid sleep 1000 & setsid sleep 1000 & echo done");
        assert_eq!((finished.is_success(), finished.output.as_str()), (true, "done"));
        assert!(!root.child("web").path().exists());
    });
}

#[test]
fn another_users_command_has_nothing_of_ours() {
    alone(|| {
        with_cgroup(|cgroup| {
            let script = "id -u; id -G; grep -q phalanx-test /proc/self/cgroup && echo inside";
            let (command, identity) = (argv(&["sh", "-c", script]), identity());
            let user = Some(User { uid: 65_534, gid: 65_533 });
            let job = Job { command: &command, cgroup, identity: &identity, clearance: None, user };
            let finished = job.run(now() + Span::from_secs(2)).unwrap();
            assert_eq!(finished.output, "65534\n65533\ninside", "{finished:?}");
        });
    });
}
