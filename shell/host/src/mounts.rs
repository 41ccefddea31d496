//! The mounts that this thread's mount namespace has, as `/proc/thread-self/mountinfo` lists them.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::{fmt, fs, io};

/// A block device, or the anonymous one of a file system without any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Device {
    /// Its major number; 0 for an anonymous one.
    pub major: u32,
    /// Its minor number.
    pub minor: u32,
}

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The device of its file system.
    pub device: Device,
    /// Which directory of the file system is seen; `/` unless it is a bind mount.
    pub root: PathBuf,
    /// Where it is seen.
    pub point: PathBuf,
    /// The type of its file system.
    pub format: String,
    /// What was mounted, as whoever mounted it wrote it.
    pub source: PathBuf,
    /// The options of its file system.
    pub options: String,
}

impl Device {
    /// The device that the kernel encodes as `number`.
    pub fn of(number: u64) -> Device {
        Device { major: rustix::fs::major(number), minor: rustix::fs::minor(number) }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

/// All mounts, in the order they lie over one another: the last one at a point is the one that is seen.
pub fn mounts() -> io::Result<Vec<Mount>> {
    let text = fs::read("/proc/thread-self/mountinfo")?;
    Ok(text.split(|byte| *byte == b'\n').filter_map(parse).collect())
}

/// One line of mountinfo: `36 35 98:0 /root /point rw,noatime master:1 - ext4 /dev/source rw,errors=continue`.
fn parse(line: &[u8]) -> Option<Mount> {
    let mut words = line.split(|byte| *byte == b' ').skip(2);
    let device = parse_device(words.next()?)?;
    let (root, point) = (path(words.next()?), path(words.next()?));
    let mut rest = words.skip_while(|word| *word != b"-").skip(1);
    let format = text(rest.next()?);
    let source = path(rest.next()?);
    let options = text(rest.next().unwrap_or_default());
    Some(Mount { device, root, point, format, source, options })
}

fn parse_device(word: &[u8]) -> Option<Device> {
    let (major, minor) = std::str::from_utf8(word).ok()?.split_once(':')?;
    Some(Device { major: major.parse().ok()?, minor: minor.parse().ok()? })
}

fn text(word: &[u8]) -> String {
    String::from_utf8_lossy(word).into_owned()
}

/// A path as mountinfo writes it: blanks and backslashes are octal escapes.
fn path(word: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((first, after)) = rest.split_first() {
        let escaped = (*first == b'\\').then(|| after.get(..3).and_then(octal)).flatten();
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &after[3..] } else { after };
    }
    PathBuf::from(OsString::from_vec(bytes))
}

fn octal(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_optional_fields_and_escapes_is_read() {
        let line = br"36 35 7:3 / /srv/my\040shop rw,noatime shared:1 master:2 - ext4 /dev/loop3 rw,errors=x";
        let mount = parse(line).unwrap();
        assert_eq!(mount.device, Device { major: 7, minor: 3 });
        assert_eq!(mount.point, PathBuf::from("/srv/my shop"));
        assert_eq!(
            (mount.format.as_str(), mount.source.to_str(), mount.options.as_str()),
            ("ext4", Some("/dev/loop3"), "rw,errors=x")
        );
    }

    #[test]
    fn a_line_that_is_cut_off_is_no_mount() {
        for line in ["", "36 35", "36 35 7:3 / /srv rw", "36 35 7:3 / /srv rw - ext4", "a b c d e - f g h"] {
            assert_eq!(parse(line.as_bytes()), None, "{line:?}");
        }
    }

    #[test]
    fn this_host_has_a_root() {
        assert!(mounts().unwrap().iter().any(|mount| mount.point.as_os_str() == "/"));
    }
}
