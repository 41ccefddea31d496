//! Runs a test against the real kernel, alone in namespaces of its own.
//!
//! [`alone`] executes the test binary once more inside new mount, network and PID namespaces. Whatever the test starts,
//! mounts or configures ends with them, also when it fails. Never touches a namespace that it did not make.
#![forbid(unsafe_code)]

mod disk;

pub use disk::Disk;

use std::path::Path;
use std::process::{self, Child, Command, Output};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

const INSIDE: &str = "PHALANX_SANDBOX";
/// A story that takes longer hangs, and is ended.
const STORY_MAX: Duration = Duration::from_secs(120);
/// How long [`eventually`] waits.
const EVENTUALLY_MAX: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(2);

/// An empty directory on a memory file system, the story's own.
pub const SCRATCH: &str = "/mnt";

/// Runs `story`, the body of the test that calls this, in namespaces of its own, with an empty [`SCRATCH`] and `/run`
/// and with loopback up. Where root is missing it prints so and does nothing.
pub fn alone<F: FnOnce()>(story: F) {
    if let Some(mark) = env::var_os(INSIDE) {
        fs::remove_file(mark).expect("the mark was just made");
        furnish();
        return story();
    }
    if !rustix::process::geteuid().is_root() {
        return eprintln!("skipped: this test needs root, to make namespaces of its own");
    }
    let name = test_name::<F>();
    let mark = env::temp_dir().join(format!("sandbox-{}-{}", process::id(), name.replace(':', "-")));
    fs::write(&mark, "").expect("the directory for temporary files takes one");
    let inside = Command::new("unshare")
        .args(["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--"])
        .arg(env::current_exe().expect("the test binary has a path"))
        .args([name.as_str(), "--exact", "--nocapture"])
        .env(INSIDE, &mark)
        .spawn()
        .expect("unshare can be run");
    let well = ends_well(inside);
    let untold = fs::remove_file(&mark).is_ok();
    assert!(well, "the story '{name}' failed; its words are above");
    assert!(!untold, "there is no test called '{name}': the story was not told at all");
}

/// What the test harness calls the test: so it names the test's thread, unless all run on one; then the story's type
/// tells, where the story stands in the test itself.
fn test_name<F>() -> String {
    match thread::current().name() {
        Some("main") | None => {
            let (_, name) = std::any::type_name::<F>().split_once("::").expect("a closure lies in a crate");
            name.trim_end_matches("::{{closure}}").to_owned()
        }
        Some(name) => name.to_owned(),
    }
}

fn furnish() {
    for directory in [SCRATCH, "/run"] {
        shell(&format!("mount -t tmpfs -o mode=755 sandbox {directory}"));
    }
    shell("ip link set lo up");
}

fn ends_well(mut child: Child) -> bool {
    let since = Instant::now();
    while since.elapsed() < STORY_MAX {
        if let Some(status) = child.try_wait().expect("it is our child") {
            return status.success();
        }
        thread::sleep(POLL);
    }
    child.kill().and_then(|()| child.wait()).expect("it is our child");
    eprintln!("it did not end within {} s", STORY_MAX.as_secs());
    false
}

/// Runs a shell command that must succeed, and gives what it printed.
pub fn shell(command: &str) -> String {
    let output = try_shell(command);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "'{command}' failed: {printed}{complaint}");
    printed
}

/// Runs a shell command that may fail.
pub fn try_shell(command: &str) -> Output {
    Command::new("sh").args(["-c", command]).output().expect("there is a shell")
}

/// Waits until `done` says yes; a story never sleeps, it looks. `what` is said when it never does.
pub fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let since = Instant::now();
    while !done() {
        assert!(since.elapsed() < EVENTUALLY_MAX, "it never came to this: {what}");
        thread::sleep(POLL);
    }
}

/// A directory of cgroups that is removed, with all that runs in it, when this is dropped.
pub struct CgroupGuard<'a>(pub &'a Path);

impl Drop for CgroupGuard<'_> {
    fn drop(&mut self) {
        let path = self.0.display();
        let kill = format!("find {path} -name cgroup.procs -exec cat {{}} + 2>/dev/null | xargs -r kill -9");
        let remove = format!("find {path} -depth -type d -exec rmdir {{}} + 2>/dev/null; ! test -e {path}");
        let since = Instant::now();
        while since.elapsed() < EVENTUALLY_MAX {
            try_shell(&kill);
            if try_shell(&remove).status.success() {
                return;
            }
        }
    }
}
