//! Who did it: fanotify tells the process beside the event, where the kernel and our rights let it.
//!
//! Objects are told apart by the handles that their file systems give them, so no event opens a file.

use crate::check::path;
use phalanx_aha::{Cause, Object};
use rustix::fs::inotify::{ReadFlags, WatchFlags};
use rustix::fs::statvfs;
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::{fs, io};

/// Bytes of events that are read at a time.
const EVENTS_BYTES: usize = 16 << 10;
/// Bytes in front of an event's details; its mask and its process are among them.
const HEAD_BYTES: usize = 24;
/// Bytes of a handle at most.
const HANDLE_BYTES_MAX: usize = 128;
/// Details that name an object, or a directory and an entry of it.
const INFO_OBJECT: u8 = 1;
const INFO_ENTRY: u8 = 2;

/// Listens to what the kernel knows about processes and files.
pub(crate) struct Informant(OwnedFd);

/// What events are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// The object itself.
    Objects,
    /// The entries of a directory.
    Entries,
}

/// An object as its file system knows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    system: u64,
    kind: i32,
    bytes: Vec<u8>,
}

/// One event, and which process it is due to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// What it is about; `None` where events were lost.
    pub key: Option<Key>,
    /// What happened: fanotify has the numbers of inotify.
    pub flags: ReadFlags,
    pub name: Option<String>,
    pub process: i32,
}

impl Informant {
    /// One that listens to nothing yet. It needs privileges, and a kernel that has it.
    pub(crate) fn new(about: About) -> io::Result<Informant> {
        let names = match about {
            About::Objects => libc::FAN_REPORT_FID,
            About::Entries => libc::FAN_REPORT_DIR_FID | libc::FAN_REPORT_NAME,
        };
        let flags = libc::FAN_CLASS_NOTIF | libc::FAN_CLOEXEC | libc::FAN_NONBLOCK | names;
        // SAFETY: it takes two numbers.
        let number = unsafe { libc::fanotify_init(flags, 0) };
        if number < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
        Ok(Informant(unsafe { OwnedFd::from_raw_fd(number) }))
    }

    /// Listens to an object, too; by what it will be called.
    pub(crate) fn listen(&self, object: &Object, what: WatchFlags) -> io::Result<Key> {
        let key = key(object)?;
        self.mark(object, what, libc::FAN_MARK_ADD | libc::FAN_MARK_DONT_FOLLOW)?;
        Ok(key)
    }

    /// Listens to it no longer. Gone, it has lost its mark by itself.
    pub(crate) fn leave(&self, object: &Object, what: WatchFlags) {
        let _ = self.mark(object, what, libc::FAN_MARK_REMOVE | libc::FAN_MARK_DONT_FOLLOW);
    }

    /// Listens to nothing any more, also not to what is called otherwise by now.
    pub(crate) fn leave_all(&self) {
        let (how, none) = (libc::FAN_MARK_FLUSH, std::ptr::null());
        // SAFETY: the descriptor is open; where all is taken away no path is looked at.
        let _ = unsafe { libc::fanotify_mark(self.0.as_raw_fd(), how, 0, libc::AT_FDCWD, none) };
    }

