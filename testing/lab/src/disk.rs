//! The shared disk: one image file, and for each host a path to it of its own that can be severed.
//!
//! A path is nbdkit (no cache) under nbdfuse under a loop device with direct IO, all inside the host's namespaces. No
//! host shares a cache with another, so a stale read or a double mount shows; and a crash that severs the path first
//! loses what was not synced, as a power cut does.

use crate::host::Host;
use crate::tool::{Outcome, Trouble, While, line, run, wait_until};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

/// Bytes of the image.
const IMAGE_BYTES: u64 = 96 << 20;
/// How long a server may take to come up.
const SERVER_LIMIT: Duration = Duration::from_secs(10);

/// The image.
pub struct Image(PathBuf);

impl Image {
    /// A fresh image with an ext4 file system.
    pub fn create(work: &Path) -> Outcome<Image> {
        let path = work.join("shop.img");
        File::create(&path).and_then(|file| file.set_len(IMAGE_BYTES)).during("making the disk image")?;
        run("mkfs.ext4", &["-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", &path.to_string_lossy()])?;
        Ok(Image(path))
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

/// One host's path to the image.
pub struct DiskPath {
    servers: Vec<Child>,
    device: String,
}

impl DiskPath {
    /// Lays the path for `host`; inside it the disk appears as `/dev/phalanx/shop`.
    pub fn lay(host: &Host, image: &Image) -> Outcome<DiskPath> {
        let folder = host.folder().join("disk");
        let mount = folder.join("fuse");
        fs::create_dir_all(&mount).during("making the disk's folder")?;
        let socket = folder.join("nbd.sock");
        let _ = fs::remove_file(&socket);
        let (socket, mount) = (socket.to_string_lossy().into_owned(), mount.to_string_lossy().into_owned());
        let file = format!("file={}", image.path().display());
        let nbdkit =
            host.spawn("nbdkit", &["--foreground", "--unix", &socket, "file", &file, "cache=none"])?;
        if !wait_until(SERVER_LIMIT, || Path::new(&socket).exists()) {
            return Err(Trouble("nbdkit did not come up; see its log in the work directory".into()));
        }
        let uri = format!("nbd+unix:///?socket={socket}");
        let disk = format!("{mount}/disk");
        let nbdfuse = host.spawn("nbdfuse", &[&disk, &uri])?;
        if !wait_until(SERVER_LIMIT, || host.run("test", &["-s", &disk]).is_ok()) {
            return Err(Trouble("nbdfuse did not come up; see its log in the work directory".into()));
        }
        let device = host.run("losetup", &["--find", "--show", "--direct-io=on", &disk])?;
        let number = device.trim_start_matches("/dev/loop");
        host.run("mknod", &["/dev/phalanx/shop", "b", "7", number])?;
        Ok(DiskPath { servers: vec![nbdfuse, nbdkit], device })
    }

    /// Severs the path at once: whatever is not on the image by now never gets there.
    pub fn sever(&mut self) {
        for server in &mut self.servers {
            crate::host::kill_inside(server.id());
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    /// Frees the loop device, as far as the kernel lets go of it.
    pub fn free(&mut self) {
        let _ = line(&format!("losetup --detach {}", self.device));
    }
}
