//! What is going to happen, by time and then by the order in which it was said. Pops the earliest.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A future. Keys are small and move in the heap; what happens stays where it is.
pub struct Queue<T> {
    keys: BinaryHeap<Reverse<(u64, u64, u32)>>,
    items: Vec<Option<T>>,
    free: Vec<u32>,
    sequence: u64,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Queue { keys: BinaryHeap::new(), items: Vec::new(), free: Vec::new(), sequence: 0 }
    }
}

impl<T> Queue<T> {
    /// `item` will happen at `at`.
    pub fn push(&mut self, at: u64, item: T) {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.items[slot as usize] = Some(item);
                slot
            }
            None => {
                self.items.push(Some(item));
                self.items.len() as u32 - 1
            }
        };
        self.sequence += 1;
        self.keys.push(Reverse((at, self.sequence, slot)));
    }

    /// What happens next, and when.
    pub fn pop(&mut self) -> Option<(u64, T)> {
        let Reverse((at, _, slot)) = self.keys.pop()?;
        self.free.push(slot);
        let item = self.items[slot as usize].take().expect("each key owns one item");
        Some((at, item))
    }

    /// The same, if it happens at `until` at the latest.
    pub fn pop_before(&mut self, until: u64) -> Option<(u64, T)> {
        let Reverse((at, _, _)) = self.keys.peek()?;
        if *at <= until { self.pop() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_time_then_by_order_of_saying() {
        let mut queue = Queue::default();
        [(5, 'c'), (1, 'a'), (5, 'd'), (3, 'b')].into_iter().for_each(|(at, item)| queue.push(at, item));
        assert_eq!(queue.pop(), Some((1, 'a')));
        queue.push(5, 'e');
        let rest: String = std::iter::from_fn(|| queue.pop()).map(|(_, item)| item).collect();
        assert_eq!(rest, "bcde");
    }
}
