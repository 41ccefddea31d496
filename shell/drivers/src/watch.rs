//! Watches the main processes of applications: takes in what they print, and tells when one ends unasked.

use crate::host::{Host, Key, Report, Reporter, lock};
use phalanx_exec::{Ending, Process};
use phalanx_types::Tick;
use rustix::fs::{CWD, Mode, OFlags, mkfifoat, open};
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::{io, thread};

const STACK_BYTES: usize = 128 * 1024;

/// Whether anybody wants to hear of an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Its end is a failure, and told.
    Tell,
    /// It may end.
    Ignore,
}

/// The main processes that are watched.
#[derive(Default)]
pub(crate) struct Watches {
    watched: Arc<Mutex<BTreeMap<Key, Arc<AtomicBool>>>>,
}

impl Watches {
    pub(crate) fn has(&self, key: &Key) -> bool {
        lock(&self.watched).contains_key(key)
    }

    /// Watches `process` until it ends.
    pub(crate) fn begin(&self, host: &Host, key: &Key, mut process: Process, wish: Wish) -> io::Result<()> {
        let expected = Arc::new(AtomicBool::new(false));
        lock(&self.watched).insert(key.clone(), Arc::clone(&expected));
        let (watched, records, report) =
            (Arc::clone(&self.watched), Arc::clone(&host.records), Arc::clone(&host.report));
        let (key, main) = (key.clone(), process.birth().map(|birth| (process.pid(), birth)));
        let watch = move || {
            // Where it is refused so is the daemon's own attempt, which tells why.
            let _ = phalanx_realtime::make_helper();
            let ending = process.wait(Tick::NEVER).unwrap_or(Ending::Unseen);
            main.into_iter().for_each(|main| records.forget_main(&key, main));
            // Another may have taken its place.
            lock(&watched).extract_if(.., |_, its| Arc::ptr_eq(its, &expected)).for_each(drop);
            if !expected.load(SeqCst) {
                tell(&report, &key, wish, &words(ending, &process.output()));
            }
        };
        thread::Builder::new().name("application".into()).stack_size(STACK_BYTES).spawn(watch).map(drop)
    }

    /// From now on the end of `key` is what was asked for.
    pub(crate) fn expect_end(&self, key: &Key) {
        lock(&self.watched).get(key).into_iter().for_each(|expected| expected.store(true, SeqCst));
    }
}

/// Tells an end that nobody asked for, if anybody wants to hear of it.
pub(crate) fn tell(report: &Reporter, key: &Key, wish: Wish, how: &str) {
    match wish {
        Wish::Tell => {
            report(Report::Ended {
                group: key.group.clone(),
                resource: key.resource.clone(),
                how: how.into(),
            });
        }
        Wish::Ignore => {}
    }
}

fn words(ending: Ending, output: &str) -> String {
    let last = output.lines().last().map(|line| format!("; it last said: {line}")).unwrap_or_default();
    format!("{ending}{last}")
}

/// A pipe with a name: what an application prints finds a reader in every life of the daemon. The application itself
/// keeps the pipe open for reading too, so that between two lives it is not ended by SIGPIPE.
pub(crate) fn make_output(path: &Path) -> io::Result<(OwnedFd, OwnedFd)> {
    // Not the one of an earlier start, which something left over may still fill.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Err(_) | Ok(()) => mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR)?,
    }
    let read = open_output(path)?;
    let write = open(path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    Ok((read, write))
}

/// The reading end of an application's output.
pub(crate) fn open_output(path: &Path) -> io::Result<OwnedFd> {
    Ok(open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?)
}
