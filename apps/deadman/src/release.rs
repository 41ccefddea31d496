//! Letting go of groups: their cgroups from here, their addresses and file systems by helpers.
//!
//! A helper is a fork of this process: one that hangs in an unmount hangs alone.

use crate::rules::Left;
use crate::say::say;
use phalanx_exec::Cgroup;
use phalanx_lifeline::{HeldAddress, HeldFileSystem, Hold};
use phalanx_model::{FileSystem, Format};
use phalanx_netlink::{Netlink, NetlinkError};
use phalanx_storage::{Manner, unmount};
use phalanx_types::{GroupName, Tick};
use rustix::process::{Pid, Signal, WaitOptions, wait, waitpid};
use std::collections::BTreeMap;
use std::io;

/// First file descriptor after standard input, output and error.
const FIRST_INHERITED: libc::c_uint = 3;

/// How far the letting go of each group has come.
#[derive(Debug, Default)]
pub struct Release {
    helpers: BTreeMap<GroupName, Helper>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Helper {
    /// It is at work.
    Running(Pid),
    /// It has seen everything gone.
    Succeeded,
    /// It has not.
    Failed,
}

impl Release {
    /// Asks the processes of each group to end.
    pub fn ask(&self, holds: &[Hold]) {
        for hold in holds {
            warn(hold, "ask", Cgroup::at(&hold.cgroup).signal(Signal::TERM));
        }
    }

    /// Kills the processes of each group, and has a helper clear away the rest, which must be done by `until`.
    pub fn end(&mut self, holds: &[Hold], until: Tick) {
        for hold in holds {
            warn(hold, "kill", Cgroup::at(&hold.cgroup).kill());
        }
        for hold in holds {
            self.help(hold, until);
        }
    }

    /// What is left of `holds`.
    pub fn look(&mut self, holds: &[Hold]) -> Left {
        self.reap();
        let runs = |hold: &Hold| !matches!(Cgroup::at(&hold.cgroup).is_populated(), Ok(false));
        let is_cleared = |hold: &Hold| self.helpers.get(&hold.group) == Some(&Helper::Succeeded);
        match () {
            () if holds.iter().any(runs) => Left::Processes,
            () if holds.iter().all(is_cleared) => Left::Nothing,
            () => Left::Rest,
        }
    }

    /// It is over. Helpers of groups that were dropped meanwhile may still be at work.
    pub fn forget(&mut self) {
        self.helpers.clear();
    }

    /// Buries the children that nobody waits for.
    pub fn bury(&self) {
        while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
    }

    fn help(&mut self, hold: &Hold, until: Tick) {
        match self.helpers.get(&hold.group) {
            Some(Helper::Running(_) | Helper::Succeeded) => {}
            Some(Helper::Failed) | None => match fork_helper(hold, until) {
                Ok(pid) => drop(self.helpers.insert(hold.group.clone(), Helper::Running(pid))),
                Err(error) => say(&format!("cannot fork to clear away {}: {error}", hold.group.as_str())),
            },
        }
    }

    fn reap(&mut self) {
        for helper in self.helpers.values_mut() {
            let Helper::Running(pid) = *helper else { continue };
            if let Ok(Some((_, status))) = waitpid(Some(pid), WaitOptions::NOHANG) {
                *helper = if status.exit_status() == Some(0) { Helper::Succeeded } else { Helper::Failed };
            }
        }
    }
}

fn warn(hold: &Hold, what: &str, outcome: Result<(), phalanx_exec::CgroupError>) {
    if let Err(error) = outcome {
        say(&format!("cannot {what} the processes of {}: {error}", hold.group.as_str()));
    }
}

fn fork_helper(hold: &Hold, until: Tick) -> io::Result<Pid> {
    // SAFETY: this process has one thread, so the child finds no lock held and all memory whole.
    match unsafe { libc::fork() } {
        0 => std::process::exit(help(hold, until)),
        pid => Pid::from_raw(pid).filter(|_| pid > 0).ok_or_else(io::Error::last_os_error),
    }
}

/// The helper's whole life; its exit code says whether it has seen everything gone.
fn help(hold: &Hold, until: Tick) -> i32 {
    close_inherited();
    let file_systems = hold.file_systems.iter().rev();
    let addresses = clear_addresses(&hold.addresses).map_err(|error| error.to_string());
    let outcomes = [addresses].into_iter().chain(file_systems.map(|one| clear_file_system(one, until)));
    let troubles: Vec<String> = outcomes.filter_map(Result::err).collect();
    troubles.iter().for_each(|trouble| say(&format!("{}: {trouble}", hold.group.as_str())));
    i32::from(!troubles.is_empty())
}

/// A helper that hangs must not keep the daemon's connection open.
fn close_inherited() {
    // SAFETY: nothing in this process uses these descriptors from here on; it ends without dropping their owners.
    unsafe { libc::syscall(libc::SYS_close_range, FIRST_INHERITED, libc::c_uint::MAX, 0) };
}

fn clear_addresses(addresses: &[HeldAddress]) -> Result<(), NetlinkError> {
    if addresses.is_empty() {
        return Ok(());
    }
    let mut netlink = Netlink::open()?;
    for held in addresses {
        for holder in netlink.holders(held.address)? {
            netlink.remove(holder.interface, holder.address)?;
        }
    }
    Ok(())
}

fn clear_file_system(held: &HeldFileSystem, until: Tick) -> Result<(), String> {
    let format = match held.format.as_str() {
        "xfs" => Format::Xfs,
        "btrfs" => Format::Btrfs,
        // It only tells how the device is to be recognized, and all others show it plainly.
        _ => Format::Ext4,
    };
    let (device, mount) = (held.device.clone(), held.mount.clone());
    let file_system = FileSystem { device, mount, format, options: Vec::new() };
    unmount(&file_system, Manner::Kill, until).map_err(|error| error.to_string())
}
