//! The site of the demo: two networks, three hosts, one shared disk; daemons on each host; and the acts of the story.

use crate::disk::{DiskPath, Image};
use crate::host::{self, Host, Net};
use crate::sampler::Target;
use crate::stage;
use crate::tool::{Outcome, Trouble, While, line, run, this_program, wait_until};
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

/// The hosts, in the order of the cluster file.
pub const NAMES: [&str; 3] = ["ada", "bob", "cyd"];
/// The group of the demo.
pub const GROUP: &str = "shop";
/// How long a daemon may take to come up.
const UP_LIMIT: Duration = Duration::from_secs(20);

/// A host with its path to the disk and its two daemons.
pub struct Machine {
    /// The host.
    pub host: Host,
    disk: DiskPath,
    deadman: Child,
    daemon: Option<Child>,
}

/// The site.
pub struct Site {
    work: PathBuf,
    cgroups: PathBuf,
    programs: PathBuf,
    /// The shared disk.
    pub image: Image,
    machines: [Option<Machine>; 3],
}

impl Site {
    /// Lays the networks and makes the disk; no host is up yet.
    pub fn lay(work: &Path) -> Outcome<Site> {
        line("ip link set lo up")?;
        for net in Net::ALL {
            // A bridge without an address of its own changes it with each cable: the client would seem to be another host.
            line(&format!("ip link add {} address {} type bridge", net.bridge(), net.bridge_mac()))?;
            line(&format!("ip link set {} up", net.bridge()))?;
        }
        be_plain_switches();
        line(&format!("ip address add 10.11.0.200/24 dev {}", Net::Client.bridge()))?;
        let cgroups = stage::cgroup(work)?;
        fs::create_dir_all(&cgroups).during("making the laboratory's control group")?;
        let this = this_program()?;
        let programs = this.parent().ok_or_else(|| Trouble("a program lies in a folder".into()))?.to_owned();
        let image = Image::create(work)?;
        Ok(Site { work: work.to_owned(), cgroups, programs, image, machines: [None, None, None] })
    }

    /// The path of one of our programs.
    fn program(&self, name: &str) -> String {
        self.programs.join(name).to_string_lossy().into_owned()
    }

    /// Creates the cluster from a cluster file: identity on the first host, its bundle on the others.
    pub fn create_cluster(&self, file: &Path) -> Outcome<()> {
        let phalanx = self.program("phalanx");
        let state = |name: &str| self.work.join(name).join("state").to_string_lossy().into_owned();
        let bundle = self.work.join("bundle").to_string_lossy().into_owned();
        let file = file.to_string_lossy();
        run(
            &phalanx,
            &[
                "cluster",
                "create",
                &file,
                "--node",
                NAMES[0],
                "--state-dir",
                &state(NAMES[0]),
                "--invitation",
                &bundle,
            ],
        )?;
        for name in &NAMES[1..] {
            run(&phalanx, &["cluster", "join", &bundle, "--node", name, "--state-dir", &state(name)])?;
        }
        Ok(())
    }

    /// Boots a host, lays its path to the disk, starts its deadman; its daemon comes with [`Site::start_daemon`].
    pub fn boot(&mut self, number: usize) -> Outcome<()> {
        let name = NAMES[number];
        let host = Host::boot(name, number as u8 + 1, &self.work, &self.cgroups)?;
        let disk = DiskPath::lay(&host, &self.image)?;
        let deadman = self.spawn_deadman(&host)?;
        self.machines[number] = Some(Machine { host, disk, deadman, daemon: None });
        Ok(())
    }

    fn spawn_deadman(&self, host: &Host) -> Outcome<Child> {
        host.run("mkdir", &["-p", "/run/phalanx"])?;
        let child = host.spawn(
            &self.program("phalanx-deadman"),
            &["--socket", "/run/phalanx/deadman.sock", "--action", "lab-reset"],
        )?;
        let there = || host.run("test", &["-S", "/run/phalanx/deadman.sock"]).is_ok();
        match wait_until(UP_LIMIT, there) {
            true => Ok(child),
            false => Err(Trouble(format!("the deadman of {} did not come up", host.name()))),
        }
    }

