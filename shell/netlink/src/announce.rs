//! Tells a network where an address is now: at once, and twice more, for frames get lost.

use crate::frame::{Mac, arp_announcement, neighbour_advertisement};
use crate::interface::Interface;
use crate::packet::{Listen, Packets};
use phalanx_realtime::make_helper;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// From each announcement to the next one: they are made at once, after 100 ms and after 1 s.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(900)];
/// From each to the next one where another host says that the address is there, for ever.
const INSISTENCE: Duration = Duration::from_secs(1);
const STACK_BYTES: usize = 128 * 1024;

/// An announcement under way. Dropped, it has ended: no frame is sent after that.
#[derive(Debug)]
pub struct Announcement {
    shared: Arc<Shared>,
}

/// What an announcement has to be told while it goes on.
pub trait Claim {
    /// Whether the address is still ours: nothing is said when it is not.
    fn is_ours(&self) -> bool;
    /// Whether another host has the address, too. Asked once, a moment after the first announcement; may take its time.
    fn is_contested(&self) -> bool;
}

#[derive(Debug, Default)]
struct Shared {
    ended: Mutex<bool>,
    changed: Condvar,
}

impl Announcement {
    /// Announces `address` on `interface` now, and again later. Does not wait. An interface that is no Ethernet has nobody
    /// to tell.
    pub fn begin(
        interface: &Interface,
        address: IpAddr,
        claim: impl Claim + Send + 'static,
    ) -> io::Result<Announcement> {
        let shared = Arc::new(Shared::default());
        let announcement = Announcement { shared: Arc::clone(&shared) };
        let Some(mac) = interface.mac else { return Ok(announcement) };
        let packets = Packets::open(interface.index, Listen::Nothing)?;
        let frame = frame(mac, address);
        packets.send(&frame)?;
        let repeat = move || {
            // Where it is refused so is the daemon's own attempt, which tells why.
            let _ = make_helper();
            shared.go_on(&claim, &|| packets.send(&frame).is_ok());
        };
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
    fn go_on(&self, claim: &dyn Claim, send: &dyn Fn() -> bool) {
        let say = |pause| self.say_after(pause, claim, send);
        let contested = say(PAUSES[0]) && claim.is_contested();
        let mut goes_on = say(PAUSES[1]);
        while goes_on && contested {
            goes_on = say(INSISTENCE);
        }
    }

    /// Says it once more after a pause, unless it is not ours then; false once the announcement has ended, or cannot be
    /// made. The lock is held while a frame is sent, so that none follows the drop.
    fn say_after(&self, pause: Duration, claim: &dyn Claim, send: &dyn Fn() -> bool) -> bool {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(ended, pause, |ended| !*ended);
        let ended = waited.unwrap_or_else(PoisonError::into_inner).0;
        !*ended && (!claim.is_ours() || send())
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

    struct Story {
        ours: bool,
        contested: bool,
    }

    impl Claim for Story {
        fn is_ours(&self) -> bool {
            self.ours
        }

        fn is_contested(&self) -> bool {
            self.contested
        }
    }

    /// How often it is said again before the third time is the last.
    fn said(ended: bool, ours: bool, contested: bool) -> u32 {
        let shared = Shared { ended: Mutex::new(ended), changed: Condvar::new() };
        let count = Cell::new(0);
        shared.go_on(&Story { ours, contested }, &|| {
            count.set(count.get() + 1);
            count.get() < 3
        });
        count.get()
    }

    #[test]
    fn it_is_repeated_twice_and_for_ever_where_another_contests_it() {
        assert_eq!(said(false, true, false), 2);
        assert_eq!(said(false, true, true), 3);
        assert_eq!(said(true, true, true), 0);
        assert_eq!(said(false, false, false), 0);
    }
}
