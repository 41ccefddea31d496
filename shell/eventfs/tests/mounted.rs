//! Programs that use the mounted file system, each with a real kernel in a mount namespace of its own: a program in C, a shell's
//! one-liner, and what a program sees that calls the kernel directly.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use phalanx_eventfs::{EventFs, MountError, Refused};
use phalanx_sandbox::{SCRATCH, alone, eventually, shell, try_shell};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};

/// A mounted file system, and what it said about registrations.
struct Place {
    events: EventFs,
    refused: Receiver<Refused>,
}

const AT: &str = "/mnt/aha";

fn mounted() -> Place {
    fs::create_dir(AT).unwrap();
    let (tell, refused) = channel();
    let events = EventFs::mount(Path::new(AT), move |one| drop(tell.send(one))).unwrap();
    Place { events, refused }
}

impl Place {
    /// Waits until an object is watched: then whoever waits for it misses nothing.
    fn until_watched(&self, count: usize) {
        eventually("so many objects are watched", || self.events.watched().len() == count);
    }
}

/// The monitor file of an object, the directories on the way made.
fn monitor(factory: &str, object: &str) -> PathBuf {
    let path = PathBuf::from(format!("{AT}/{factory}.monFactory/{}.mon", object.trim_start_matches('/')));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    path
}

/// An open monitor file with a registration.
fn register(path: &Path, registration: &str) -> File {
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).unwrap();
    file.write_all(registration.as_bytes()).unwrap();
    file
}

/// What poll says at once.
fn polled(file: &File) -> PollFlags {
    let mut one = [PollFd::new(file, PollFlags::IN)];
    poll(&mut one, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap();
    one[0].revents()
}

/// What poll says when something comes. It waits without a limit, for at the end of one the kernel would ask once more.
fn awaited(file: &File) -> PollFlags {
    let mut one = [PollFd::new(file, PollFlags::IN)];
    poll(&mut one, None).unwrap();
    one[0].revents()
}

/// How many watches this process has, as the kernel counts them.
fn kernel_watches() -> usize {
    let files = fs::read_dir("/proc/self/fdinfo").unwrap().flatten().map(|entry| entry.path());
    let texts = files.filter_map(|path| fs::read_to_string(path).ok());
    texts.map(|text| text.lines().filter(|line| line.starts_with("inotify wd:")).count()).sum()
}

fn record(file: &mut File) -> String {
    let mut bytes = [0; 4_096];
    let count = file.read(&mut bytes).unwrap();
    String::from_utf8(bytes[..count].to_vec()).unwrap()
}

/// The next record that a program got by waiting.
fn next(file: &mut File) -> String {
    assert_eq!(awaited(file), PollFlags::IN);
    record(file)
}

fn field<'a>(record: &'a str, key: &str) -> &'a str {
    let line = record.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    line.unwrap_or_else(|| panic!("{record} has no {key}"))
}

fn errno(outcome: std::io::Result<impl Sized>) -> i32 {
    outcome.err().and_then(|error| error.raw_os_error()).expect("it fails, by an error of the kernel")
}

/// A program whose output is read line by line.
struct Program {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Program {
    fn begin(command: &mut Command) -> Program {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Program { child, output }
    }

    /// Its output up to a line that begins with `last`.
    fn told(&mut self, last: &str) -> String {
        let mut told = String::new();
        while !told.lines().last().is_some_and(|line| line.starts_with(last)) {
            assert_ne!(self.output.read_line(&mut told).unwrap(), 0, "it ended after {told:?}");
        }
        told
    }

