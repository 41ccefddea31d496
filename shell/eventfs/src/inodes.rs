//! The producers of files and directories, by inotify: an instance of its own for each, so that none sees what another asked for.

use crate::check::{no_device, path};
use crate::clock;
use crate::desk::Seen;
use phalanx_aha::{Errno, Object, Occurrence, Producer, code};
use rustix::fs::inotify::{self, ReadFlags, WatchFlags};
use rustix::fs::{AtFlags, CWD, Stat, statat};
use std::collections::BTreeMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Bytes of events that are read at a time.
const EVENTS_BYTES: usize = 64 << 10;
/// What every producer hears: the object itself goes.
const SELF: WatchFlags = WatchFlags::DELETE_SELF.union(WatchFlags::MOVE_SELF).union(WatchFlags::ATTRIB);
/// What is said where the kernel says that it could not keep up.
const LOST: &str = "EVENTS_LOST=the kernel's queue of events was full";

/// Files or directories that one producer watches.
pub(crate) struct Inodes {
    producer: Producer,
    inotify: OwnedFd,
    /// By the number of their watch; two names of one file share a watch.
    watched: BTreeMap<i32, BTreeMap<Object, Known>>,
    numbers: BTreeMap<Object, i32>,
}

/// What was known of an object when it was looked at last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    device: u64,
    inode: u64,
    bytes: i64,
}

/// One event, as the kernel tells it.
struct Told {
    number: i32,
    flags: ReadFlags,
    name: Option<String>,
}

impl Inodes {
    /// Watches nothing yet.
    pub(crate) fn new(producer: Producer) -> io::Result<Inodes> {
        let inotify = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
        Ok(Inodes { producer, inotify, watched: BTreeMap::new(), numbers: BTreeMap::new() })
    }

    /// Whose objects these are.
    pub(crate) fn producer(&self) -> Producer {
        self.producer
    }

    /// Watches an object, too.
    pub(crate) fn watch(&mut self, object: &Object) -> Result<Option<u64>, Errno> {
        let path = path(object);
        let flags = SELF | self.flags() | WatchFlags::DONT_FOLLOW;
        let number = inotify::add_watch(&self.inotify, &path, flags).map_err(no_device)?;
        let known = look_at(object).map_err(no_device)?;
        self.watched.entry(number).or_default().insert(object.clone(), known);
        self.numbers.insert(object.clone(), number);
        Ok(None)
    }

    /// Watches it no longer.
    pub(crate) fn leave(&mut self, object: &Object) {
        let Some(number) = self.numbers.remove(object) else { return };
        let Some(objects) = self.watched.get_mut(&number) else { return };
        objects.remove(object);
        if objects.is_empty() {
            self.watched.remove(&number);
            // With the file the kernel has removed the watch by itself.
            let _ = inotify::remove_watch(&self.inotify, number);
        }
    }

