//! The processes that use a file system: that stand in it, run from it, or have files of it open or mapped.

use phalanx_host::{Device, process};
use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};
use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;

/// A process that uses a file system, held so that the signal meets no other.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) pid: i32,
    handle: OwnedFd,
}

impl User {
    pub(crate) fn signal(&self, signal: Signal) {
        // One that has ended meanwhile needs none.
        let _ = pidfd_send_signal(&self.handle, signal);
    }
}

/// The processes that use the file system whose device is `device`: never init, never this process.
pub(crate) fn users(device: Device) -> Vec<User> {
    let pids = process::all().unwrap_or_default();
    pids.into_iter()
        .filter(|pid| !pid.is_init() && *pid != getpid())
        .filter_map(|pid| user(pid, device))
        .collect()
}

fn user(pid: Pid, device: Device) -> Option<User> {
    // First the handle, then the look: what is seen is seen of the process that will get the signal.
    let handle = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    let pid = pid.as_raw_nonzero().get();
    let directory = format!("/proc/{pid}");
    let uses =
        stands_in(&directory, device) || has_open(&directory, device) || has_mapped(&directory, device);
    uses.then_some(User { pid, handle })
}

fn stands_in(directory: &str, device: Device) -> bool {
    ["cwd", "root", "exe"].iter().any(|link| lies_on(Path::new(&format!("{directory}/{link}")), device))
}

fn has_open(directory: &str, device: Device) -> bool {
    let open = fs::read_dir(format!("{directory}/fd"));
    open.into_iter().flatten().flatten().any(|entry| lies_on(&entry.path(), device))
}

/// Whether what `link` leads to lies on `device`. Asks no server: a file on a network file system that hangs is answered
/// from memory.
fn lies_on(link: &Path, device: Device) -> bool {
    let found = statx(CWD, link, AtFlags::STATX_DONT_SYNC, StatxFlags::empty());
    found.is_ok_and(|found| Device { major: found.stx_dev_major, minor: found.stx_dev_minor } == device)
}

fn has_mapped(directory: &str, device: Device) -> bool {
    let maps = fs::read(format!("{directory}/maps")).unwrap_or_default();
    maps.split(|byte| *byte == b'\n').any(|line| mapped_device(line) == Some(device))
}

/// `7f12-7f13 r--p 00000000 07:03 1234 /srv/shop/file`: the device is hexadecimal, the inode 0 for memory of no file.
fn mapped_device(line: &[u8]) -> Option<Device> {
    let mut words = line.split(|byte| *byte == b' ').skip(3);
    let (major, minor) = std::str::from_utf8(words.next()?).ok()?.split_once(':')?;
    let number = |digits| u32::from_str_radix(digits, 16).ok();
    (words.next()? != b"0").then_some(Device { major: number(major)?, minor: number(minor)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_tell_their_device() {
        let check = |line: &str, expected| assert_eq!(mapped_device(line.as_bytes()), expected, "{line}");
        let device = Device { major: 7, minor: 0x10 };
        check("7f12-7f13 r--p 00000000 07:10 1234    /srv/shop/file with blanks", Some(device));
        check("7f12-7f13 rw-p 00000000 00:00 0       [heap]", None);
        check("", None);
    }
}
