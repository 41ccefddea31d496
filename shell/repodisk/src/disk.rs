//! The thread of a disk, and who is told what became of each read and write.

use crate::device::Device;
use phalanx_realtime::{Bell, Giver, Refused, Taker, make_helper, queue};
use phalanx_repository::SectorBytes;
use phalanx_types::Tick;
use phalanx_types::limits::REPOSITORY_JOBS_MAX;
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{fmt, io, thread};

const STACK_BYTES: usize = 256 << 10;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// Read so many sectors side by side, in one system call.
    Read {
        /// The first.
        place: u64,
        /// How many.
        sectors: usize,
    },
    /// Write one sector.
    Write {
        /// Where.
        place: u64,
        /// What.
        bytes: Box<SectorBytes>,
    },
    /// Make durable what was written.
    Sync,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// What was read.
    Read(Vec<SectorBytes>),
    /// It was written, or made durable.
    Written,
}

/// Why something was not done, or nobody knows.
#[derive(Debug)]
pub enum Fault {
    /// The disk said so. What was to be written may be there in part.
    Io(io::Error),
    /// It was not done in time, and the disk is given up. A write may still arrive, at any time until [`Disk::is_let_go`].
    Overdue,
    /// The disk was given up before: nothing was done.
    GivenUp,
    /// Too much waits already: nothing was done.
    Full,
}

/// One read, write or sync of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobId(u64);

/// A disk in use. Nothing here waits for it.
#[derive(Debug)]
pub struct Disk {
    jobs: Giver<(JobId, Job)>,
    answers: Taker<(JobId, io::Result<Done>)>,
    bell: Arc<Bell>,
    fate: Arc<Fate>,
    /// What was asked and is not answered, in order, each with its deadline.
    open: VecDeque<(JobId, Tick)>,
    last: u64,
}

/// What owner and thread know of each other.
#[derive(Debug, Default)]
struct Fate {
    /// The owner has given the disk up: begin nothing more.
    given_up: AtomicBool,
    /// The thread has ended, and with it everything that was begun.
    let_go: AtomicBool,
}

impl Disk {
    /// Starts the thread of a device.
    pub fn start(device: Device) -> io::Result<Disk> {
        let (jobs, waiting) = queue(REPOSITORY_JOBS_MAX);
        let (given, answers) = queue(usize::MAX);
        let (bell, fate) = (Arc::new(Bell::new()?), Arc::new(Fate::default()));
        let (ring, end) = (Arc::clone(&bell), Arc::clone(&fate));
        let work = move || {
            // The owner may be real-time, and they share locks. Without the right to be, both are ordinary.
            let _ = make_helper();
            carry_out(&device, &waiting, &given, &ring, &end);
            drop(device);
            end.let_go.store(true, Ordering::SeqCst);
            ring.ring();
        };
        thread::Builder::new().name("repository".into()).stack_size(STACK_BYTES).spawn(work)?;
        Ok(Disk { jobs, answers, bell, fate, open: VecDeque::new(), last: 0 })
    }

    /// Asks for something to be done until `deadline`; those asked before come first.
    pub fn ask(&mut self, job: Job, deadline: Tick) -> Result<JobId, Fault> {
        if self.is_given_up() {
            return Err(Fault::GivenUp);
        }
        let id = JobId(self.last + 1);
        self.jobs.give((id, job)).map_err(|refused| match refused {
            Refused::Full => Fault::Full,
            Refused::Gone => Fault::GivenUp,
        })?;
        self.last = id.0;
        self.open.push_back((id, deadline));
        Ok(id)
    }

    /// What became of the next job that was asked for, if anything has by `now`. Whoever waits for the bell hears until there is
    /// nothing more.
    pub fn hear(&mut self, now: Tick) -> Option<(JobId, Result<Done, Fault>)> {
        self.bell.hush();
        if self.is_given_up() {
            return self.open.pop_front().map(|(id, _)| (id, Err(Fault::GivenUp)));
        }
        if let Some((id, outcome)) = self.answers.take() {
            self.open.retain(|(open, _)| *open != id);
            return Some((id, outcome.map_err(Fault::Io)));
        }
        let (id, _) = self.open.pop_front_if(|(_, deadline)| *deadline <= now)?;
        self.fate.given_up.store(true, Ordering::SeqCst);
        Some((id, Err(Fault::Overdue)))
    }

    /// When to hear again at the latest.
    pub fn wake_at(&self) -> Tick {
        self.open.front().map_or(Tick::NEVER, |(_, deadline)| *deadline)
    }

    /// Whether something was not done in time. Nothing will be done with this disk any more.
    pub fn is_given_up(&self) -> bool {
        self.fate.given_up.load(Ordering::SeqCst)
    }

    /// Whether the thread of a disk that was given up has ended: until then a write that it had begun may still arrive, and whoever
    /// would claim by that disk again has to wait.
    pub fn is_let_go(&self) -> bool {
        self.fate.let_go.load(Ordering::SeqCst)
    }
}

impl AsFd for Disk {
    /// Readable when there may be something to hear.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

fn carry_out(
    device: &Device,
    jobs: &Taker<(JobId, Job)>,
    answers: &Giver<(JobId, io::Result<Done>)>,
    bell: &Bell,
    fate: &Fate,
) {
    while let Some((id, job)) = jobs.wait() {
        if fate.given_up.load(Ordering::SeqCst) {
            return;
        }
        let outcome = match job {
            Job::Read { place, sectors } => device.read(place, sectors).map(Done::Read),
            Job::Write { place, bytes } => device.write(place, &bytes).map(|()| Done::Written),
            Job::Sync => device.sync().map(|()| Done::Written),
        };
        if answers.give((id, outcome)).is_err() {
            return;
        }
        bell.ring();
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Io(error) => write!(f, "{error}"),
            Fault::Overdue => f.write_str("it was not done in time, and the disk is given up"),
            Fault::GivenUp => f.write_str("the disk was given up"),
            Fault::Full => f.write_str("too much waits for the disk already"),
        }
    }
}

impl std::error::Error for Fault {}