    /// Whether it is `cat`, and blocked in a read of its input.
    fn is_reading(&self) -> bool {
        let id = self.child.id();
        let calls = fs::read_to_string(format!("/proc/{id}/syscall")).unwrap_or_default();
        let program = fs::read_link(format!("/proc/{id}/exe")).unwrap_or_default();
        calls.starts_with(&format!("{} 0x0 ", libc::SYS_read)) && program.ends_with("cat")
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn end(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

fn compile() -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/monitor.c");
    let program = PathBuf::from(format!("{SCRATCH}/monitor"));
    shell(&format!("cc -Wall -Wextra -Werror -o {} {}", program.display(), source.display()));
    program
}

fn write_into(path: &str) {
    let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(b"x").unwrap();
}

#[test]
fn a_program_in_c_hears_of_each_change_and_nothing_between() {
    alone(|| {
        let (place, program) = (mounted(), compile());
        write_into("/mnt/log");
        let path = monitor("fs/modFile", "/mnt/log");
        let mut program =
            Program::begin(Command::new(program).arg(path).args(["CHANGED=YES;INFO_LVL=3", "2"]));
        place.until_watched(1);
        write_into("/mnt/log");
        let first = program.told("--");
        File::create("/mnt/log").unwrap();
        let second = program.told("--");
        assert_eq!((field(&first, "SEQUENCE_NUM"), field(&first, "RC_FROM_EVPROD")), ("0", "1000"));
        assert_eq!((field(&second, "SEQUENCE_NUM"), field(&second, "RC_FROM_EVPROD")), ("1", "1003"));
        assert!(first.ends_with("STACK_TRACE\nno_kernel_stack_on_linux+0\nEND_EVENT_INFO\n--\n"), "{first}");
        assert!(program.end().success());
        place.until_watched(0);
    });
}

#[test]
fn cat_prints_what_happens_and_ends_at_a_signal() {
    alone(|| {
        let place = mounted();
        fs::create_dir("/mnt/inbox").unwrap();
        let path = monitor("fs/modDir", "/mnt/inbox");
        let line = format!(
            "exec 3<>{}; echo 'CHANGED=YES;WAIT_TYPE=WAIT_IN_READ;INFO_LVL=2' >&3; exec cat <&3",
            path.display()
        );
        let mut cat = Program::begin(Command::new("sh").args(["-c", &line]));
        place.until_watched(1);
        write_into("/mnt/inbox/letter");
        let told = cat.told("END_EVENT_INFO");
        assert!(told.contains("RC_FROM_EVPROD=1100\nBEGIN_EVPROD_INFO\nletter\nEND_EVPROD_INFO\n"), "{told}");
        fs::remove_file("/mnt/inbox/letter").unwrap();
        let told = cat.told("END_EVENT_INFO");
        assert!(told.contains("RC_FROM_EVPROD=1101\nBEGIN_EVPROD_INFO\nletter\n"), "{told}");
        cat.signal(Signal::TERM);
        assert_eq!(cat.end().signal(), Some(Signal::TERM.as_raw()));
        place.until_watched(0);
    });
}

#[test]
fn whoever_is_blocked_in_a_read_dies_at_sigkill_and_others_go_on() {
    alone(|| {
        let place = mounted();
        write_into("/mnt/log");
        let path = monitor("fs/modFile", "/mnt/log");
        let line = format!(
            "exec 3<>{}; echo 'CHANGED=YES;WAIT_TYPE=WAIT_IN_READ' >&3; exec cat <&3",
            path.display()
        );
        let [killed, mut other] = [(); 2].map(|()| Program::begin(Command::new("sh").args(["-c", &line])));
        eventually("both read", || killed.is_reading() && other.is_reading());
        place.until_watched(1);
        killed.signal(Signal::KILL);
        assert_eq!(killed.end().signal(), Some(Signal::KILL.as_raw()));
        write_into("/mnt/log");
        assert_eq!(field(&other.told("END_EVENT_INFO"), "SEQUENCE_NUM"), "0");
        other.signal(Signal::KILL);
        other.end();
        place.until_watched(0);
    });
}

#[test]
fn poll_wakes_each_of_many_and_a_count_ends_a_wait() {
    alone(|| {
        let place = mounted();
        write_into("/mnt/log");
        let path = monitor("fs/modFile", "/mnt/log");
        let mut every = register(&path, "CHANGED=YES");
        let mut third = register(&path, "CHANGED=YES;NOTIFY_CNT=3");
        assert_eq!(polled(&every), PollFlags::empty());
        assert_eq!(polled(&third), PollFlags::empty());
        for number in ["0", "1", "2"] {
            assert_eq!(polled(&third), PollFlags::empty());
            write_into("/mnt/log");
            assert_eq!(field(&next(&mut every), "SEQUENCE_NUM"), number);
            assert_eq!(record(&mut every), "", "a record is read once");
        }
        let told = ["0", "1", "2"].map(|_| next(&mut third));
        assert_eq!(told.each_ref().map(|told| field(told, "SEQUENCE_NUM")), ["0", "1", "2"]);
        assert_eq!(kernel_watches(), 1, "both have the same");
        drop((every, third));
        eventually("the kernel watches nothing", || kernel_watches() == 0);
        place.until_watched(0);
    });
}

#[test]
fn a_burst_for_many_loses_nothing_that_fits() {
    const MANY: usize = 200;
    const EACH: usize = 20;
    alone(|| {
        let place = mounted();
        let folder = |number: usize| format!("/mnt/folder-{number}");
        let register_one = |number: usize| {
            fs::create_dir(folder(number)).unwrap();
            let file =
                register(&monitor("fs/modDir", &folder(number)), "CHANGED=YES;INFO_LVL=2;BUF_SIZE=65536");
            assert_eq!(polled(&file), PollFlags::empty());
            file
        };
        let files: Vec<File> = (0..MANY).map(register_one).collect();
        place.until_watched(MANY);
        for (name, number) in (0..EACH).flat_map(|name| (0..MANY).map(move |number| (name, number))) {
            File::create(format!("{}/{name}", folder(number))).unwrap();
        }
        for mut file in files {
            for name in 0..EACH {
                let told = next(&mut file);
                assert_eq!(field(&told, "SEQUENCE_NUM"), name.to_string());
                assert!(told.contains(&format!("BEGIN_EVPROD_INFO\n{name}\n")), "{told}");
            }
            assert_eq!(record(&mut file), "");
        }
    });
}

#[test]
fn a_record_says_who_did_it() {
    alone(|| {
        let place = mounted();
        write_into("/mnt/log");
        fs::create_dir("/mnt/inbox").unwrap();
        let file = register(&monitor("fs/modFile", "/mnt/log"), "CHANGED=YES");
        let attributes = register(&monitor("fs/modFileAttr", "/mnt/log"), "CHANGED=YES");
        let directory = register(&monitor("fs/modDir", "/mnt/inbox"), "CHANGED=YES;INFO_LVL=2");
        let mut all = [file, directory, attributes];
        all.iter().for_each(|file| assert_eq!(polled(file), PollFlags::empty()));
        // It is there until it is asked who it is.
        let line = "umask 0; echo x >>/mnt/log; mkdir /mnt/inbox/letter; chmod 600 /mnt/log; read wait";
        let mut shell = Command::new("sh");
        let mut shell = shell.args(["-c", line]).stdin(Stdio::piped()).spawn().unwrap();
        let [file, directory, attributes] = all.each_mut().map(next);
        assert_eq!((field(&file, "PID"), field(&file, "PROG_NAME")), (shell.id().to_string().as_str(), "sh"));
        assert_eq!(["UID", "UID_LOGIN", "GID"].map(|key| field(&file, key)), ["0", "0", "0"]);
        assert!(directory.contains("BEGIN_EVPROD_INFO\nletter\n"), "{directory}");
        assert_eq!(field(&attributes, "RC_FROM_EVPROD"), "1200");
        all.iter_mut().for_each(|file| assert_eq!(record(file), "", "nothing is told twice"));
        drop(shell.stdin.take());
        shell.wait().unwrap();
        place.until_watched(3);
    });
}

#[test]
fn who_will_not_wait_is_told_so_also_if_that_came_later() {
    alone(|| {
        let _place = mounted();
        write_into("/mnt/log");
        let mut file = register(&monitor("fs/modFile", "/mnt/log"), "CHANGED=YES;WAIT_TYPE=WAIT_IN_READ");
        rustix::fs::fcntl_setfl(&file, rustix::fs::OFlags::NONBLOCK).unwrap();
        assert_eq!(errno(file.read(&mut [0; 9])), 11);
        assert_eq!(polled(&file), PollFlags::empty());
        write_into("/mnt/log");
        assert_eq!(field(&next(&mut file), "SEQUENCE_NUM"), "0");
    });
}

#[test]
fn what_is_no_object_or_no_registration_is_refused_by_its_number() {
    alone(|| {
        let place = mounted();
        let create = |factory: &str, object: &str| {
            let path = monitor(factory, object);
            errno(OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path))
        };
        const NOT_PERMITTED: i32 = 1;
        const NO_DEVICE: i32 = 19;
        const INVALID: i32 = 22;
        const NOT_SUPPORTED: i32 = 95;
        write_into("/mnt/log");
        std::os::unix::fs::symlink("/mnt/log", "/mnt/link").unwrap();
        assert_eq!(create("fs/modFile", "/mnt/nothing"), NO_DEVICE);
        assert_eq!(create("fs/modFile", "/mnt/link"), NOT_SUPPORTED);
        assert_eq!(create("fs/modFile", "/mnt"), NOT_SUPPORTED);
        assert_eq!(create("fs/modDir", "/mnt/log"), NOT_SUPPORTED);
        assert_eq!(create("fs/modFile", "/proc/version"), NOT_SUPPORTED);
        assert_eq!(create("fs/modDir", "/mnt/aha/fs"), NOT_SUPPORTED);
        assert_eq!(create("fs/utilFs", "/etc"), NO_DEVICE);
        assert_eq!(create("cpu/pidProcessMon", "999999999"), NO_DEVICE);
        assert_eq!(create("cpu/processMon", "/bin/nobody-runs-this"), NO_DEVICE);
        assert_eq!(errno(File::create(format!("{AT}/fs/x"))), NOT_PERMITTED);
        assert_eq!(errno(fs::create_dir(format!("{AT}/x"))), NOT_PERMITTED);
        let path = monitor("fs/modFile", "/mnt/log");
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).unwrap();
        assert_eq!(polled(&file), PollFlags::ERR, "nothing was written");
        assert_eq!(record(&mut file), "");
        assert_eq!(errno(file.write(b"CHANGED=NO")), INVALID);
        assert_eq!(place.refused.recv().unwrap().why, "CHANGED is \"NO\", not YES");
        file.write_all(b"CHANGED=YES").unwrap();
        drop(file);
        fs::remove_file("/mnt/log").unwrap();
        assert_eq!(errno(File::open(&path)), NO_DEVICE, "the object of an old monitor file is gone");
    });
}

#[test]
fn the_tree_looks_like_the_one_of_aix() {
    alone(|| {
        let place = mounted();
        let all = "modFile\nmodDir\nmodFileAttr\nutilFs\nprocessMon\npidProcessMon\nnodeState\nquorumState\nrgState\n";
        assert_eq!(shell(&format!("cat {AT}/evProds.list")), all);
        assert_eq!(
            shell(&format!("ls {AT}/fs")),
            "modDir.monFactory\nmodFile.monFactory\nmodFileAttr.monFactory\nutilFs.monFactory\n"
        );
        assert_eq!(
            shell(&format!("stat -c '%A %s %u' {AT}/fs/modFile.monFactory {AT}/evProds.list")),
            format!("drwxrwxrwt 0 0\n-r--r--r-- {} 0\n", all.len())
        );
        assert_eq!(
            shell(&format!("df --output=itotal,iused {AT} | tail -1")).split_whitespace().collect::<Vec<_>>(),
            ["32768", "14"]
        );
        shell(&format!(
            "umask 027; mkdir -p {AT}/fs/modFile.monFactory/a/b; rmdir {AT}/fs/modFile.monFactory/a/b; stat -c %A {AT}/fs/modFile.monFactory/a"
        ));
        assert!(!try_shell(&format!("ln -s x {AT}/fs/modFile.monFactory/y")).status.success());
        assert_eq!(place.events.place(), Path::new(AT));
    });
}

#[test]
fn files_go_by_removal_and_renaming_and_their_attributes_change() {
    alone(|| {
        let place = mounted();
        for name in ["removed", "renamed", "replaced", "changed", "other"] {
            write_into(&format!("/mnt/{name}"));
        }
        let mut files = ["removed", "renamed", "replaced"]
            .map(|name| register(&monitor("fs/modFile", &format!("/mnt/{name}")), "CHANGED=YES"));
        let mut changed = register(&monitor("fs/modFileAttr", "/mnt/changed"), "CHANGED=YES");
        files.iter().chain([&changed]).for_each(|file| assert_eq!(polled(file), PollFlags::empty()));
        fs::remove_file("/mnt/removed").unwrap();
        fs::rename("/mnt/renamed", "/mnt/elsewhere").unwrap();
        fs::rename("/mnt/other", "/mnt/replaced").unwrap();
        shell("chmod 600 /mnt/changed");
        let told = files.each_mut().map(next);
        assert_eq!(told.each_ref().map(|told| field(told, "RC_FROM_EVPROD")), ["1011", "1012", "1011"]);
        assert_eq!(field(&next(&mut changed), "RC_FROM_EVPROD"), "1200");
        for file in &mut files {
            assert_eq!(polled(file), PollFlags::ERR);
            assert_eq!(errno(file.read(&mut [0; 9])), 19);
        }
        assert!(!monitor("fs/modFile", "/mnt/removed").exists(), "its monitor file is gone, too");
        drop(changed);
        place.until_watched(0);
    });
}

#[test]
fn a_process_and_the_parent_most_of_a_program_end() {
    alone(|| {
        let place = mounted();
        fs::copy("/bin/sleep", "/mnt/own-sleep").unwrap();
        let mut one = Command::new("/mnt/own-sleep").arg("1000").spawn().unwrap();
        eventually("it runs its own program", || {
            fs::read_link(format!("/proc/{}/exe", one.id()))
                .is_ok_and(|exe| exe == Path::new("/mnt/own-sleep"))
        });
        let mut other = Command::new("/mnt/own-sleep").arg("1000").spawn().unwrap();
        let mut program = register(&monitor("cpu/processMon", "/mnt/own-sleep"), "CHANGED=YES");
        let mut process = register(&monitor("cpu/pidProcessMon", &one.id().to_string()), "CHANGED=YES");
        assert_eq!([&program, &process].map(polled), [PollFlags::empty(); 2]);
        one.kill().and_then(|()| one.wait()).unwrap();
        let told = next(&mut process);
        assert!(told.ends_with("SEQUENCE_NUM=0\nRC_FROM_EVPROD=0\nBEGIN_EVPROD_INFO\nEVENT_TYPE=PROCESS_DOWN\nEND_EVPROD_INFO\nEND_EVENT_INFO\n"), "{told}");
        assert_eq!(awaited(&process), PollFlags::ERR, "it cannot end twice");
        assert_eq!(field(&next(&mut program), "SEQUENCE_NUM"), "0");
        place.until_watched(1);
        other.kill().and_then(|()| other.wait()).unwrap();
        assert_eq!(field(&next(&mut program), "SEQUENCE_NUM"), "1");
        assert_eq!(awaited(&program), PollFlags::ERR);
    });
}

#[test]
fn a_file_system_fills_up_and_goes_away() {
    alone(|| {
        let place = mounted();
        shell("mkdir /mnt/small; mount -t tmpfs -o size=1M small /mnt/small");
        let path = monitor("fs/utilFs", "/mnt/small");
        let mut full = register(&path, "THRESH_HI=50");
        let mut already = register(&path, "THRESH_LO=90");
        let mut wrong = register(&path, "THRESH_HI=101;INFO_LVL=3");
        assert_eq!(polled(&full), PollFlags::empty());
        let told = next(&mut already);
        assert_eq!((field(&told, "CURRENT_VALUE"), field(&told, "RC_FROM_EVPROD")), ("0", "114"));
        let told = next(&mut wrong);
        assert!(told.ends_with("SEQUENCE_NUM=0\nRC_FROM_EVPROD=22\nEND_EVENT_INFO\n"), "{told}");
        fs::write("/mnt/small/large", vec![0; 600 << 10]).unwrap();
        let told = next(&mut full);
        assert_eq!((field(&told, "CURRENT_VALUE"), field(&told, "RC_FROM_EVPROD")), ("59", "1300"));
        shell("umount /mnt/small");
        assert_eq!(field(&next(&mut full), "RC_FROM_EVPROD"), "1310");
        assert_eq!(awaited(&full), PollFlags::ERR);
        place.until_watched(0);
    });
}

#[test]
fn what_a_dead_daemon_left_is_replaced_and_a_living_one_is_not() {
    alone(|| {
        fs::create_dir(AT).unwrap();
        let left = File::options().read(true).write(true).open("/dev/fuse").unwrap();
        let options =
            format!("fd={},rootmode=40000,user_id=0,group_id=0", std::os::fd::AsRawFd::as_raw_fd(&left));
        let options = std::ffi::CString::new(options).unwrap();
        rustix::mount::mount(
            "phalanx-aha",
            AT,
            "fuse.aha",
            rustix::mount::MountFlags::empty(),
            options.as_c_str(),
        )
        .unwrap();
        drop(left);
        assert_eq!(errno(fs::read_dir(AT)), 107, "nobody serves it");
        let events = EventFs::mount(Path::new(AT), drop).unwrap();
        assert!(Path::new(AT).join("evProds.list").exists());
        fs::create_dir("/mnt/second").unwrap();
        let second = EventFs::mount(Path::new("/mnt/second"), drop).err();
        assert!(matches!(second, Some(MountError::InUse(place)) if place == Path::new(AT)));
        drop(events);
        assert!(!Path::new(AT).join("evProds.list").exists());
        assert!(!shell("cat /proc/self/mountinfo").contains("phalanx-aha"));
        assert!(matches!(EventFs::mount(Path::new("/mnt/nowhere"), drop).err(), Some(MountError::Place(..))));
        drop(EventFs::mount(Path::new("/mnt/second"), drop).unwrap());
    });
}

#[test]
fn the_end_of_the_file_system_lets_everybody_go() {
    alone(|| {
        let place = mounted();
        write_into("/mnt/log");
        let path = monitor("fs/modFile", "/mnt/log");
        let line = format!(
            "exec 3<>{}; echo 'CHANGED=YES;WAIT_TYPE=WAIT_IN_READ' >&3; exec cat <&3 2>&1",
            path.display()
        );
        let mut cat = Program::begin(Command::new("sh").args(["-c", &line]));
        let polls = register(&path, "CHANGED=YES");
        assert_eq!(polled(&polls), PollFlags::empty());
        eventually("cat waits, too", || cat.is_reading());
        drop(place);
        assert!(cat.told("cat: ").contains("cat: "));
        assert!(!cat.end().success());
        assert!(awaited(&polls).contains(PollFlags::ERR));
    });
}