    fn spawn_daemon(&self, host: &Host) -> Outcome<Child> {
        let folder = host.folder();
        let (state, boot) = (folder.join("state"), folder.join("boot_id"));
        let cgroup = host.cgroup().join("groups");
        fs::create_dir_all(&cgroup).during("making the groups' control group")?;
        let (state, boot, cgroup) =
            (state.to_string_lossy(), boot.to_string_lossy(), cgroup.to_string_lossy());
        host.spawn(
            &self.program("phalanxd"),
            &[
                "--state-dir",
                &state,
                "--run-dir",
                "/run/phalanx",
                "--boot-id-file",
                &boot,
                "--cgroup-root",
                &cgroup,
                "--log",
                "debug",
            ],
        )
    }

    /// Starts the daemon of a host, or starts it again.
    pub fn start_daemon(&mut self, number: usize) -> Outcome<()> {
        let machine = self.machines[number].as_ref().ok_or_else(|| Trouble("the host is down".into()))?;
        let daemon = self.spawn_daemon(&machine.host)?;
        self.machine_mut(number)?.daemon = Some(daemon);
        Ok(())
    }

    /// Starts the deadman of a host again.
    pub fn restart_deadman(&mut self, number: usize) -> Outcome<()> {
        let machine = self.machines[number].as_ref().ok_or_else(|| Trouble("the host is down".into()))?;
        let deadman = self.spawn_deadman(&machine.host)?;
        self.machine_mut(number)?.deadman = deadman;
        Ok(())
    }

    /// Whether a host is up: one that its deadman reset is not.
    pub fn is_up(&self, number: usize) -> bool {
        self.machines[number].as_ref().is_some_and(|machine| machine.host.is_up())
    }

    /// A host that is up.
    pub fn machine(&self, number: usize) -> Outcome<&Machine> {
        self.machines[number].as_ref().ok_or_else(|| Trouble(format!("{} is down", NAMES[number])))
    }

    fn machine_mut(&mut self, number: usize) -> Outcome<&mut Machine> {
        self.machines[number].as_mut().ok_or_else(|| Trouble(format!("{} is down", NAMES[number])))
    }

    /// What the sampler looks at.
    pub fn targets(&self) -> Vec<Target> {
        let target = |machine: &Machine| Target {
            name: machine.host.name(),
            init: machine.host.init(),
            cgroup: machine.host.cgroup().join("groups"),
        };
        self.machines.iter().flatten().map(target).collect()
    }

    /// Crashes a host: its disk is severed first, so that nothing more is written, then it is gone without a word.
    pub fn crash(&mut self, number: usize) -> Outcome<()> {
        let mut machine = self.machines[number].take().ok_or_else(|| Trouble("the host is down".into()))?;
        machine.disk.sever();
        // What holds on to a host's processes from outside would keep its namespaces from ending.
        for keeper in machine.daemon.iter_mut().chain([&mut machine.deadman]) {
            let _ = keeper.kill();
            let _ = keeper.wait();
        }
        machine.host.crash();
        Ok(())
    }

    /// Ends a host that ended itself.
    pub fn bury(&mut self, number: usize) {
        let _ = self.crash(number);
    }

    /// Sends a signal to the daemon of a host.
    pub fn signal_daemon(&mut self, number: usize, signal: Signal) -> Outcome<()> {
        let daemon = self.machine(number)?.daemon.as_ref();
        let keeper = daemon.ok_or_else(|| Trouble("the daemon does not run".into()))?.id();
        let pid = inside(keeper)?;
        host::signal(pid, signal);
        // nsenter stops and goes on with the program that it started.
        if signal == Signal::CONT {
            host::signal(keeper, signal);
        }
        Ok(())
    }

