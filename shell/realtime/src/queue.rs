//! A queue between a real-time thread and its helpers, whose ends sleep where they have to wait.
//!
//! The channels of the standard library spin there: one end that was preempted half way through has the other yield and
//! look again. A real-time thread that does so on the same core keeps the one that it waits for from ever going on; the
//! kernel ends that after most of a second. Here the ends share a lock, and whoever waits for that gives up its core.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The end that gives. Once all of them are gone the queue is over.
#[derive(Debug)]
pub struct Giver<T> {
    shared: Arc<Shared<T>>,
}

/// The end that takes.
#[derive(Debug)]
pub struct Taker<T> {
    shared: Arc<Shared<T>>,
}

/// Why something was not taken on; nothing waits that did not before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// As much as may wait is waiting.
    Full,
    /// Nobody will take it any more.
    Gone,
}

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    limit: usize,
    givers: usize,
    is_taken: bool,
    /// Who waits for something to take: only then a system call wakes somebody.
    sleepers: usize,
}

/// Both ends of a queue in which at most `limit` things wait.
pub fn queue<T>(limit: usize) -> (Giver<T>, Taker<T>) {
    let state = State { waiting: VecDeque::new(), limit, givers: 1, is_taken: true, sleepers: 0 };
    let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
    (Giver { shared: Arc::clone(&shared) }, Taker { shared })
}

impl<T> Shared<T> {
    /// What a thread that broke down left is whole: nothing in here can break half way.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Giver<T> {
    /// Leaves something, without waiting for room.
    pub fn give(&self, thing: T) -> Result<(), Refused> {
        let mut state = self.shared.lock();
        match () {
            () if !state.is_taken => return Err(Refused::Gone),
            () if state.waiting.len() >= state.limit => return Err(Refused::Full),
            () => state.waiting.push_back(thing),
        }
        let is_awaited = state.sleepers > 0;
        drop(state);
        if is_awaited {
            self.shared.changed.notify_one();
        }
        Ok(())
    }
}

impl<T> Taker<T> {
    /// The next thing, if there is one.
    pub fn take(&self) -> Option<T> {
        self.shared.lock().waiting.pop_front()
    }

    /// The next thing, waiting for it; `None` once the queue is empty and over.
    pub fn wait(&self) -> Option<T> {
        let mut state = self.shared.lock();
        while state.waiting.is_empty() && state.givers > 0 {
            state.sleepers += 1;
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.sleepers -= 1;
        }
        state.waiting.pop_front()
    }

    /// Whether nobody will give anything more.
    pub fn is_over(&self) -> bool {
        let state = self.shared.lock();
        state.givers == 0 && state.waiting.is_empty()
    }
}

impl<T> Clone for Giver<T> {
    fn clone(&self) -> Giver<T> {
        self.shared.lock().givers += 1;
        Giver { shared: Arc::clone(&self.shared) }
    }
}

impl<T> Drop for Giver<T> {
    fn drop(&mut self) {
        self.shared.lock().givers -= 1;
        self.shared.changed.notify_one();
    }
}

impl<T> Drop for Taker<T> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.is_taken = false;
        // What waits may itself give here when it ends: not under the lock.
        let rest = std::mem::take(&mut state.waiting);
        drop(state);
        drop(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn what_is_given_is_taken_in_order_and_then_it_is_over() {
        let (giver, taker) = queue(usize::MAX);
        let other = giver.clone();
        assert_eq!((taker.take(), taker.is_over()), (None::<u32>, false));
        (0..3).for_each(|number| giver.give(number).unwrap());
        drop((giver, other));
        assert!(!taker.is_over(), "something waits");
        assert_eq!(
            [taker.wait(), taker.take(), taker.wait(), taker.wait()],
            [Some(0), Some(1), Some(2), None]
        );
        assert!(taker.is_over());
    }

    #[test]
    fn one_too_many_and_one_too_late_are_refused() {
        let (giver, taker) = queue(1);
        assert_eq!((giver.give('a'), giver.give('b')), (Ok(()), Err(Refused::Full)));
        drop(taker);
        assert_eq!(giver.give('c'), Err(Refused::Gone));
    }

    #[test]
    fn many_give_and_one_takes_everything() {
        const EACH: u64 = 1_000;
        let (giver, taker) = queue(usize::MAX);
        let givers: Vec<_> = (0..4).map(|_| giver.clone()).collect();
        drop(giver);
        let give = |giver: Giver<u64>| {
            thread::spawn(move || (0..EACH).for_each(|number| giver.give(number).unwrap()))
        };
        let threads: Vec<_> = givers.into_iter().map(give).collect();
        let sum: u64 = std::iter::from_fn(|| taker.wait()).sum();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(sum, 4 * EACH * (EACH - 1) / 2);
    }
}
