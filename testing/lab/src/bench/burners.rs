//! Threads that keep every core busy, as urgent as any ordinary program.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// Work between two looks whether to stop.
const ROUND: u64 = 100_000;

/// Burners; dropped, they stop.
pub struct Burners {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Burners {
    /// As many as there are cores.
    pub fn light() -> Burners {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let stop = Arc::new(AtomicBool::new(false));
        let burn = |_| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    black_box((0..ROUND).fold(0u64, |sum, number| black_box(sum.wrapping_mul(31) ^ number)));
                }
            })
        };
        let threads = (0..cores).map(burn).collect();
        Burners { stop, threads }
    }

    /// How many burn.
    pub fn count(&self) -> usize {
        self.threads.len()
    }
}

impl Drop for Burners {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}
