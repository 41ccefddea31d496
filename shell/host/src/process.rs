//! Processes: which there are, and when each began, so that a number used again is told from the process it once
//! named.

use rustix::process::Pid;
use std::{fs, io};

/// When a process began, in clock ticks since boot. A pid and its birth name one process for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Birth(pub u64);

/// The processes that this thread sees.
pub fn all() -> io::Result<Vec<Pid>> {
    let names = fs::read_dir("/proc")?.flatten().map(|entry| entry.file_name());
    Ok(names.filter_map(|name| parse_pid(name.to_str()?)).collect())
}

/// The process that `text` numbers.
pub fn parse_pid(text: &str) -> Option<Pid> {
    Pid::from_raw(text.trim().parse().ok()?)
}

/// When `pid` began; `None` if there is no such process, or only what is left of it for its parent to read.
pub fn birth(pid: Pid) -> Option<Birth> {
    let text = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    parse_birth(&text)
}

/// The parent of `pid`; `None` if there is no such process, or its parent is not seen here.
pub fn parent(pid: Pid) -> Option<Pid> {
    let text = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    let (_, after_name) = text.rsplit_once(')')?;
    parse_pid(after_name.split_whitespace().nth(1)?)
}

/// `412 (name with ) and blanks) S 1 …`: the state is the 3rd field, the start time the 22nd.
fn parse_birth(text: &str) -> Option<Birth> {
    let (_, after_name) = text.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace();
    let state = fields.next()?;
    let start = fields.nth(18)?;
    (!matches!(state, "Z" | "X")).then(|| start.parse().ok().map(Birth)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_hides_nothing() {
        let text = "412 (a) b) S 1 412 412 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 1 0 98765 1 2 3";
        assert_eq!(parse_birth(text), Some(Birth(98_765)));
        assert_eq!(parse_birth(&text.replace(" S ", " Z ")), None, "a zombie runs no more");
        assert_eq!(parse_birth("412 (cut off"), None);
    }

    #[test]
    fn this_process_has_a_birth_and_is_listed() {
        let me = rustix::process::getpid();
        assert!(birth(me).is_some());
        assert!(all().unwrap().contains(&me));
        assert_eq!(parent(me), rustix::process::getppid());
    }
}
