//! A host: network, PID, mount and UTS namespaces under an init of their own, on the stage's two networks.

use crate::tool::{Outcome, Trouble, While, line, run, this_program, wait_until};
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long an init may take.
const BOOT_LIMIT: Duration = Duration::from_secs(10);
/// Loop devices that a host knows of.
const LOOPS_MAX: u32 = 64;

/// A host that runs.
pub struct Host {
    name: &'static str,
    number: u8,
    folder: PathBuf,
    cgroup: PathBuf,
    shell: Child,
    init: u32,
}

/// One of the two networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Net {
    /// IPv4; carries the service address.
    Client,
    /// IPv6; between the nodes only.
    Back,
}

impl Net {
    /// Both.
    pub const ALL: [Net; 2] = [Net::Client, Net::Back];

    /// Its bridge on the stage.
    pub fn bridge(self) -> &'static str {
        match self {
            Net::Client => "br-client",
            Net::Back => "br-back",
        }
    }

    /// The hardware address of the bridge, which is the client's.
    pub fn bridge_mac(self) -> &'static str {
        match self {
            Net::Client => "02:00:00:0b:00:c8",
            Net::Back => "02:00:00:0c:00:c8",
        }
    }

    fn interface(self) -> &'static str {
        match self {
            Net::Client => "eth0",
            Net::Back => "eth1",
        }
    }

    fn address(self, number: u8) -> String {
        match self {
            Net::Client => format!("10.11.0.{number}/24"),
            Net::Back => format!("fd00:11::{number}/64"),
        }
    }
}

impl Host {
    /// Boots a host with a new boot id. What it keeps over boots lies in `work/NAME`.
    pub fn boot(name: &'static str, number: u8, work: &Path, cgroups: &Path) -> Outcome<Host> {
        let folder = work.join(name);
        fs::create_dir_all(&folder).during("making the host's folder")?;
        let random = fs::read_to_string("/proc/sys/kernel/random/uuid").during("drawing a boot id")?;
        fs::write(folder.join("boot_id"), random).during("writing the boot id")?;
        let cgroup = cgroups.join(name);
        fs::create_dir_all(&cgroup).during("making the host's control group")?;
        let program = this_program()?;
        let shell = Command::new("unshare")
            .args(["--mount", "--net", "--pid", "--uts", "--fork", "--kill-child", "--mount-proc", "--"])
            .arg(program)
            .args(["init", name])
            .arg(&cgroup)
            .stdin(Stdio::null())
            .stdout(log(&folder, "init")?)
            .stderr(log(&folder, "init")?)
            .spawn()
            .during("unshare")?;
        let mut init = None;
        wait_until(BOOT_LIMIT, || {
            init = child_of(shell.id());
            init.is_some()
        });
        let init = init.ok_or_else(|| Trouble(format!("{name} did not boot")))?;
        let host = Host { name, number, folder, cgroup, shell, init };
        let ready = || host.run("test", &["-e", "/run/booted"]).is_ok();
        if !wait_until(BOOT_LIMIT, ready) {
            return Err(Trouble(format!("{name} did not boot; see {}/init.log", host.folder.display())));
        }
        Net::ALL.into_iter().try_for_each(|net| host.plug_in(net))?;
        Ok(host)
    }

    fn plug_in(&self, net: Net) -> Outcome<()> {
        let (port, interface) = (self.port(net), net.interface());
        let _ = line(&format!("ip link del {port}"));
        line(&format!("ip link add {port} type veth peer name {interface} netns {}", self.init))?;
        line(&format!("ip link set {port} master {} up", net.bridge()))?;
        let address = net.address(self.number);
        let nodad = if net == Net::Back { "nodad" } else { "" };
        self.line(&format!("ip address add {address} dev {interface} {nodad}"))?;
        self.line(&format!("ip link set {interface} up"))?;
        Ok(())
    }

    /// The host's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What it keeps over boots.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its control group.
    pub fn cgroup(&self) -> &Path {
        &self.cgroup
    }

    /// Its init, as the stage numbers processes.
    pub fn init(&self) -> u32 {
        self.init
    }

    /// The stage's end of its cable.
    fn port(&self, net: Net) -> String {
        format!("{}-{}", self.name, &net.bridge()[3..])
    }

