//! The producers of files and directories: each with an inotify instance of its own, so that none sees what another asked for, and
//! with an informant who tells who did it, where the kernel has one. Then inotify only tells how an object ends.

use crate::check::{no_device, path};
use crate::clock;
use crate::desk::Seen;
use crate::informant::{About, Informant, Key, cause};
use phalanx_aha::{Cause, Errno, Object, Occurrence, Producer, code};
use rustix::fs::inotify::{self, ReadFlags, WatchFlags};
use rustix::fs::{AtFlags, CWD, Stat, statat};
use std::collections::BTreeMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Bytes of events that are read at a time.
const EVENTS_BYTES: usize = 16 << 10;
/// What every producer hears: the object itself goes.
const SELF: WatchFlags = WatchFlags::DELETE_SELF.union(WatchFlags::MOVE_SELF).union(WatchFlags::ATTRIB);
/// What is said where the kernel says that it could not keep up.
const LOST: &str = "EVENTS_LOST=the kernel's queue of events was full";

/// What is watched of files and directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aspect {
    /// What a file contains.
    Content,
    /// Which entries a directory has.
    Entries,
    /// Who may do what with a file, and the like.
    Attributes,
}

/// Files or directories that one producer watches.
pub(crate) struct Inodes {
    aspect: Aspect,
    inotify: OwnedFd,
    informant: Option<Informant>,
    /// The watches of what the informant tells about.
    informed: BTreeMap<Key, i32>,
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
    /// Who did it.
    cause: Option<Cause>,
    /// Whether it is told only for what it says about the end of an object.
    is_end: bool,
}

impl Inodes {
    /// Watches nothing yet.
    pub(crate) fn new(aspect: Aspect) -> io::Result<Inodes> {
        let inotify = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
        let about = if aspect == Aspect::Entries { About::Entries } else { About::Objects };
        // Without one nobody learns who did it, and all the rest is the same.
        let informant = Informant::new(about).ok();
        let (informed, watched, numbers) = Default::default();
        Ok(Inodes { aspect, inotify, informant, informed, watched, numbers })
    }

