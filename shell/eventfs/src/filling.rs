//! The producer of file systems: how full each is, looked at once a second while somebody wants to know.

use crate::check::{no_device, path};
use crate::clock;
use crate::desk::Seen;
use phalanx_aha::{Errno, Object, Occurrence, code};
use rustix::fs::{AtFlags, CWD, statat, statvfs};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How often they are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// File systems that are watched.
#[derive(Default)]
pub(crate) struct Filling {
    watched: BTreeMap<Object, Known>,
    looked: Option<Instant>,
}

/// What was known of one when it was looked at last.
#[derive(Clone, Copy, Debug)]
struct Known {
    device: u64,
    percent: u64,
}

impl Filling {
    /// Whether nothing is watched.
    pub(crate) fn is_empty(&self) -> bool {
        self.watched.is_empty()
    }

    /// Watches one, too; how full it is now.
    pub(crate) fn watch(&mut self, object: &Object) -> Result<Option<u64>, Errno> {
        let known = look_at(object).map_err(no_device)?;
        self.watched.insert(object.clone(), known);
        Ok(Some(known.percent))
    }

    /// Watches it no longer.
    pub(crate) fn leave(&mut self, object: &Object) {
        self.watched.remove(object);
    }

    /// What has changed, if it is time to look.
    pub(crate) fn look(&mut self) -> Vec<Seen> {
        if self.watched.is_empty() || self.looked.is_some_and(|looked| looked.elapsed() < LOOK_EVERY) {
            return Vec::new();
        }
        self.looked = Some(Instant::now());
        let all: Vec<(Object, Known)> =
            self.watched.iter().map(|(object, known)| (object.clone(), *known)).collect();
        all.into_iter().filter_map(|(object, known)| self.judge(object, known)).collect()
    }

    fn judge(&mut self, object: Object, known: Known) -> Option<Seen> {
        let occurrence = |code| Occurrence { at: clock::now(), code, cause: None, info: Vec::new() };
        match look_at(&object) {
            Ok(now) if now.device == known.device && now.percent == known.percent => None,
            Ok(now) if now.device == known.device => {
                self.watched.insert(object.clone(), now);
                Some(Seen::Value(object, now.percent, occurrence(code::UTILFS_THRESHOLD)))
            }
            // Something else is there now, or nothing.
            Ok(_) | Err(_) => {
                self.watched.remove(&object);
                Some(Seen::Gone(object, occurrence(code::UTILFS_UNMOUNT)))
            }
        }
    }
}

fn look_at(object: &Object) -> rustix::io::Result<Known> {
    let path = path(object);
    let device = statat(CWD, &path, AtFlags::SYMLINK_NOFOLLOW)?.st_dev;
    let system = statvfs(&path)?;
    Ok(Known { device, percent: percent(system.f_blocks, system.f_bfree, system.f_bavail) })
}

/// How much of what everybody may use is used, rounded up, as `df` says it.
fn percent(blocks: u64, free: u64, available: u64) -> u64 {
    let used = blocks.saturating_sub(free);
    let all = used.saturating_add(available);
    if all == 0 { 0 } else { (u128::from(used) * 100).div_ceil(u128::from(all)) as u64 }
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn what_is_kept_for_root_counts_as_used_up() {
        assert_eq!(percent(100, 100, 95), 0);
        assert_eq!(percent(100, 50, 45), 53);
        assert_eq!(percent(100, 5, 0), 100);
        assert_eq!(percent(0, 0, 0), 0);
        assert_eq!(percent(u64::MAX, 1, 1), 100);
    }
}
