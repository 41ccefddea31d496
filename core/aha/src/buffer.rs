//! The buffer of one open monitor file: whole records in the order in which they came, the oldest overwritten first.

use std::collections::VecDeque;
use std::mem;

/// What is read where unread records were overwritten.
pub const BUF_WRAP: &str = "BUF_WRAP";
/// What is read in front of a record that is larger than the buffer.
pub const EVENT_OVERFLOW: &str = "EVENT_OVERFLOW";

/// Records that were not read yet, at most so many bytes of them.
#[derive(Clone, Debug)]
pub struct Buffer {
    bytes_max: usize,
    /// Bytes that were not read yet.
    bytes: usize,
    records: VecDeque<Record>,
    wrapped: bool,
    /// What is left of a word that is being read.
    word: &'static str,
}

#[derive(Clone, Debug)]
struct Record {
    bytes: Vec<u8>,
    /// How many of them were read.
    read: usize,
    /// Only its beginning fitted, and that was not said yet.
    overflows: bool,
}

impl Record {
    fn unread(&self) -> usize {
        self.bytes.len() - self.read
    }
}

impl Buffer {
    /// An empty one for `bytes_max`.
    pub fn new(bytes_max: usize) -> Buffer {
        Buffer { bytes_max, bytes: 0, records: VecDeque::new(), wrapped: false, word: "" }
    }

    /// How many bytes it takes.
    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Takes in a record, and lets go of as many of the oldest as it needs room.
    pub fn push(&mut self, mut record: Vec<u8>) {
        let overflows = record.len() > self.bytes_max;
        record.truncate(self.bytes_max);
        while self.bytes + record.len() > self.bytes_max {
            let oldest = self.records.pop_front().expect("what is kept takes the room that is lacking");
            self.bytes -= oldest.unread();
            self.wrapped = true;
        }
        self.bytes += record.len();
        self.records.push_back(Record { bytes: record, read: 0, overflows });
    }

    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.word.is_empty() && self.records.is_empty()
    }

    /// What one read of at most `most` bytes is given: a word, or what is left of one record.
    pub fn read(&mut self, most: usize) -> Vec<u8> {
        if self.word.is_empty() {
            self.word = self.next_word();
        }
        match self.word {
            "" => self.read_record(most),
            word => {
                let (now, later) = word.split_at(most.min(word.len()));
                self.word = later;
                now.into()
            }
        }
    }

    fn next_word(&mut self) -> &'static str {
        if mem::take(&mut self.wrapped) {
            return BUF_WRAP;
        }
        let overflows = self.records.front_mut().is_some_and(|record| mem::take(&mut record.overflows));
        if overflows { EVENT_OVERFLOW } else { "" }
    }

    fn read_record(&mut self, most: usize) -> Vec<u8> {
        let Some(record) = self.records.front_mut() else { return Vec::new() };
        let count = record.unread().min(most);
        let read = record.bytes[record.read..record.read + count].to_vec();
        record.read += count;
        self.bytes -= count;
        if record.unread() == 0 {
            self.records.pop_front();
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn read(buffer: &mut Buffer, most: usize) -> String {
        String::from_utf8(buffer.read(most)).unwrap()
    }

    fn check(bytes_max: usize, records: &[&str], expected: &[&str]) {
        let mut buffer = Buffer::new(bytes_max);
        records.iter().for_each(|record| buffer.push(record.as_bytes().to_vec()));
        let mut reads = Vec::new();
        while !buffer.is_empty() {
            reads.push(read(&mut buffer, 4_096));
        }
        assert_eq!(reads, expected);
    }

    #[test]
    fn what_fits_is_read_a_record_at_a_time() {
        check(9, &["one", "two", "six"], &["one", "two", "six"]);
        check(9, &[], &[]);
    }

    #[test]
    fn the_oldest_are_overwritten_and_that_is_said_once() {
        check(9, &["one", "two", "six", "x"], &["BUF_WRAP", "two", "six", "x"]);
        check(9, &["one", "two", "six", "seventh"], &["BUF_WRAP", "seventh"]);
    }

    #[test]
    fn of_what_never_fits_the_beginning_is_read() {
        check(4, &["seventh"], &["EVENT_OVERFLOW", "seve"]);
        check(4, &["one", "seventh"], &["BUF_WRAP", "EVENT_OVERFLOW", "seve"]);
        check(4, &["seventh", "one"], &["BUF_WRAP", "one"]);
    }

    #[test]
    fn a_record_is_overwritten_while_it_is_read_and_a_wrap_follows_a_wrap() {
        let mut buffer = Buffer::new(8);
        buffer.push(b"abcdefgh".to_vec());
        assert_eq!(read(&mut buffer, 3), "abc");
        buffer.push(b"ijk".to_vec());
        assert_eq!(read(&mut buffer, 3), "def", "what was read makes room");
        buffer.push(b"lmnop".to_vec());
        assert_eq!(read(&mut buffer, 4), "BUF_");
        buffer.push(b"qrs".to_vec());
        assert_eq!(read(&mut buffer, 9), "WRAP", "the rest of the word comes first");
        assert_eq!(read(&mut buffer, 9), "BUF_WRAP");
        assert_eq!(read(&mut buffer, 9), "lmnop");
        assert_eq!(read(&mut buffer, 9), "qrs");
        assert!(buffer.is_empty());
    }

    /// A naive twin: all that was ever pushed, and from where on it is still kept.
    #[derive(Default)]
    struct Twin {
        records: Vec<Vec<u8>>,
        first: usize,
    }

    proptest! {
        #[test]
        fn it_keeps_the_latest_that_fit_and_says_so_when_some_are_gone(
            bytes_max in 1..40usize, steps in vec(prop_oneof![(0..60usize).prop_map(Some), Just(None)], 0..60)
        ) {
            let (mut buffer, mut twin) = (Buffer::new(bytes_max), Twin::default());
            for (number, step) in steps.into_iter().enumerate() {
                if let Some(length) = step {
                    let record = vec![number as u8; length + 1];
                    buffer.push(record.clone());
                    twin.records.push(record);
                    let lost = twin.first;
                    let kept = |first: usize| twin.records[first..].iter().map(|record| record.len().min(bytes_max));
                    while kept(twin.first).sum::<usize>() > bytes_max {
                        twin.first += 1;
                    }
                    prop_assert!(buffer.bytes <= bytes_max);
                    if twin.first > lost {
                        prop_assert_eq!(buffer.read(99), BUF_WRAP.as_bytes());
                    }
                } else if let Some(record) = twin.records.get(twin.first) {
                    twin.first += 1;
                    if record.len() > bytes_max {
                        prop_assert_eq!(buffer.read(99), EVENT_OVERFLOW.as_bytes());
                    }
                    prop_assert_eq!(buffer.read(99), &record[..record.len().min(bytes_max)]);
                } else {
                    prop_assert!(buffer.is_empty());
                    prop_assert!(buffer.read(99).is_empty());
                }
            }
        }
    }
}
