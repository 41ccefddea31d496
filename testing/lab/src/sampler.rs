//! Who really holds what: looks every five milliseconds from outside the product, at mounts, addresses and processes.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const EVERY: Duration = Duration::from_millis(5);

/// What to look at on one host.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// Its init, as the stage numbers processes.
    pub init: u32,
    /// Where the group's control groups are.
    pub cgroup: PathBuf,
}

/// What was seen so far.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// How often it looked.
    pub looks: u64,
    /// Looks that found more than one host holding something of the group, with who and what.
    pub dual: Vec<String>,
}

/// Looks until it is stopped.
pub struct Sampler {
    targets: Arc<Mutex<Vec<Target>>>,
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Sampler {
    /// Begins to look for a mount, an address (in text) and processes of one application.
    pub fn start(mount: &'static str, address: &'static str) -> Sampler {
        let (targets, seen) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Seen::default())));
        let stop = Arc::new(AtomicBool::new(false));
        let (watched, list, ended) = (Arc::clone(&targets), Arc::clone(&seen), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                let targets: Vec<Target> = watched.lock().expect("nobody panics while holding it").clone();
                look(&targets, mount, address, &mut list.lock().expect("nobody panics while holding it"));
                thread::sleep(EVERY);
            }
        });
        Sampler { targets, seen, stop, thread: Some(thread) }
    }

    /// Looks at these hosts from now on.
    pub fn watch(&self, targets: Vec<Target>) {
        *self.targets.lock().expect("nobody panics while holding it") = targets;
    }

    /// What was seen so far.
    pub fn seen(&self) -> Seen {
        self.seen.lock().expect("nobody panics while holding it").clone()
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn look(targets: &[Target], mount: &str, address: &str, seen: &mut Seen) {
    seen.looks += 1;
    let held: Vec<String> = targets.iter().filter_map(|target| held_by(target, mount, address)).collect();
    if held.len() > 1 {
        seen.dual.push(held.join("; "));
    }
}

/// What a host holds, in words; `None` if nothing.
fn held_by(target: &Target, mount: &str, address: &str) -> Option<String> {
    let has = |file: String, word: &str| fs::read_to_string(file).is_ok_and(|text| text.contains(word));
    let things = [
        ("mount", has(format!("/proc/{}/mountinfo", target.init), &format!(" {mount} "))),
        ("address", has(format!("/proc/{}/net/fib_trie", target.init), address)),
        ("application", has_process(&target.cgroup)),
    ];
    let held: Vec<&str> = things.into_iter().filter(|(_, held)| *held).map(|(thing, _)| thing).collect();
    (!held.is_empty()).then(|| format!("{} holds {}", target.name, held.join(", ")))
}

/// Whether any control group below has a process.
fn has_process(folder: &PathBuf) -> bool {
    let own = fs::read_to_string(folder.join("cgroup.procs")).is_ok_and(|text| !text.trim().is_empty());
    let below = || fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    own || below().any(|path| path.is_dir() && has_process(&path))
}