    /// What the kernel rings when something happens.
    pub(crate) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let informant = self.informant.as_ref().map(Informant::as_fd);
        [self.inotify.as_fd()].into_iter().chain(informant).collect()
    }

    /// Whose objects these are.
    pub(crate) fn producer(&self) -> Producer {
        match self.aspect {
            Aspect::Content => Producer::ModFile,
            Aspect::Entries => Producer::ModDir,
            Aspect::Attributes => Producer::ModFileAttr,
        }
    }

    /// Watches an object, too.
    pub(crate) fn watch(&mut self, object: &Object) -> Result<Option<u64>, Errno> {
        let listen = |informant: &Informant| informant.listen(object, self.flags()).ok();
        let key = self.informant.as_ref().and_then(listen);
        let others = if key.is_some() { WatchFlags::empty() } else { self.flags() };
        let flags = SELF | others | WatchFlags::DONT_FOLLOW;
        let watched = inotify::add_watch(&self.inotify, path(object), flags);
        let known = watched.and_then(|number| Ok((number, look_at(object)?)));
        let (number, known) = known.map_err(|errno| {
            self.abandon(watched.ok(), key.as_ref(), object);
            no_device(errno)
        })?;
        self.informed.extend(key.map(|key| (key, number)));
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
            self.informed.retain(|_, own| *own != number);
            // With the file the kernel has removed watch and mark by itself.
            let _ = inotify::remove_watch(&self.inotify, number);
            if let Some(informant) = &self.informant {
                match self.watched.is_empty() {
                    true => informant.leave_all(),
                    false => informant.leave(object, self.flags()),
                }
            }
        }
    }

    /// Takes back what was begun for an object that went meanwhile, unless another name of the same file needs it.
    fn abandon(&self, number: Option<i32>, key: Option<&Key>, object: &Object) {
        if let Some(number) = number.filter(|number| !self.watched.contains_key(number)) {
            let _ = inotify::remove_watch(&self.inotify, number);
        }
        if let (Some(informant), Some(key)) = (&self.informant, key)
            && !self.informed.contains_key(key)
        {
            informant.leave(object, self.flags());
        }
    }

    /// What happened since.
    pub(crate) fn look(&mut self) -> Vec<Seen> {
        // How objects end is read first and believed last: what happened before is with the informant by then.
        let ends = self.read();
        let told = self.inform();
        let mut seen = Vec::new();
        for one in told.into_iter().chain(ends) {
            if one.flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                let all: Vec<Object> = self.numbers.keys().cloned().collect();
                seen.extend(all.into_iter().map(|object| Seen::Happened(object, self.lost())));
                continue;
            }
            let objects = self.watched.get(&one.number).cloned().unwrap_or_default();
            objects.into_iter().for_each(|(object, known)| seen.extend(self.judge(&one, object, known)));
        }
        seen
    }

    fn flags(&self) -> WatchFlags {
        match self.aspect {
            Aspect::Content => WatchFlags::MODIFY,
            Aspect::Entries => {
                WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MOVED_FROM | WatchFlags::MOVED_TO
            }
            Aspect::Attributes => WatchFlags::ATTRIB,
        }
    }

    fn inform(&self) -> Vec<Told> {
        let words = self.informant.as_ref().map(Informant::read).unwrap_or_default();
        let mut told = Vec::new();
        // Most of what is read at once is due to few processes.
        let mut causes: BTreeMap<i32, Option<Cause>> = BTreeMap::new();
        for word in words {
            let number = word.key.and_then(|key| self.informed.get(&key).copied());
            let lost = word.flags.contains(ReadFlags::QUEUE_OVERFLOW).then_some(-1);
            let Some(number) = number.or(lost) else { continue };
            let cause = causes.entry(word.process).or_insert_with(|| cause(word.process)).clone();
            told.push(Told { number, flags: word.flags, name: word.name, cause, is_end: false });
        }
        told
    }

    fn read(&self) -> Vec<Told> {
        let mut buffer = vec![MaybeUninit::uninit(); EVENTS_BYTES];
        let mut reader = inotify::Reader::new(&self.inotify, &mut buffer);
        let mut told = Vec::new();
        while let Ok(event) = reader.next() {
            let name = event.file_name().map(|name| name.to_string_lossy().into_owned());
            let (number, flags) = (event.wd(), event.events());
            let is_end = self.informed.values().any(|informed| *informed == number);
            told.push(Told { number, flags, name, cause: None, is_end });
            if reader.is_buffer_empty() {
                break;
            }
        }
        told
    }

    /// What an event means for one of the names of the file that it is about.
    fn judge(&mut self, told: &Told, object: Object, known: Known) -> Vec<Seen> {
        if let Some(code) = self.end(told.flags, &object, known) {
            self.leave(&object);
            return vec![Seen::Gone(object, occurrence(code, told.cause.clone(), Vec::new()))];
        }
        if told.is_end {
            return Vec::new();
        }
        let codes = match self.aspect {
            Aspect::Content => self.modified(told.flags, &object, known),
            Aspect::Entries => entered(told, &object),
            Aspect::Attributes if told.flags.contains(ReadFlags::ATTRIB) => vec![code::MODFILEATTR_CHANGE],
            Aspect::Attributes => Vec::new(),
        };
        let info: Vec<String> = told.name.iter().cloned().collect();
        let seen = |code| Seen::Happened(object.clone(), occurrence(code, told.cause.clone(), info.clone()));
        codes.into_iter().map(seen).collect()
    }

    /// How it ended, if it did. A file that lost this name may live on under another, or in an open file.
    fn end(&self, flags: ReadFlags, object: &Object, known: Known) -> Option<i32> {
        let (unmounted, removed, renamed) = match self.aspect {
            Aspect::Entries => (code::MODDIR_UNMOUNT, code::MODDIR_REMOVE_SELF, code::MODDIR_RENAME_SELF),
            Aspect::Attributes => {
                (code::MODFILEATTR_UNMOUNT, code::MODFILEATTR_REMOVE, code::MODFILEATTR_RENAME)
            }
            Aspect::Content => (code::MODFILE_UNMOUNT, code::MODFILE_REMOVE, code::MODFILE_RENAME),
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

    fn modified(&mut self, flags: ReadFlags, object: &Object, known: Known) -> Vec<i32> {
        if !flags.contains(ReadFlags::MODIFY) {
            return Vec::new();
        }
        let now = look_at(object).unwrap_or(known);
        let number = self.numbers.get(object);
        if let Some(objects) = number.and_then(|number| self.watched.get_mut(number)) {
            objects.insert(object.clone(), now);
        }
        vec![if now.bytes < known.bytes { code::MODFILE_TRUNCATE } else { code::MODFILE_WRITE }]
    }

    /// Something happened that the kernel does not tell: each program hears that it may be about its object.
    fn lost(&self) -> Occurrence {
        let code = match self.aspect {
            Aspect::Entries => code::MODDIR_CREATE,
            Aspect::Attributes => code::MODFILEATTR_CHANGE,
            Aspect::Content => code::MODFILE_WRITE,
        };
        occurrence(code, None, vec![LOST.into()])
    }
}

/// What happened to an entry. The kernel may tell of its coming and going at once; then the last is what is true now.
fn entered(told: &Told, object: &Object) -> Vec<i32> {
    let came = told.flags.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO);
    let went = told.flags.intersects(ReadFlags::DELETE | ReadFlags::MOVED_FROM);
    let is_there =
        || told.name.as_ref().is_some_and(|name| path(object).join(name).symlink_metadata().is_ok());
    match (came, went) {
        (true, true) if is_there() => vec![code::MODDIR_REMOVE, code::MODDIR_CREATE],
        (true, true) => vec![code::MODDIR_CREATE, code::MODDIR_REMOVE],
        (true, false) => vec![code::MODDIR_CREATE],
        (false, true) => vec![code::MODDIR_REMOVE],
        (false, false) => Vec::new(),
    }
}

fn occurrence(code: i32, cause: Option<Cause>, info: Vec<String>) -> Occurrence {
    Occurrence { at: clock::now(), code, cause, info }
}

fn look_at(object: &Object) -> rustix::io::Result<Known> {
    let Stat { st_dev: device, st_ino: inode, st_size: bytes, .. } =
        statat(CWD, path(object), AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(Known { device, inode, bytes })
}

fn is_there(object: &Object, known: Known) -> bool {
    look_at(object).is_ok_and(|now| (now.device, now.inode) == (known.device, known.inode))
}
