//! How long this machine itself keeps a thread waiting that is as urgent as a daemon's: what no daemon can help.

use phalanx_realtime::make_realtime;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_millis(5);

/// A thread that only sleeps and looks at how late it wakes.
pub struct Witness {
    stop: Arc<AtomicBool>,
    worst_us: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Witness {
    /// Begins to look.
    pub fn start() -> Witness {
        let (stop, worst_us) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (ended, worst) = (Arc::clone(&stop), Arc::clone(&worst_us));
        let thread = thread::spawn(move || {
            // Where that is not allowed daemons are no more urgent either.
            let _ = make_realtime();
            while !ended.load(Ordering::Relaxed) {
                let began = Instant::now();
                thread::sleep(EVERY);
                let late = began.elapsed().saturating_sub(EVERY);
                worst.fetch_max(u64::try_from(late.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
            }
        });
        Witness { stop, worst_us, thread: Some(thread) }
    }

    /// The longest that it was kept waiting, in milliseconds.
    pub fn worst_ms(&self) -> u64 {
        self.worst_us.load(Ordering::Relaxed) / 1_000
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
