//! A small disk: a loop device on a file in memory, freed by the kernel when its last user is gone.

use crate::{SCRATCH, shell};
use std::fs::File;
use std::path::{Path, PathBuf};

/// A disk. Dropped, or its process dead, the kernel frees the loop device once nothing has it mounted.
pub struct Disk {
    device: PathBuf,
    _open: File,
}

impl Disk {
    /// An empty disk of `mebibytes`, called `name`.
    pub fn new(name: &str, mebibytes: u32) -> Disk {
        Disk::with_blocks(name, mebibytes, 512)
    }

    /// The same, with blocks of so many bytes.
    pub fn with_blocks(name: &str, mebibytes: u32, block_bytes: u32) -> Disk {
        let image = format!("{SCRATCH}/{name}.img");
        shell(&format!("truncate -s {mebibytes}M {image}"));
        let device = PathBuf::from(
            shell(&format!("losetup --find --show --sector-size {block_bytes} {image}")).trim(),
        );
        let open = File::open(&device).expect("the device was just made");
        // Detaching a device that is open only marks it: the kernel detaches it on the last close.
        shell(&format!("losetup --detach {}", device.display()));
        Disk { device, _open: open }
    }

    /// The same, with an ext4 file system on it.
    pub fn ext4(name: &str, mebibytes: u32) -> Disk {
        let disk = Disk::new(name, mebibytes);
        shell(&format!("mkfs.ext4 -q -F {}", disk.device.display()));
        disk
    }

    /// The block device.
    pub fn device(&self) -> &Path {
        &self.device
    }
}
