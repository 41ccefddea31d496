//! Whether an object can be monitored: asked when a monitor file is made and when it is opened, on a thread of its own, for a path may
//! lead to a file system that answers late, or never.

use crate::processes::parent_most;
use phalanx_aha::{Errno, Object, Producer};
use phalanx_host::{mounts, process};
use rustix::fs::{AtFlags, CWD, FileType, statat, statfs};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// File systems whose content others change, or that have none: nothing tells this kernel what happens there.
const NOT_MONITORED: &[u64] = &[
    0x0000_6969, // nfs
    0x0000_517b, // smb
    0xff53_4d42, // cifs
    0xfe53_4d42, // smb2
    0x5346_414f, // afs
    0x00c3_6400, // ceph
    0x0102_1997, // 9p
    0x7375_7245, // coda
    0x4750_4653, // gpfs
    0x0bd0_0bd0, // lustre
    0x6573_5546, // fuse, this one among them
    0x0000_9fa0, // proc
    0x6265_6572, // sysfs
    0x0027_e0eb, // cgroup
    0x6367_7270, // cgroup2
];

/// Whether `object` exists, and is something that its producer can watch.
pub(crate) fn check(object: &Object) -> Result<(), Errno> {
    match object.producer {
        Producer::ModFile => check_file(&path(object), |kind| kind == FileType::RegularFile),
        Producer::ModDir => check_file(&path(object), |kind| kind == FileType::Directory),
        Producer::ModFileAttr => {
            check_file(&path(object), |kind| [FileType::RegularFile, FileType::Directory].contains(&kind))
        }
        Producer::UtilFs => check_mount(&path(object)),
        Producer::ProcessMon => parent_most(&path(object)).map(|_| ()).ok_or(Errno::NO_DEVICE),
        // There is one as long as there is a cluster, and without one there is no daemon.
        Producer::NodeState | Producer::QuorumState | Producer::GroupState => Ok(()),
        Producer::PidProcessMon => {
            let number = str::from_utf8(&object.name).ok().and_then(process::parse_pid);
            number.and_then(process::birth).map(|_| ()).ok_or(Errno::NO_DEVICE)
        }
    }
}

/// The path that an object is called after.
pub(crate) fn path(object: &Object) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(&object.name))
}

fn check_file(path: &Path, fits: impl Fn(FileType) -> bool) -> Result<(), Errno> {
    let seen = statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).map_err(no_device)?;
    match fits(FileType::from_raw_mode(seen.st_mode)) {
        true => check_system(path),
        false => Err(Errno::NOT_SUPPORTED),
    }
}

fn check_mount(path: &Path) -> Result<(), Errno> {
    statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).map_err(no_device)?;
    let mounts =
        mounts::mounts().map_err(|error| Errno(error.raw_os_error().unwrap_or(Errno::NO_DEVICE.0)))?;
    match mounts.iter().any(|mount| mount.point == path) {
        true => check_system(path),
        false => Err(Errno::NO_DEVICE),
    }
}

fn check_system(path: &Path) -> Result<(), Errno> {
    let system = statfs(path).map_err(no_device)?.f_type as u64 & 0xffff_ffff;
    if NOT_MONITORED.contains(&system) { Err(Errno::NOT_SUPPORTED) } else { Ok(()) }
}

/// What is not there is no such device; other trouble is what it is.
pub(crate) fn no_device(errno: rustix::io::Errno) -> Errno {
    match errno {
        rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR | rustix::io::Errno::SRCH => Errno::NO_DEVICE,
        other => Errno(other.raw_os_error()),
    }
}
