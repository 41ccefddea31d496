//! Tells a network where an address is now: at once, and twice more, for frames get lost.

use crate::frame::{Mac, arp_announcement, neighbour_advertisement};
use crate::interface::Interface;
use crate::packet::{Listen, Packets};
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// From each announcement to the next one: they are made at once, after 100 ms and after 1 s.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(900)];
const STACK_BYTES: usize = 128 * 1024;

/// An announcement under way. Dropped, it has ended: no frame is sent after that.
#[derive(Debug)]
pub struct Announcement {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    ended: Mutex<bool>,
    changed: Condvar,
}

impl Announcement {
    /// Announces `address` on `interface` now, and again later as long as `is_ours` says so. Does not wait. An
    /// interface that is no Ethernet has nobody to tell.
    pub fn begin(
        interface: &Interface,
        address: IpAddr,
        is_ours: impl Fn() -> bool + Send + 'static,
    ) -> io::Result<Announcement> {
        let shared = Arc::new(Shared::default());
        let announcement = Announcement { shared: Arc::clone(&shared) };
        let Some(mac) = interface.mac else { return Ok(announcement) };
        let packets = Packets::open(interface.index, Listen::Nothing)?;
        let frame = frame(mac, address);
        packets.send(&frame)?;
        let repeat = move || shared.repeat(|| is_ours() && packets.send(&frame).is_ok());
        thread::Builder::new().name("announce".into()).stack_size(STACK_BYTES).spawn(repeat)?;
        Ok(announcement)
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        *self.shared.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    /// Calls `send` after each pause, until it says no or the announcement is dropped. The lock is held while a frame
    /// is sent, so that none follows the drop.
    fn repeat(&self, send: impl Fn() -> bool) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        for pause in PAUSES {
            let waited = self.changed.wait_timeout_while(ended, pause, |ended| !*ended);
            ended = waited.unwrap_or_else(PoisonError::into_inner).0;
            if *ended || !send() {
                return;
            }
        }
    }
}

fn frame(mac: Mac, address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => arp_announcement(mac, address).to_vec(),
        IpAddr::V6(address) => neighbour_advertisement(mac, address).to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn sent(ended: bool, goes_on: bool) -> u32 {
        let shared = Shared { ended: Mutex::new(ended), changed: Condvar::new() };
        let count = Cell::new(0);
        shared.repeat(|| {
            count.set(count.get() + 1);
            goes_on
        });
        count.get()
    }

    #[test]
    fn it_is_repeated_twice_unless_it_ended_or_is_no_longer_ours() {
        assert_eq!(sent(false, true), 2);
        assert_eq!(sent(true, true), 0);
        assert_eq!(sent(false, false), 1);
    }
}
