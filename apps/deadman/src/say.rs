//! What this process says, on standard error. Never waits for a reader: what nobody takes is not said.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::stderr;

/// Lines are cut to this many bytes: a pipe that has room takes as much without waiting.
const LINE_BYTES_MAX: usize = 1_024;

/// Says one line.
pub fn say(line: &str) {
    let text = format!("phalanx-deadman: {line}\n");
    let bytes = &text.as_bytes()[..text.len().min(LINE_BYTES_MAX)];
    let stderr = stderr();
    let mut fds = [PollFd::new(&stderr, PollFlags::OUT)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    if poll(&mut fds, Some(&now)).is_ok_and(|ready| ready > 0) {
        // What cannot be said is not worth dying for.
        let _ = rustix::io::write(&stderr, bytes);
    }
}
