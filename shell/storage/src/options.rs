//! Mount options, as `mount -o` takes them: what the kernel has a flag for, and what the file system reads itself.

use rustix::mount::MountFlags;
use std::ffi::CString;

/// Options that only mean something to `mount(8)`, `fstab(5)` and their friends.
const IGNORED: &[&str] = &["defaults", "auto", "noauto", "user", "nouser", "nofail", "_netdev", ""];

/// Options with a flag of their own, and whether they set or clear it.
const FLAGS: &[(&str, MountFlags, bool)] = &[
    ("ro", MountFlags::RDONLY, true),
    ("rw", MountFlags::RDONLY, false),
    ("nosuid", MountFlags::NOSUID, true),
    ("suid", MountFlags::NOSUID, false),
    ("nodev", MountFlags::NODEV, true),
    ("dev", MountFlags::NODEV, false),
    ("noexec", MountFlags::NOEXEC, true),
    ("exec", MountFlags::NOEXEC, false),
    ("sync", MountFlags::SYNCHRONOUS, true),
    ("async", MountFlags::SYNCHRONOUS, false),
    ("dirsync", MountFlags::DIRSYNC, true),
    ("noatime", MountFlags::NOATIME, true),
    ("atime", MountFlags::NOATIME, false),
    ("nodiratime", MountFlags::NODIRATIME, true),
    ("diratime", MountFlags::NODIRATIME, false),
    ("relatime", MountFlags::RELATIME, true),
    ("strictatime", MountFlags::STRICTATIME, true),
    ("lazytime", MountFlags::LAZYTIME, true),
    ("nosymfollow", MountFlags::NOSYMFOLLOW, true),
];

/// The flags that `options` set, and what is left for the file system; later options override earlier ones.
pub(crate) fn parse(options: &[String]) -> (MountFlags, CString) {
    let (mut flags, mut rest) = (MountFlags::empty(), Vec::new());
    for option in options.iter().flat_map(|option| option.split(',')) {
        match FLAGS.iter().find(|(name, _, _)| *name == option) {
            Some((_, flag, on)) => flags.set(*flag, *on),
            None if IGNORED.contains(&option) => {}
            None => rest.push(option),
        }
    }
    let rest = rest.join(",").replace('\0', "");
    (flags, CString::new(rest).expect("zero bytes were just taken out"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(options: &[&str], flags: MountFlags, rest: &str) {
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        assert_eq!(parse(&options), (flags, CString::new(rest).unwrap()), "{options:?}");
    }

    #[test]
    fn flags_are_told_from_what_the_file_system_reads() {
        check(&[], MountFlags::empty(), "");
        check(&["defaults", "noatime"], MountFlags::NOATIME, "");
        check(&["ro,nosuid", "data=journal"], MountFlags::RDONLY | MountFlags::NOSUID, "data=journal");
        check(&["ro", "rw", "commit=1", "barrier"], MountFlags::empty(), "commit=1,barrier");
    }
}