    /// What happened since.
    pub(crate) fn look(&mut self) -> Vec<Seen> {
        let told = self.read();
        let mut seen = Vec::new();
        for one in told {
            if one.flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                let all: Vec<Object> = self.numbers.keys().cloned().collect();
                seen.extend(all.into_iter().map(|object| Seen::Happened(object, self.lost())));
                continue;
            }
            let objects = self.watched.get(&one.number).cloned().unwrap_or_default();
            seen.extend(objects.into_iter().filter_map(|(object, known)| self.judge(&one, object, known)));
        }
        seen
    }

    fn flags(&self) -> WatchFlags {
        match self.producer {
            Producer::ModFile => WatchFlags::MODIFY,
            Producer::ModDir => {
                WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MOVED_FROM | WatchFlags::MOVED_TO
            }
            Producer::ModFileAttr | Producer::UtilFs | Producer::ProcessMon | Producer::PidProcessMon => {
                WatchFlags::empty()
            }
        }
    }

    fn read(&self) -> Vec<Told> {
        let mut buffer = vec![MaybeUninit::uninit(); EVENTS_BYTES];
        let mut reader = inotify::Reader::new(&self.inotify, &mut buffer);
        let mut told = Vec::new();
        while let Ok(event) = reader.next() {
            let name = event.file_name().map(|name| name.to_string_lossy().into_owned());
            told.push(Told { number: event.wd(), flags: event.events(), name });
            if reader.is_buffer_empty() {
                break;
            }
        }
        told
    }

    /// What an event means for one of the names of the file that it is about.
    fn judge(&mut self, told: &Told, object: Object, known: Known) -> Option<Seen> {
        if let Some(code) = self.end(told.flags, &object, known) {
            self.leave(&object);
            return Some(Seen::Gone(object, occurrence(code, Vec::new())));
        }
        let what = match self.producer {
            Producer::ModFile => self.modified(told.flags, &object, known),
            Producer::ModDir => entry(told),
            Producer::ModFileAttr if told.flags.contains(ReadFlags::ATTRIB) => {
                Some(occurrence(code::MODFILEATTR_CHANGE, Vec::new()))
            }
            Producer::ModFileAttr | Producer::UtilFs | Producer::ProcessMon | Producer::PidProcessMon => None,
        };
        what.map(|what| Seen::Happened(object, what))
    }

    /// How it ended, if it did. A file that lost this name may live on under another, or in an open file.
    fn end(&self, flags: ReadFlags, object: &Object, known: Known) -> Option<i32> {
        let (unmounted, removed, renamed) = match self.producer {
            Producer::ModDir => (code::MODDIR_UNMOUNT, code::MODDIR_REMOVE_SELF, code::MODDIR_RENAME_SELF),
            Producer::ModFileAttr => {
                (code::MODFILEATTR_UNMOUNT, code::MODFILEATTR_REMOVE, code::MODFILEATTR_RENAME)
            }
            Producer::ModFile | Producer::UtilFs | Producer::ProcessMon | Producer::PidProcessMon => {
                (code::MODFILE_UNMOUNT, code::MODFILE_REMOVE, code::MODFILE_RENAME)
            }
        };
        if flags.contains(ReadFlags::UNMOUNT) {
            return Some(unmounted);
        }
        if flags.contains(ReadFlags::MOVE_SELF) && !is_there(object, known) {
            return Some(renamed);
        }
        let lost = flags.intersects(ReadFlags::DELETE_SELF | ReadFlags::ATTRIB) && !is_there(object, known);
        lost.then_some(removed)
    }

    fn modified(&mut self, flags: ReadFlags, object: &Object, known: Known) -> Option<Occurrence> {
        if !flags.contains(ReadFlags::MODIFY) {
            return None;
        }
        let now = look_at(object).unwrap_or(known);
        let number = self.numbers.get(object)?;
        self.watched.get_mut(number)?.insert(object.clone(), now);
        let shorter = now.bytes < known.bytes;
        let code = if shorter { code::MODFILE_TRUNCATE } else { code::MODFILE_WRITE };
        Some(occurrence(code, Vec::new()))
    }

    /// Something happened that the kernel does not tell: each program hears that it may be about its object.
    fn lost(&self) -> Occurrence {
        let code = match self.producer {
            Producer::ModDir => code::MODDIR_CREATE,
            Producer::ModFileAttr => code::MODFILEATTR_CHANGE,
            Producer::ModFile | Producer::UtilFs | Producer::ProcessMon | Producer::PidProcessMon => {
                code::MODFILE_WRITE
            }
        };
        occurrence(code, vec![LOST.into()])
    }
}

impl AsFd for Inodes {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

fn entry(told: &Told) -> Option<Occurrence> {
    let came = told.flags.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO);
    let went = told.flags.intersects(ReadFlags::DELETE | ReadFlags::MOVED_FROM);
    let code = match (came, went) {
        (true, _) => code::MODDIR_CREATE,
        (false, true) => code::MODDIR_REMOVE,
        (false, false) => return None,
    };
    Some(occurrence(code, told.name.iter().cloned().collect()))
}

fn occurrence(code: i32, info: Vec<String>) -> Occurrence {
    Occurrence { at: clock::now(), code, cause: None, info }
}

fn look_at(object: &Object) -> rustix::io::Result<Known> {
    let Stat { st_dev: device, st_ino: inode, st_size: bytes, .. } =
        statat(CWD, path(object), AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(Known { device, inode, bytes })
}

fn is_there(object: &Object, known: Known) -> bool {
    look_at(object).is_ok_and(|now| (now.device, now.inode) == (known.device, known.inode))
}
