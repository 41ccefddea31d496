//! Corosync on the laboratory's hosts, encrypted as it is by default in what Debian ships, to be measured beside us.

use super::cost::Cost;
use crate::host::child_of;
use crate::site::{NAMES, Site};
use crate::tool::{Outcome, Trouble, While, run, wait_until};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

/// How long its ring may take to be complete.
const RING_LIMIT: Duration = Duration::from_secs(30);
/// Bytes of its key.
const KEY_BYTES: usize = 256;

/// Corosync on each host.
pub struct Corosync {
    daemons: Vec<Child>,
    talker: PathBuf,
}

impl Corosync {
    /// Starts it on each host, and waits until all three are in one ring.
    pub fn start(site: &Site, work: &Path) -> Outcome<Corosync> {
        let talker = build(work)?;
        write_key(&work.join("authkey"))?;
        fs::write(work.join("corosync.conf"), configuration(work)).during("writing corosync.conf")?;
        let daemons = (0..NAMES.len()).map(|number| start(site, work, number)).collect::<Outcome<_>>()?;
        let complete = || (0..NAMES.len()).all(|number| sees_all(site, number));
        match wait_until(RING_LIMIT, complete) {
            true => Ok(Corosync { daemons, talker }),
            false => Err(Trouble("corosync did not form a ring of three".into())),
        }
    }

    /// The program that talks to it.
    pub fn talker(&self) -> String {
        self.talker.to_string_lossy().into_owned()
    }

    /// What its daemons have cost so far, in milliseconds on a core.
    pub fn cpu_ms(&self) -> Outcome<u64> {
        let inside = |daemon: &Child| child_of(daemon.id()).unwrap_or(daemon.id());
        self.daemons.iter().map(|daemon| Ok(Cost::of(inside(daemon))?.cpu_ms)).sum()
    }

    /// Ends it. What is left ends with its host.
    pub fn end(mut self) {
        for daemon in &mut self.daemons {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

fn build(work: &Path) -> Outcome<PathBuf> {
    let program = work.join("cpg");
    let to = program.to_string_lossy().into_owned();
    run("cc", &["-O2", "-o", &to, "benches/peers/cpg.c", "-lcpg"])?;
    Ok(program)
}

fn write_key(path: &Path) -> Outcome<()> {
    use std::io::Read;
    let mut key = [0; KEY_BYTES];
    fs::File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut key))
        .during("drawing a key")?;
    fs::write(path, key).during("writing the key")
}

fn configuration(work: &Path) -> String {
    let node = |(number, name): (usize, &&str)| {
        let number = number + 1;
        format!("  node {{\n    ring0_addr: 10.11.0.{number}\n    name: {name}\n    nodeid: {number}\n  }}\n")
    };
    let nodes: String = NAMES.iter().enumerate().map(node).collect();
    let folder = work.display();
    format!(
        "totem {{\n  version: 2\n  cluster_name: bench\n  transport: knet\n  crypto_cipher: aes256\n  crypto_hash: sha256\n  \
         keyfile: {folder}/authkey\n}}\nnodelist {{\n{nodes}}}\nquorum {{\n  provider: corosync_votequorum\n}}\n\
         logging {{\n  to_stderr: no\n  to_syslog: no\n  to_logfile: no\n}}\n"
    )
}

fn start(site: &Site, work: &Path, number: usize) -> Outcome<Child> {
    let host = &site.machine(number)?.host;
    // Its state and its shared memory are the host's own.
    host.run("mount", &["-t", "tmpfs", "tmpfs", "/var/lib/corosync"])?;
    host.run("mkdir", &["-p", "/dev/shm"])?;
    let file = work.join("corosync.conf").to_string_lossy().into_owned();
    host.spawn("/usr/sbin/corosync", &["-f", "-c", &file])
}

fn sees_all(site: &Site, number: usize) -> bool {
    let told = site.machine(number).and_then(|machine| machine.host.run("corosync-quorumtool", &["-s"]));
    told.is_ok_and(|text| text.lines().any(|line| line.starts_with("Nodes:") && line.ends_with('3')))
}