    /// Runs a program in it to its end.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Outcome<String> {
        let init = self.init.to_string();
        let enter = ["--target", &init, "--mount", "--uts", "--net", "--pid", "--", program];
        run("nsenter", &[&enter[..], arguments].concat())
    }

    fn line(&self, words: &str) -> Outcome<String> {
        let words: Vec<&str> = words.split_whitespace().collect();
        self.run(words[0], &words[1..])
    }

    /// Starts a program in it, in its control group; what it prints goes to a log in the host's folder.
    pub fn spawn(&self, program: &str, arguments: &[&str]) -> Outcome<Child> {
        self.enter(&["--mount", "--uts", "--net", "--pid"], program, arguments)
    }

    /// Starts a program that lives and dies with it and sees the stage's mounts.
    pub fn serve(&self, program: &str, arguments: &[&str]) -> Outcome<Child> {
        self.enter(&["--uts", "--net", "--pid"], program, arguments)
    }

    fn enter(&self, namespaces: &[&str], program: &str, arguments: &[&str]) -> Outcome<Child> {
        let init = self.init.to_string();
        let name = Path::new(program)
            .file_name()
            .map_or("program".into(), |name| name.to_string_lossy().into_owned());
        let this = this_program()?;
        Command::new(this)
            .args(["within", &self.cgroup.to_string_lossy(), "nsenter", "--target", &init])
            .args(namespaces)
            .args(["--", program])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log(&self.folder, &name)?)
            .stderr(log(&self.folder, &name)?)
            .spawn()
            .during(program)
    }

    /// Takes its cable on one network out, or plugs it in again.
    pub fn set_cable(&self, net: Net, plugged: bool) -> Outcome<()> {
        let state = if plugged { "up" } else { "down" };
        line(&format!("ip link set {} {state}", self.port(net))).map(|_| ())
    }

    /// Freezes everything in it, the deadman included, or thaws it. A frozen kernel neither hears nor answers, so its
    /// cables are out meanwhile: the one kernel beneath all hosts would answer for it.
    pub fn set_frozen(&self, frozen: bool) -> Outcome<()> {
        let word = if frozen { "1" } else { "0" };
        Net::ALL.into_iter().try_for_each(|net| self.set_cable(net, !frozen))?;
        fs::write(self.cgroup.join("cgroup.freeze"), word).during("freezing the host")
    }

    /// Whether its init is there.
    pub fn is_up(&self) -> bool {
        Path::new(&format!("/proc/{}", self.init)).exists()
    }

    /// Ends it at once and without a word: its cables first, then its init. The disk is severed by its owner before.
    pub fn crash(mut self) {
        for net in Net::ALL {
            let _ = line(&format!("ip link del {}", self.port(net)));
        }
        kill(self.init);
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// The body of a host's init: furnishes the namespaces, then waits for ever.
pub fn init(name: &str, cgroup: &str) -> Outcome<()> {
    fs::write(Path::new(cgroup).join("cgroup.procs"), "0").during("joining the control group")?;
    line(&format!("hostname {name}"))?;
    line("mount -t tmpfs tmpfs /run")?;
    fs::create_dir_all("/run/lock").during("furnishing /run")?;
    line("mount -t tmpfs -o mode=755,dev tmpfs /dev")?;
    furnish_devices()?;
    line("mount -t tmpfs tmpfs /srv")?;
    fs::create_dir_all("/srv/shop").during("making the mount point")?;
    line("ip link set lo up")?;
    fs::write("/run/booted", "").during("saying that the host is up")?;
    loop {
        // Whatever loses its parent becomes init's child.
        if rustix::process::wait(rustix::process::WaitOptions::empty()).is_err() {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Devices of the host's own, so that what one host makes there no other sees.
fn furnish_devices() -> Outcome<()> {
    const MEMORY: [(&str, u32, u32); 5] =
        [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9)];
    const BLOCK_LAYERS: [(&str, u32, u32); 2] = [("fuse", 10, 229), ("loop-control", 10, 237)];
    fs::create_dir_all("/dev/phalanx").during("making /dev/phalanx")?;
    for (name, major, minor) in MEMORY.into_iter().chain(BLOCK_LAYERS) {
        make_device(name, FileType::CharacterDevice, major, minor)?;
    }
    (0..LOOPS_MAX).try_for_each(|minor| make_device(&format!("loop{minor}"), FileType::BlockDevice, 7, minor))
}

fn make_device(name: &str, kind: FileType, major: u32, minor: u32) -> Outcome<()> {
    let mode = Mode::from_raw_mode(0o666);
    mknodat(CWD, format!("/dev/{name}"), kind, mode, makedev(major, minor)).during("making a device")
}

/// Joins a control group and becomes another program.
pub fn within(cgroup: &str, program: &str, arguments: &[String]) -> Trouble {
    use std::os::unix::process::CommandExt;
    if let Err(error) = fs::write(Path::new(cgroup).join("cgroup.procs"), "0") {
        return Trouble(format!("joining {cgroup}: {error}"));
    }
    Trouble(format!("{program}: {}", Command::new(program).args(arguments).exec()))
}

fn log(folder: &Path, name: &str) -> Outcome<File> {
    File::options().create(true).append(true).open(folder.join(format!("{name}.log"))).during("opening a log")
}

/// The only child of a process.
pub fn child_of(pid: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

/// Ends a process at once.
pub fn kill(pid: u32) {
    signal(pid, Signal::KILL);
}

/// Sends a signal to a process.
pub fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// Ends what an nsenter of ours runs inside a host.
pub fn kill_inside(nsenter: u32) {
    if let Some(child) = child_of(nsenter) {
        kill(child);
    }
}
