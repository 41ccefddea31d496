//! Why the event file system refuses something, as the numbers that programs on Linux know.

/// An error number. Those that the file system itself gives have names; others come from the kernel through a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Errno(pub i32);

impl Errno {
    /// Not allowed to this user, or to anybody in this place.
    pub const PERM: Errno = Errno(1);
    /// There is no such file.
    pub const NO_ENTRY: Errno = Errno(2);
    /// A signal ended the wait.
    pub const INTERRUPTED: Errno = Errno(4);
    /// The file was not opened for this, or is not open.
    pub const BAD_FILE: Errno = Errno(9);
    /// There is nothing yet, and the reader will not wait.
    pub const AGAIN: Errno = Errno(11);
    /// The buffers of all open files together would be too large.
    pub const NO_MEMORY: Errno = Errno(12);
    /// Somebody else waits in the same open file.
    pub const BUSY: Errno = Errno(16);
    /// There is one of that name.
    pub const EXISTS: Errno = Errno(17);
    /// The monitored object does not exist, or exists no longer.
    pub const NO_DEVICE: Errno = Errno(19);
    /// Only a directory has entries.
    pub const NOT_DIRECTORY: Errno = Errno(20);
    /// A directory is not read or written.
    pub const IS_DIRECTORY: Errno = Errno(21);
    /// What was written is no registration, or not one for this producer.
    pub const INVALID: Errno = Errno(22);
    /// Too many files are open.
    pub const TOO_MANY_OPEN: Errno = Errno(23);
    /// The file system has no room for another file.
    pub const NO_SPACE: Errno = Errno(28);
    /// A name or a path is too long.
    pub const NAME_TOO_LONG: Errno = Errno(36);
    /// The directory has entries.
    pub const NOT_EMPTY: Errno = Errno(39);
    /// The object cannot be monitored that way.
    pub const NOT_SUPPORTED: Errno = Errno(95);
    /// The threshold was reached before anybody began to wait.
    pub const ALREADY: Errno = Errno(114);
}