    fn mark(&self, object: &Object, what: WatchFlags, how: libc::c_uint) -> io::Result<()> {
        let mask = u64::from(what.bits()) | libc::FAN_ONDIR;
        let path = CString::new(path(object).as_os_str().as_bytes())?;
        // SAFETY: the descriptor is open, and the path ends with a zero and outlives the call.
        let outcome =
            unsafe { libc::fanotify_mark(self.0.as_raw_fd(), how, mask, libc::AT_FDCWD, path.as_ptr()) };
        if outcome < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// What was told since; at most one piece of it.
    pub(crate) fn read(&self) -> Vec<Word> {
        let mut buffer = vec![0; EVENTS_BYTES];
        let count = rustix::io::read(&self.0, &mut buffer[..]).unwrap_or(0);
        words(&buffer[..count])
    }
}

impl AsFd for Informant {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// What is known about a process; nothing if it is gone, or not seen from here.
pub(crate) fn cause(process: i32) -> Option<Cause> {
    let number = u32::try_from(process).ok().filter(|number| *number > 0)?;
    let status = fs::read_to_string(format!("/proc/{number}/status")).ok()?;
    let line = |key: &str| status.lines().find_map(|line| line.strip_prefix(key));
    // Real, effective, saved, of the file system: what it acts as is the second.
    let effective = |key: &str| line(key)?.split_whitespace().nth(1)?.parse::<u32>().ok();
    let (user, group) = (effective("Uid:")?, effective("Gid:")?);
    let login = fs::read_to_string(format!("/proc/{number}/loginuid")).ok();
    let login = login.and_then(|text| text.trim().parse().ok()).filter(|login| *login != u32::MAX);
    let program = line("Name:")?.trim().to_owned();
    Some(Cause { process: number, user, login: login.unwrap_or(user), group, program })
}

/// A file handle, with room for the longest.
#[repr(C)]
struct RawHandle {
    bytes: u32,
    kind: i32,
    handle: [u8; HANDLE_BYTES_MAX],
}

fn key(object: &Object) -> io::Result<Key> {
    let system = statvfs(path(object))?.f_fsid;
    let path = CString::new(path(object).as_os_str().as_bytes())?;
    let mut raw = RawHandle { bytes: HANDLE_BYTES_MAX as u32, kind: 0, handle: [0; HANDLE_BYTES_MAX] };
    let mut mount = 0;
    let place = (&raw mut raw).cast();
    // SAFETY: the path ends with a zero, the place has as many bytes behind its head as its first field says, and all of it
    // outlives the call.
    let outcome = unsafe { libc::name_to_handle_at(libc::AT_FDCWD, path.as_ptr(), place, &raw mut mount, 0) };
    if outcome < 0 {
        return Err(io::Error::last_os_error());
    }
    let bytes = raw.handle.get(..raw.bytes as usize).unwrap_or_default().to_vec();
    Ok(Key { system, kind: raw.kind, bytes })
}

fn words(mut bytes: &[u8]) -> Vec<Word> {
    let mut words = Vec::new();
    while let Some((word, length)) = word(bytes) {
        words.push(word);
        bytes = &bytes[length..];
    }
    words
}

/// The first event, and how long it is.
fn word(bytes: &[u8]) -> Option<(Word, usize)> {
    let length = number(bytes, 0)? as usize;
    let event = bytes.get(..length).filter(|_| length >= HEAD_BYTES)?;
    let flags = ReadFlags::from_bits_truncate(number(event, 8)?);
    let process = number(event, 20)? as i32;
    let (mut key, mut name) = (None, None);
    let mut details = &event[HEAD_BYTES..];
    while let Some((kind, detail)) = detail(details) {
        if [INFO_OBJECT, INFO_ENTRY].contains(&kind) && key.is_none() {
            (key, name) = handle(kind, detail)?;
        }
        details = &details[detail.len()..];
    }
    Some((Word { key, flags, name, process }, length))
}

/// The first detail, its own head included.
fn detail(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let length = u16::from_ne_bytes(*bytes.get(2..)?.first_chunk()?) as usize;
    Some((*bytes.first()?, bytes.get(..length).filter(|_| length >= 4)?))
}

/// Behind a detail's head stand the file system's number, the handle and, for an entry, its name.
fn handle(kind: u8, detail: &[u8]) -> Option<(Option<Key>, Option<String>)> {
    let count = number(detail, 12)? as usize;
    let bytes = detail.get(20..20 + count)?.to_vec();
    let system = u64::from(number(detail, 4)?) | u64::from(number(detail, 8)?) << 32;
    let key = Key { system, kind: number(detail, 16)? as i32, bytes };
    let rest = detail[20 + count..].split(|byte| *byte == 0).next().unwrap_or_default();
    let name = (kind == INFO_ENTRY).then(|| String::from_utf8_lossy(rest).into_owned());
    Some((Some(key), name.filter(|name| name != ".")))
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|field| u32::from_ne_bytes(*field))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(details: &[u8]) -> Vec<u8> {
        let mut bytes = ((HEAD_BYTES + details.len()) as u32).to_ne_bytes().to_vec();
        bytes.extend([3, 0, 24, 0]);
        bytes.extend(0x100u64.to_ne_bytes());
        bytes.extend((-1i32).to_ne_bytes());
        bytes.extend(42i32.to_ne_bytes());
        bytes.extend(details);
        bytes
    }

    fn entry(name: &[u8]) -> Vec<u8> {
        let mut detail = vec![INFO_ENTRY, 0];
        detail.extend(((20 + 3 + name.len()) as u16).to_ne_bytes());
        detail.extend([9; 8]);
        detail.extend(3u32.to_ne_bytes());
        detail.extend(1i32.to_ne_bytes());
        detail.extend([5, 6, 7]);
        detail.extend(name);
        detail
    }

    #[test]
    fn an_event_says_what_happened_where_and_by_whom() {
        let key = Some(Key { system: 0x0909_0909_0909_0909, kind: 1, bytes: vec![5, 6, 7] });
        let word = Word { key, flags: ReadFlags::CREATE, name: Some("letter".into()), process: 42 };
        let one = event(&entry(b"letter\0\0"));
        assert_eq!(words(&[one.clone(), one.clone()].concat()), [word.clone(), word]);
        assert_eq!(words(&event(&entry(b".\0")))[0].name, None, "the directory itself");
        assert_eq!(words(&event(&[])).len(), 1);
        for length in 0..one.len() {
            assert_eq!(words(&one[..length]), [], "{length} bytes");
        }
    }

    #[test]
    fn this_process_is_known_by_its_number() {
        let own = cause(std::process::id() as i32).unwrap();
        assert_eq!((own.process, own.user), (std::process::id(), rustix::process::geteuid().as_raw()));
        assert_eq!((cause(0), cause(-1)), (None, None));
    }
}
