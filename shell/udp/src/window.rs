//! The replay window: each counter is taken once, also when datagrams overtake each other.

/// Counters behind the newest one that are still taken.
pub(crate) const WINDOW: u64 = 1024;
const WORDS: usize = (WINDOW / 64) as usize;

/// Which counters were seen. It moves only for datagrams that have authenticated.
#[derive(Default)]
pub(crate) struct Window {
    newest: u64,
    seen: [u64; WORDS],
}

impl Window {
    /// Whether `counter` was not seen and is not too old to tell.
    pub(crate) fn is_fresh(&self, counter: u64) -> bool {
        let old = self.newest.saturating_sub(counter) >= WINDOW;
        let known = counter <= self.newest && self.seen[word(counter)] & bit(counter) != 0;
        counter != 0 && !old && !known
    }

    /// Takes a counter that is fresh.
    pub(crate) fn take(&mut self, counter: u64) {
        if counter > self.newest {
            self.advance(counter);
        }
        self.seen[word(counter)] |= bit(counter);
    }

    fn advance(&mut self, counter: u64) {
        let passed = (counter - self.newest).min(WINDOW);
        for step in 1..=passed {
            let cleared = self.newest.wrapping_add(step);
            self.seen[word(cleared)] &= !bit(cleared);
        }
        if passed == WINDOW {
            self.seen = [0; WORDS];
        }
        self.newest = counter;
    }
}

fn word(counter: u64) -> usize {
    (counter % WINDOW / 64) as usize
}

fn bit(counter: u64) -> u64 {
    1 << (counter % 64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        /// The naive twin keeps every counter it took.
        #[test]
        fn like_a_set_of_all_counters(steps in proptest::collection::vec((any::<bool>(), 0..3000u64), 0..200)) {
            let (mut window, mut taken, mut newest) = (Window::default(), BTreeSet::new(), 0);
            for (ahead, step) in steps {
                let counter = if ahead { newest + step % 40 } else { (newest + 5).saturating_sub(step) };
                let fresh = counter != 0 && counter + WINDOW > newest && !taken.contains(&counter);
                prop_assert_eq!(window.is_fresh(counter), fresh, "{} of {}", counter, newest);
                if fresh {
                    window.take(counter);
                    taken.insert(counter);
                    newest = newest.max(counter);
                }
            }
        }
    }

    #[test]
    fn the_ends_of_the_counter_do_not_overflow() {
        let mut window = Window::default();
        assert!(!window.is_fresh(0));
        window.take(u64::MAX);
        assert!(!window.is_fresh(u64::MAX) && window.is_fresh(u64::MAX - 1) && !window.is_fresh(1));
    }
}
