//! A block device or a file, past the page cache wherever that is possible.
//!
//! What goes through the page cache of one host stays there: another host's write would never be seen. A file system in memory has
//! nothing else; that is enough for a laboratory on one host, and whoever opens such a file is told.

use phalanx_repository::{SECTOR_BYTES, SectorBytes};
use rustix::fs::{FileType, Mode, OFlags, SeekFrom};
use rustix::io::Errno;
use std::fmt;
use std::io::{self, IoSliceMut};
use std::os::fd::OwnedFd;
use std::path::Path;

/// What a device is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Only reading; others may use it meanwhile.
    Look,
    /// Reading and writing, with nobody else on this host who has it for himself.
    Change,
}

/// Whether what is read comes from the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    /// It does.
    Passed,
    /// It comes from this host's memory: other hosts' writes are not seen.
    Between,
}

/// Something that is open.
#[derive(Debug)]
pub struct Device {
    file: OwnedFd,
    bytes: u64,
    block_bytes: u32,
    cache: Cache,
}

/// Why a device was not opened.
#[derive(Debug)]
pub enum OpenError {
    /// Somebody on this host has it for himself: it is mounted, or part of something.
    InUse,
    /// It is neither a block device nor a file.
    OtherKind,
    /// Its blocks are larger than a sector, so that a write of one sector would write others again.
    LargeBlocks(u32),
    /// It is a disk that cannot be read past this host's memory.
    Cached,
    /// The kernel refused it.
    Io(io::Error),
}

/// Memory as disks want it: aligned to what is read and written.
#[derive(Clone)]
#[repr(C, align(4096))]
struct Page(SectorBytes);

impl Device {
    /// Opens what is there.
    pub fn open(path: &Path, access: Access) -> Result<Device, OpenError> {
        let kind = FileType::from_raw_mode(rustix::fs::stat(path).map_err(io_error)?.st_mode);
        let is_block = kind == FileType::BlockDevice;
        if !is_block && kind != FileType::RegularFile {
            return Err(OpenError::OtherKind);
        }
        let flags = match (access, is_block) {
            (Access::Look, _) => OFlags::RDONLY,
            (Access::Change, true) => OFlags::RDWR | OFlags::EXCL,
            (Access::Change, false) => OFlags::RDWR,
        };
        let (file, cache) = open_past_cache(path, flags | OFlags::CLOEXEC)?;
        let block_bytes = if is_block { rustix::fs::ioctl_blksszget(&file).map_err(io_error)? } else { 512 };
        if block_bytes as usize > SECTOR_BYTES {
            return Err(OpenError::LargeBlocks(block_bytes));
        }
        if is_block && cache == Cache::Between {
            return Err(OpenError::Cached);
        }
        let bytes = rustix::fs::seek(&file, SeekFrom::End(0)).map_err(io_error)?;
        Ok(Device { file, bytes, block_bytes, cache })
    }

    /// Makes a file of `bytes` where none is, and opens it.
    pub fn make(path: &Path, bytes: u64) -> Result<Device, OpenError> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR).map_err(io_error)?;
        rustix::fs::ftruncate(&file, bytes).map_err(io_error)?;
        drop(file);
        Device::open(path, Access::Change)
    }

    /// Its size.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What it writes at once.
    pub fn block_bytes(&self) -> u32 {
        self.block_bytes
    }

    /// Whether what is read comes from the disk.
    pub fn cache(&self) -> Cache {
        self.cache
    }

    /// Reads sectors side by side, all in one system call.
    pub(crate) fn read(&self, place: u64, sectors: usize) -> io::Result<Vec<SectorBytes>> {
        let mut pages = vec![Page([0; SECTOR_BYTES]); sectors];
        let mut slices: Vec<IoSliceMut<'_>> =
            pages.iter_mut().map(|page| IoSliceMut::new(&mut page.0)).collect();
        let read = rustix::io::retry_on_intr(|| rustix::io::preadv(&self.file, &mut slices, offset(place)))?;
        if read != sectors * SECTOR_BYTES {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(pages.into_iter().map(|page| page.0).collect())
    }

    /// Writes a sector.
    pub(crate) fn write(&self, place: u64, bytes: &SectorBytes) -> io::Result<()> {
        let page = Box::new(Page(*bytes));
        let written = rustix::io::retry_on_intr(|| rustix::io::pwrite(&self.file, &page.0, offset(place)))?;
        if written == SECTOR_BYTES { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    /// Makes durable what was written.
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fdatasync(&self.file)?)
    }
}

/// Opens past the page cache, and through it where there is no other way.
fn open_past_cache(path: &Path, flags: OFlags) -> Result<(OwnedFd, Cache), OpenError> {
    match rustix::fs::open(path, flags | OFlags::DIRECT, Mode::empty()) {
        Ok(file) => Ok((file, Cache::Passed)),
        Err(Errno::INVAL) => {
            let file = rustix::fs::open(path, flags, Mode::empty()).map_err(io_error)?;
            Ok((file, Cache::Between))
        }
        Err(errno) => Err(io_error(errno)),
    }
}

fn offset(place: u64) -> u64 {
    place * SECTOR_BYTES as u64
}

fn io_error(errno: Errno) -> OpenError {
    match errno {
        Errno::BUSY => OpenError::InUse,
        errno => OpenError::Io(errno.into()),
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::InUse => f.write_str("it is in use on this host: mounted, or part of something else"),
            OpenError::OtherKind => f.write_str("it is neither a block device nor a file"),
            OpenError::LargeBlocks(bytes) => {
                write!(f, "it writes {bytes} bytes at once, and a sector has {SECTOR_BYTES}")
            }
            OpenError::Cached => f.write_str("it cannot be read past the memory of this host"),
            OpenError::Io(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for OpenError {}
