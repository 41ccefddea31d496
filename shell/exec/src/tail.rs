//! The end of what a process printed: the newest few kilobytes, however much it was.

use std::collections::VecDeque;
use std::os::fd::AsFd;

/// What is kept of a process's output.
pub(crate) const OUTPUT_BYTES_MAX: usize = 4_096;
const READ_BYTES: usize = 4_096;
/// Reads in a row; one that prints without end must not keep its reader from looking at the clock.
const READS_MAX: usize = 64;

/// The newest output.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    bytes: VecDeque<u8>,
}

/// Whether more can come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    Open,
    Ended,
}

impl Tail {
    /// Takes what is waiting in `source`, which does not block.
    pub(crate) fn drain(&mut self, source: impl AsFd) -> Flow {
        let mut buffer = [0; READ_BYTES];
        for _ in 0..READS_MAX {
            match rustix::io::read(&source, &mut buffer) {
                Ok(0) => return Flow::Ended,
                Ok(count) => self.push(&buffer[..count]),
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return Flow::Open,
                Err(_) => return Flow::Ended,
            }
        }
        Flow::Open
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        let excess = self.bytes.len().saturating_sub(OUTPUT_BYTES_MAX);
        self.bytes.drain(..excess);
    }

    /// As text, without blanks at its ends.
    pub(crate) fn text(&self) -> String {
        let bytes: Vec<u8> = self.bytes.iter().copied().collect();
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_is_kept() {
        let mut tail = Tail::default();
        (0..10_000).for_each(|n| tail.push(format!("{n}\n").as_bytes()));
        assert!(tail.text().ends_with("9999") && tail.text().len() < OUTPUT_BYTES_MAX);
    }
}