    /// Sends a signal to the deadman of a host.
    pub fn signal_deadman(&mut self, number: usize, signal: Signal) -> Outcome<()> {
        let pid = self.machine(number)?.deadman.id();
        inside(pid).map(|pid| host::signal(pid, signal))
    }

    /// The daemon of a host, as the stage numbers processes.
    pub fn daemon_pid(&self, number: usize) -> Outcome<u32> {
        let daemon = self.machine(number)?.daemon.as_ref();
        inside(daemon.ok_or_else(|| Trouble("the daemon does not run".into()))?.id())
    }

    /// The deadman of a host, as the stage numbers processes.
    pub fn deadman_pid(&self, number: usize) -> Outcome<u32> {
        inside(self.machine(number)?.deadman.id())
    }

    /// Kills the application on a host.
    pub fn kill_application(&self, number: usize) -> Outcome<()> {
        let groups = self.machine(number)?.host.cgroup().join("groups");
        let pids = processes(&groups);
        if pids.is_empty() {
            return Err(Trouble(format!("no application runs on {}", NAMES[number])));
        }
        pids.into_iter().for_each(host::kill);
        Ok(())
    }

    /// Runs `phalanx` on a host that is up.
    pub fn phalanx(&self, arguments: &[&str]) -> Outcome<String> {
        let machine = self.machines.iter().flatten().next().ok_or_else(|| Trouble("no host is up".into()))?;
        machine.host.run(&self.program("phalanx"), arguments)
    }

    /// How many nodes are members that count, by the status of a host that is up.
    pub fn members(&self) -> usize {
        let status = self.status();
        let is = |node: &Value, key: &str| node.get(key).and_then(Value::as_bool) == Some(true);
        let nodes = status.get("nodes").and_then(Value::as_object);
        nodes
            .map_or(0, |nodes| nodes.values().filter(|node| is(node, "member") && is(node, "counts")).count())
    }

    /// Whether the group is online somewhere.
    pub fn is_online(&self) -> bool {
        let status = self.status();
        status.pointer(&format!("/groups/{GROUP}/state")).and_then(Value::as_str) == Some("online")
    }

    fn status(&self) -> Value {
        let text = self.phalanx(&["status", "--json"]).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// The same on one host.
    pub fn phalanx_on(&self, number: usize, arguments: &[&str]) -> Outcome<String> {
        self.machine(number)?.host.run(&self.program("phalanx"), arguments)
    }

    /// Ends all daemons in order, so that the group is released.
    pub fn shut_down(&mut self) {
        let numbers: Vec<usize> = (0..3).filter(|number| self.machines[*number].is_some()).collect();
        for number in &numbers {
            let _ = self.signal_daemon(*number, Signal::TERM);
        }
        for number in numbers {
            if let Some(mut machine) = self.machines[number].take() {
                let ended = |daemon: &mut Child| daemon.try_wait().is_ok_and(|ended| ended.is_some());
                wait_until(UP_LIMIT, || machine.daemon.as_mut().is_none_or(ended));
                machine.disk.sever();
                machine.host.crash();
            }
        }
    }
}

/// A bridge stands for a switch, which no packet filter of a host sees; where there is none to keep out, all is well.
fn be_plain_switches() {
    for hook in ["iptables", "ip6tables", "arptables"] {
        let _ = fs::write(format!("/proc/sys/net/bridge/bridge-nf-call-{hook}"), "0");
    }
}

fn inside(nsenter: u32) -> Outcome<u32> {
    host::child_of(nsenter).ok_or_else(|| Trouble("the program has ended".into()))
}

/// The processes in a control group and all below it.
fn processes(folder: &Path) -> Vec<u32> {
    let own = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    let own = own.lines().filter_map(|line| line.parse().ok()).collect::<Vec<u32>>();
    let below = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    below.filter(|path| path.is_dir()).fold(own, |mut all, path| {
        all.extend(processes(&path));
        all
    })
}
