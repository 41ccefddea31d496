//! Steal time: for how long this host's processors wanted to run and its hypervisor ran something else.
//!
//! The kernel counts it in hundredths of a second since boot. It is opened once, and read into a buffer of its own: reading
//! waits for nothing and needs no memory.

use phalanx_types::Span;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The kernel's unit of time for programs (`USER_HZ`), on all architectures that Phalanx runs on.
const CLOCK_TICK: Span = Span::from_millis(10);
/// The lines of so many processors fit into this; those of others are not looked at.
const READ_BYTES: usize = 4_096;
/// Which number behind a processor's name it is: user, nice, system, idle, iowait, irq, softirq, steal.
const STEAL_FIELD: usize = 7;

/// Where it is read.
#[derive(Debug)]
pub struct StealClock {
    file: File,
}

impl StealClock {
    /// Opens it.
    pub fn open() -> io::Result<StealClock> {
        Ok(StealClock { file: File::open("/proc/stat")? })
    }

    /// The most that was stolen of any processor since boot.
    pub fn read(&self) -> io::Result<Span> {
        let mut bytes = [0; READ_BYTES];
        let length = self.file.read_at(&mut bytes, 0)?;
        Ok(most_stolen(&bytes[..length]))
    }
}

/// `cpu  1 2 3 …` is the sum; a line for each processor follows.
fn most_stolen(bytes: &[u8]) -> Span {
    let lines = bytes.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    let processors = lines.skip(1).take_while(|line| line.starts_with("cpu"));
    let steal = |line: &str| line.split_whitespace().nth(1 + STEAL_FIELD)?.parse().ok();
    CLOCK_TICK * processors.filter_map(steal).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_all_processors_the_one_that_was_stolen_from_most() {
        let text = "cpu  10 0 10 900 1 0 2 55 0 0\ncpu0 5 0 5 450 0 0 1 12 0 0\ncpu1 5 0 5 450 1 0 1 43 0 0\nintr 99 98 97 96 95 94 93 92 91 90\n";
        assert_eq!(most_stolen(text.as_bytes()), Span::from_millis(430));
        assert_eq!(most_stolen(&text.as_bytes()[..42]), Span::ZERO, "a line that is cut off says nothing");
        assert_eq!(most_stolen(b""), Span::ZERO);
    }

    #[test]
    fn this_host_says_so_and_never_less_than_before() {
        let clock = StealClock::open().unwrap();
        let first = clock.read().unwrap();
        assert!(clock.read().unwrap() >= first);
    }
}
