//! What the real-time thread waits for: sockets, the inbox, signals, and a point on the boot clock.

use phalanx_host::clock::timespec;
use phalanx_types::{PathId, Tick};
use phalanx_udp::Carrier;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};
use std::collections::BTreeSet;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

/// What woke the thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// Datagrams have arrived on a path.
    Path(PathId),
    /// The inbox has words.
    Inbox,
    /// Clients of Group Services have done something.
    Clients,
    /// A signal is waiting.
    Signal,
    /// The time has come.
    Timer,
}

/// Events that are taken at a time.
const EVENTS_MAX: usize = 32;
const INBOX: u64 = 1 << 32;
const SIGNAL: u64 = 2 << 32;
const TIMER: u64 = 3 << 32;
const CLIENTS: u64 = 4 << 32;

/// The things waited for.
pub struct Wait {
    epoll: OwnedFd,
    timer: OwnedFd,
    armed: Option<Tick>,
    paths: BTreeSet<PathId>,
}

impl Wait {
    /// Waits for an inbox, for clients and for signals; for paths see [`Wait::watch`].
    pub fn new(inbox: impl AsFd, clients: impl AsFd, signals: impl AsFd) -> io::Result<Wait> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let timer = timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        epoll::add(&epoll, inbox, EventData::new_u64(INBOX), EventFlags::IN)?;
        epoll::add(&epoll, clients, EventData::new_u64(CLIENTS), EventFlags::IN)?;
        epoll::add(&epoll, signals, EventData::new_u64(SIGNAL), EventFlags::IN)?;
        epoll::add(&epoll, &timer, EventData::new_u64(TIMER), EventFlags::IN)?;
        Ok(Wait { epoll, timer, armed: None, paths: BTreeSet::new() })
    }

    /// Waits for each socket of the carrier that is not waited for yet.
    pub fn watch(&mut self, carrier: &Carrier) -> io::Result<()> {
        for (path, socket) in carrier.sockets() {
            if self.paths.insert(path) {
                epoll::add(&self.epoll, socket, EventData::new_u64(data(path)), EventFlags::IN)?;
            }
        }
        Ok(())
    }

    /// Wakes at `at`, at the latest. A timer that goes off earlier is left as it is: under load the next deadline is put off
    /// again and again, and to wake once in vain costs less than that.
    pub fn arm(&mut self, at: Tick) -> io::Result<()> {
        if self.armed.is_some_and(|armed| armed <= at) {
            return Ok(());
        }
        // A zero would disarm it: what is long due is due at once.
        let expiry = timespec(Tick::ZERO.until(Tick(at.0.clamp(1, i64::MAX as u64))));
        let time = Itimerspec { it_interval: timespec(phalanx_types::Span(0)), it_value: expiry };
        timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &time)?;
        self.armed = Some(at);
        Ok(())
    }

    /// Waits until something is there, and gives all that is.
    pub fn wait(&mut self, woken: &mut Vec<Woken>) -> io::Result<()> {
        let mut buffer = [MaybeUninit::uninit(); EVENTS_MAX];
        let events = match epoll::wait(&self.epoll, &mut buffer, None) {
            Ok((events, _)) => &*events,
            Err(rustix::io::Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        woken.extend(events.iter().map(|event| meaning(event.data.u64())));
        if woken.contains(&Woken::Timer) {
            // It stays due until it is armed anew.
            self.armed = None;
        }
        Ok(())
    }
}

fn data(path: PathId) -> u64 {
    u64::from(path.network.0) << 8 | u64::from(path.index)
}

fn meaning(data: u64) -> Woken {
    match data {
        INBOX => Woken::Inbox,
        CLIENTS => Woken::Clients,
        SIGNAL => Woken::Signal,
        TIMER => Woken::Timer,
        path => {
            let network = phalanx_types::NetworkId((path >> 8) as u8);
            Woken::Path(PathId { network, index: path as u8 })
        }
    }
}
