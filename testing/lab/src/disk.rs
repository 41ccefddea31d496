//! The shared disk: one image file, and for each host a path to it of its own that can be severed.
//!
//! A path is nbdkit (no cache) under nbdfuse under a loop device with direct IO. No host shares a cache with another, so a
//! stale read or a double mount shows; and a crash that severs the path first loses what was not synced, as a power cut
//! does.
//!
//! The servers end with the host's processes, but stand outside its mounts: a server that were the last one to see the
//! host's mounts would take them off while it dies, and wait for itself for ever.

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
    mount: PathBuf,
    /// As long as one has it open the loop device is there; the last one to let go of it frees it.
    _device: File,
}

impl DiskPath {
    /// Lays the path for `host`; inside it the disk appears as `/dev/phalanx/shop`.
    pub fn lay(host: &Host, image: &Image) -> Outcome<DiskPath> {
        let folder = host.folder().join("disk");
        let (mount, socket) = (folder.join("fuse"), folder.join("nbd.sock"));
        fs::create_dir_all(&mount).during("making the disk's folder")?;
        let _ = fs::remove_file(&socket);
        let _ = fs::remove_file(ready_mark(&socket));
        let servers = vec![serve_file(host, image, &socket)?, serve_disk(host, &socket, &mount)?];
        let device = run("losetup", &["--find", "--show", "--direct-io=on", &text(&mount.join("disk"))])?;
        let open = File::open(&device).during("opening the loop device")?;
        // Busy as it is, it goes when it is closed for the last time: nobody has to be left to see to that.
        line(&format!("losetup --detach {device}"))?;
        host.run("mknod", &["/dev/phalanx/shop", "b", "7", device.trim_start_matches("/dev/loop")])?;
        Ok(DiskPath { servers, mount, _device: open })
    }

    /// Severs the path at once: whatever is not on the image by now never gets there.
    pub fn sever(&mut self) {
        for server in self.servers.iter_mut().rev() {
            crate::host::kill_inside(server.id());
            let _ = server.kill();
            let _ = server.wait();
        }
        let _ = run("umount", &["--lazy", &text(&self.mount)]);
    }
}

/// What nbdkit writes once it accepts connections; its socket is there a moment before.
fn ready_mark(socket: &Path) -> PathBuf {
    socket.with_extension("pid")
}

/// nbdkit: serves the image on a socket.
fn serve_file(host: &Host, image: &Image, socket: &Path) -> Outcome<Child> {
    let file = format!("file={}", image.path().display());
    let ready = ready_mark(socket);
    let mark = text(&ready);
    let arguments =
        ["--foreground", "--unix", &text(socket), "--pidfile", &mark, "file", &file, "cache=none"];
    let server = host.serve("nbdkit", &arguments)?;
    came_up("nbdkit", || ready.exists()).map(|()| server)
}

/// nbdfuse: makes what the socket serves a file.
fn serve_disk(host: &Host, socket: &Path, mount: &Path) -> Outcome<Child> {
    let disk = mount.join("disk");
    let server = host.serve("nbdfuse", &[&text(&disk), &format!("nbd+unix:///?socket={}", text(socket))])?;
    let there = || fs::metadata(&disk).is_ok_and(|file| file.len() > 0);
    came_up("nbdfuse", there).map(|()| server)
}

fn came_up(server: &str, there: impl FnMut() -> bool) -> Outcome<()> {
    match wait_until(SERVER_LIMIT, there) {
        true => Ok(()),
        false => Err(Trouble(format!("{server} did not come up; see its log in the work directory"))),
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
