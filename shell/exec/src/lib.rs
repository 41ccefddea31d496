//! Runs argument lists in cgroups: with a clean environment, bounded output, an end in time, and a permit that is
//! checked right before.
//!
//! Never goes through a shell, never leaves a process that it cannot find again, never decides what to run.

pub mod cgroup;
mod child;
pub mod ending;
pub mod job;
pub mod permit;
pub mod process;
mod tail;

pub use cgroup::{Cgroup, CgroupError};
pub use ending::Ending;
pub use job::{Finished, Identity, Job, SpawnError, User};
pub use permit::{Clearance, Permits, Stale};
pub use process::Process;
