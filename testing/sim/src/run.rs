//! One seed, from boot to verdict; and many, on as many threads as one likes, with the same result.

use crate::fault::Mode;
use crate::flight::Recorder;
use crate::node::Factory;
use crate::points::Points;
use crate::report::Report;
use crate::setting::{Lite, Setting};
use crate::trace::Trace;
use crate::world::World;
use phalanx_model::Quorum;
use phalanx_oracle::{Census, GlobalTime, Violation};
use phalanx_types::Span;
use std::io::{self, Write};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// How one seed ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// How long it ran, in virtual time.
    pub elapsed: Span,
    /// Events and frames.
    pub events: u64,
    /// What happened, counted.
    pub census: Census,
    /// Which rare branches were taken.
    pub points: Points,
    /// Digest of all that happened.
    pub digest: u64,
    /// What went wrong, and the last events before it.
    pub violation: Option<(Violation, String)>,
}

/// What to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Course {
    /// What is fixed of the cluster.
    pub lite: Lite,
    /// Which faults.
    pub mode: Mode,
    /// Whether everything must be well in the end, too.
    pub judge: Judge,
}

impl Course {
    /// The cluster of this seed.
    pub fn setting(&self, seed: u64) -> Setting {
        let quorum = match self.mode.of(seed) {
            Mode::Dwindle => Quorum::Dynamic,
            Mode::Swarm | Mode::Stress | Mode::Freeze | Mode::Form | Mode::Groups | Mode::Mixed => {
                self.lite.quorum
            }
        };
        let setting = match self.mode {
            Mode::Mixed => Setting::draw_wide(seed, self.lite),
            Mode::Swarm | Mode::Stress | Mode::Freeze | Mode::Form | Mode::Groups | Mode::Dwindle => {
                Setting::draw(seed, self.lite)
            }
        };
        Setting { quorum, ..setting }
    }
}

/// What a run is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judge {
    /// Safety and liveness.
    All,
    /// Safety only.
    Safety,
    /// This property, whichever kind it is of, and that nothing panics.
    Only(&'static str),
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without words".into())
}

/// Runs one seed. A panic of a core is a violation like any other.
pub fn run_seed<F: Factory>(factory: &F, seed: u64, course: Course, trace: Trace) -> Outcome {
    run_world(factory, seed, course, trace).0
}

/// Runs one seed and writes its flight record; `command` runs it again.
pub fn record_seed<F: Factory>(
    factory: &F,
    seed: u64,
    course: Course,
    command: String,
    out: Box<dyn Write + Send>,
) -> io::Result<Outcome> {
    let recorder = Recorder::new(out, seed, command, &course.setting(seed).text());
    let (outcome, mut trace) = run_world(factory, seed, course, Trace::recorded(recorder));
    let violation = outcome.violation.as_ref().map(|(violation, _)| violation);
    trace.end(outcome.elapsed.0, violation)?;
    Ok(outcome)
}

fn run_world<F: Factory>(factory: &F, seed: u64, course: Course, trace: Trace) -> (Outcome, Trace) {
    let mut world = World::new(factory.clone(), seed, course, trace);
    let verdict = catch_unwind(AssertUnwindSafe(|| world.run()));
    let violation = match verdict {
        Ok(verdict) => verdict.err(),
        Err(panic) => {
            let (words, at) = (words_of(panic.as_ref()), GlobalTime(world.elapsed().0));
            Some(Violation { property: "NO-PANIC", words, at })
        }
    };
    let outcome = Outcome {
        seed,
        elapsed: world.elapsed(),
        events: world.trace.events(),
        digest: world.trace.digest(),
        violation: violation.map(|violation| (violation, world.trace.tail())),
        census: world.census,
        points: world.points,
    };
    (outcome, world.trace)
}

/// Runs many seeds on `jobs` threads; `progress` hears how many are done.
pub fn run_many<F: Factory>(
    factory: &F,
    seeds: Range<u64>,
    course: Course,
    jobs: usize,
    progress: &(dyn Fn(u64) + Sync),
) -> Report {
    let (next, done) = (AtomicU64::new(seeds.start), AtomicU64::new(0));
    let work = || {
        let claim = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < seeds.end);
        let run = |seed| {
            let outcome = run_seed(factory, seed, course, Trace::default());
            progress(done.fetch_add(1, Ordering::Relaxed) + 1);
            outcome
        };
        std::iter::from_fn(claim).map(run).collect::<Vec<_>>()
    };
    let mut outcomes: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("seeds catch their panics")).collect()
    });
    outcomes.sort_by_key(|outcome| outcome.seed);
    let mut report = Report::default();
    outcomes.into_iter().for_each(|outcome| report.add(outcome));
    report
}

/// Runs seeds until one is violated; says which, and what.
pub fn first_violation<F: Factory>(
    factory: &F,
    seeds: Range<u64>,
    course: Course,
    jobs: usize,
) -> Option<(u64, Violation)> {
    let (next, found) = (AtomicU64::new(seeds.start), AtomicU64::new(seeds.end));
    let work = || {
        // Every seed below the lowest one found is run, so the result does not depend on the threads.
        let claim = || {
            Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < found.load(Ordering::Relaxed))
        };
        let violated = |seed| {
            let (violation, _) = run_seed(factory, seed, course, Trace::default()).violation?;
            found.fetch_min(seed, Ordering::Relaxed);
            Some((seed, violation))
        };
        std::iter::from_fn(claim).filter_map(violated).collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(work)).collect();
        let all = threads.into_iter().flat_map(|thread| thread.join().expect("seeds catch their panics"));
        all.min_by_key(|(seed, _)| *seed)
    })
}
