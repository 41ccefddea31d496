//! The producers of processes: a process ends, told by the kernel through a descriptor of it.

use crate::check::{no_device, path};
use crate::clock;
use crate::desk::Seen;
use phalanx_aha::{Errno, Object, Occurrence, Producer, code};
use phalanx_host::process;
use rustix::event::epoll;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;

/// Processes that are watched.
pub(crate) struct Processes {
    /// By the numbers under which the kernel tells of them.
    watched: BTreeMap<u64, (Object, OwnedFd)>,
    next: u64,
}

impl Processes {
    /// Watches nothing yet; numbers are taken from `first` on.
    pub(crate) fn new(first: u64) -> Processes {
        Processes { watched: BTreeMap::new(), next: first }
    }

    /// Watches a process, or the parent-most one of a program.
    pub(crate) fn watch(&mut self, object: &Object, epoll: &OwnedFd) -> Result<Option<u64>, Errno> {
        let process = match object.producer {
            Producer::ProcessMon => parent_most(&path(object)),
            Producer::PidProcessMon => str::from_utf8(&object.name).ok().and_then(process::parse_pid),
            Producer::ModFile
            | Producer::ModDir
            | Producer::ModFileAttr
            | Producer::UtilFs
            | Producer::NodeState
            | Producer::QuorumState
            | Producer::GroupState => None,
        };
        let process = process.ok_or(Errno::NO_DEVICE)?;
        let descriptor = pidfd_open(process, PidfdFlags::empty()).map_err(no_device)?;
        let data = epoll::EventData::new_u64(self.next);
        epoll::add(epoll, &descriptor, data, epoll::EventFlags::IN).map_err(no_device)?;
        self.watched.insert(self.next, (object.clone(), descriptor));
        self.next += 1;
        Ok(None)
    }

    /// Watches it no longer; closed, its descriptor is told of no more.
    pub(crate) fn leave(&mut self, object: &Object) {
        self.watched.retain(|_, (own, _)| own != object);
    }

    /// The process with that number has ended. Of a program another may be the parent-most now.
    pub(crate) fn look(&mut self, number: u64, epoll: &OwnedFd) -> Vec<Seen> {
        let Some((object, _descriptor)) = self.watched.remove(&number) else { return Vec::new() };
        let info = vec!["EVENT_TYPE=PROCESS_DOWN".to_owned()];
        let down = Occurrence { at: clock::now(), code: code::PROCESS_DOWN, cause: None, info };
        let goes_on = object.producer == Producer::ProcessMon && self.watch(&object, epoll).is_ok();
        vec![if goes_on { Seen::Happened(object, down) } else { Seen::Gone(object, down) }]
    }
}

/// Of the processes that run a program the one that is no child of another; the oldest if there are several.
pub(crate) fn parent_most(program: &Path) -> Option<Pid> {
    let runs = |pid: &Pid| {
        let executable = fs::read_link(format!("/proc/{}/exe", pid.as_raw_nonzero()));
        executable.is_ok_and(|executable| executable == program)
    };
    let all: BTreeSet<i32> =
        process::all().ok()?.iter().filter(|pid| runs(pid)).map(|pid| pid.as_raw_pid()).collect();
    let tops = all.iter().filter_map(|number| Pid::from_raw(*number));
    let tops =
        tops.filter(|pid| process::parent(*pid).is_none_or(|parent| !all.contains(&parent.as_raw_pid())));
    let born = tops.filter_map(|pid| Some((process::birth(pid)?, pid.as_raw_pid())));
    born.min().and_then(|(_, number)| Pid::from_raw(number))
}
