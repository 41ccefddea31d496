//! What stands in RC_FROM_EVPROD for each kind of occurrence.
//!
//! AIX keeps these numbers in `<sys/ahafs_evProds.h>` and documents only their names, so all numbers here but 0 are ours. That a
//! write is 1000 is what a sample of IBM's shows.

/// Somebody wrote into the file.
pub const MODFILE_WRITE: i32 = 1000;
/// The file was made shorter (AIX: AHAFS_MODFILE_FTRUNC).
pub const MODFILE_TRUNCATE: i32 = 1003;
/// The file's file system was unmounted; the file can be monitored no longer.
pub const MODFILE_UNMOUNT: i32 = 1010;
/// The file was removed, or another took its place.
pub const MODFILE_REMOVE: i32 = 1011;
/// The file was renamed.
pub const MODFILE_RENAME: i32 = 1012;

/// The directory has a new entry.
pub const MODDIR_CREATE: i32 = 1100;
/// An entry of the directory is gone.
pub const MODDIR_REMOVE: i32 = 1101;
/// The directory's file system was unmounted.
pub const MODDIR_UNMOUNT: i32 = 1110;
/// The directory itself was removed.
pub const MODDIR_REMOVE_SELF: i32 = 1111;
/// The directory itself was renamed.
pub const MODDIR_RENAME_SELF: i32 = 1112;

/// Mode, owner, links, times or extended attributes of the file changed.
pub const MODFILEATTR_CHANGE: i32 = 1200;
/// The file's file system was unmounted.
pub const MODFILEATTR_UNMOUNT: i32 = 1210;
/// The file was removed, or another took its place.
pub const MODFILEATTR_REMOVE: i32 = 1211;
/// The file was renamed.
pub const MODFILEATTR_RENAME: i32 = 1212;

/// A threshold of the file system was reached.
pub const UTILFS_THRESHOLD: i32 = 1300;
/// The file system was unmounted.
pub const UTILFS_UNMOUNT: i32 = 1310;

/// The process is down; producers of this kind have no numbers of their own.
pub const PROCESS_DOWN: i32 = 0;
/// Something happened in the cluster; the record says what.
pub const CLUSTER_EVENT: i32 = 0;
