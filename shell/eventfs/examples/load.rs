//! What the event file system carries: 1,000 monitor files, 10,000 files made a second, each of which is one occurrence for one
//! program. Mounts it on a memory file system in a mount namespace of its own; needs root. Prints figures, a JSON object a line.
//!
//! `SECONDS=5` says for how long.

use phalanx_eventfs::EventFs;
use rustix::event::epoll;
use rustix::thread::{UnshareFlags, unshare_unsafe};
use rustix::time::{ClockId, clock_gettime};
use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

const MONITORS: usize = 1_000;
const PER_SECOND: u64 = 10_000;
/// Files are made in bundles, one each so often.
const BUNDLE: u64 = 100;
const BUNDLE_EVERY: Duration = Duration::from_millis(10);
const SECONDS_DEFAULT: u64 = 5;
/// How long the last of them are waited for.
const PATIENCE_MILLIS: i64 = 2_000;
/// The median of the time from the making of a file to the end of the read that tells of it.
const GOAL_MILLIS: u64 = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let seconds = std::env::var("SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SECONDS_DEFAULT);
    let place = furnish()?;
    let events = EventFs::mount(&place.join("aha"), |refused| eprintln!("{}", refused.why))?;
    let mut monitors =
        (0..MONITORS).map(|number| register(&place, number)).collect::<Result<Vec<File>, _>>()?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for (number, monitor) in monitors.iter().enumerate() {
        epoll::add(&epoll, monitor, epoll::EventData::new_u64(number as u64), epoll::EventFlags::IN)?;
    }
    let all = PER_SECOND * seconds;
    let maker = thread::spawn(move || make(&place, all));
    let mut told = Told { expected: vec![0; MONITORS], gaps: 0, delays: Vec::new() };
    let mut ready = Vec::with_capacity(MONITORS);
    let patience = rustix::time::Timespec { tv_sec: PATIENCE_MILLIS / 1_000, tv_nsec: 0 };
    while (told.delays.len() as u64) < all {
        ready.clear();
        if epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut ready), Some(&patience))? == 0 {
            break;
        }
        for event in &ready {
            let number = event.data.u64() as usize;
            told.read(&mut monitors[number], number)?;
        }
    }
    let took = maker.join().expect("files can be made")?;
    told.print(all, took);
    drop(events);
    Ok(())
}

fn furnish() -> Result<std::path::PathBuf, Box<dyn Error>> {
    // SAFETY: there is no other thread yet that could use what is no longer shared.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS) }?;
    let slave = rustix::mount::MountPropagationFlags::DOWNSTREAM | rustix::mount::MountPropagationFlags::REC;
    rustix::mount::mount_change("/", slave)?;
    let nothing = rustix::mount::MountFlags::empty();
    rustix::mount::mount("load", "/mnt", "tmpfs", nothing, None)?;
    let place = Path::new("/mnt").to_owned();
    fs::create_dir(place.join("aha"))?;
    (0..MONITORS).try_for_each(|number| fs::create_dir(place.join(number.to_string())))?;
    Ok(place)
}

fn register(place: &Path, number: usize) -> std::io::Result<File> {
    let folder = place.join("aha/fs/modDir.monFactory/mnt");
    fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{number}.mon"));
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    file.write_all(b"CHANGED=YES;INFO_LVL=2;BUF_SIZE=65536")?;
    Ok(file)
}

/// Makes so many files, each called after the moment when it was made, and says how long that took.
fn make(place: &Path, all: u64) -> std::io::Result<Duration> {
    let begun = Instant::now();
    for number in 0..all {
        if number % BUNDLE == 0 {
            let due = begun + BUNDLE_EVERY * (number / BUNDLE) as u32;
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        let folder = place.join((number as usize % MONITORS).to_string());
        File::create(folder.join(nanoseconds().to_string()))?;
    }
    Ok(begun.elapsed())
}

fn nanoseconds() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

struct Told {
    expected: Vec<u64>,
    gaps: u64,
    delays: Vec<u64>,
}

impl Told {
    fn read(&mut self, monitor: &mut File, number: usize) -> std::io::Result<()> {
        let mut bytes = [0; 4_096];
        let count = monitor.read(&mut bytes)?;
        let record = String::from_utf8_lossy(&bytes[..count]);
        let sequence: Option<u64> =
            record.lines().find_map(|line| line.strip_prefix("SEQUENCE_NUM=")?.parse().ok());
        let name = record.lines().skip_while(|line| *line != "BEGIN_EVPROD_INFO").nth(1);
        let (Some(sequence), Some(made)) = (sequence, name.and_then(|name| name.parse().ok())) else {
            self.gaps += 1;
            return Ok(());
        };
        self.gaps += u64::from(sequence != self.expected[number]);
        self.expected[number] = sequence + 1;
        self.delays.push(nanoseconds().saturating_sub(made));
        Ok(())
    }

    fn print(mut self, all: u64, took: Duration) {
        let lost = all - self.delays.len() as u64 + self.gaps;
        let rate = all * 1_000 / (took.as_millis() as u64).max(1);
        self.delays.sort_unstable();
        let at = |part: usize| {
            self.delays.get(self.delays.len() * part / 100).copied().unwrap_or(u64::MAX) / 1_000
        };
        figure("aha_events_lost", lost, "of all", 0, lost == 0);
        figure("aha_events_per_second", rate, "1/s", PER_SECOND * 99 / 100, rate >= PER_SECOND * 99 / 100);
        let goal = GOAL_MILLIS * 1_000;
        figure("aha_event_us_median", at(50), "us", goal, at(50) <= goal);
    }
}

fn figure(name: &str, value: u64, unit: &str, goal: u64, met: bool) {
    println!(
        "{{\"figure\": \"{name}\", \"value\": {value}, \"unit\": \"{unit}\", \"goal\": {goal}, \"met\": {met}}}"
    );
}
