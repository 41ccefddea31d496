//! Whether a file system is active on this host.

use crate::claim::is_claimed;
use phalanx_host::{Device, Mount, mounts};
use phalanx_model::{FileSystem, Format};
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// What a file system is on this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing here has its device.
    Unmounted,
    /// It is mounted where it belongs.
    Mounted,
    /// It is mounted, but elsewhere.
    Elsewhere(PathBuf),
    /// It is mounted nowhere that can be seen, yet the kernel has its device in use: in another mount namespace, by a
    /// detached mount that lives on, or by another driver.
    Claimed,
}

/// What `file_system` is on this host, in the calling thread's mount namespace.
pub fn state(file_system: &FileSystem) -> io::Result<State> {
    let carriers = carriers(file_system)?;
    let point = mount_point(file_system);
    Ok(match carriers.last() {
        Some(_) if carriers.iter().any(|mount| mount.point == point) => State::Mounted,
        Some(elsewhere) => State::Elsewhere(elsewhere.point.clone()),
        None if is_claimed(Path::new(&file_system.device)) => State::Claimed,
        None => State::Unmounted,
    })
}

/// All mounts of the file system, in the order they were made.
pub(crate) fn carriers(file_system: &FileSystem) -> io::Result<Vec<Mount>> {
    let Some(device) = block_device(Path::new(&file_system.device)) else { return Ok(Vec::new()) };
    let mut mounts = mounts()?;
    mounts.retain(|mount| mount.device == device || is_btrfs_on(mount, device, file_system.format));
    Ok(mounts)
}

/// Where it belongs, as the kernel writes it.
pub(crate) fn mount_point(file_system: &FileSystem) -> PathBuf {
    fs::canonicalize(&file_system.mount).unwrap_or_else(|_| PathBuf::from(&file_system.mount))
}

/// What else is mounted where the file system belongs.
pub(crate) fn occupant(file_system: &FileSystem) -> io::Result<Option<Mount>> {
    let point = mount_point(file_system);
    Ok(mounts()?.into_iter().rfind(|mount| mount.point == point))
}

/// Btrfs shows an anonymous device, for it may have several.
fn is_btrfs_on(mount: &Mount, device: Device, format: Format) -> bool {
    match format {
        Format::Ext4 | Format::Xfs => false,
        Format::Btrfs => mount.format == "btrfs" && block_device(&mount.source) == Some(device),
    }
}

/// The device that a node in the file system stands for; `None` where there is no block device.
fn block_device(path: &Path) -> Option<Device> {
    let metadata = fs::metadata(path).ok()?;
    metadata.file_type().is_block_device().then(|| Device::of(metadata.rdev()))
}
