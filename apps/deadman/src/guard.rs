//! The loop: hears the daemon, asks the rules, and does what they say.

use crate::options::Settings;
use crate::release::Release;
use crate::rules::{Daemon, Left, Order, Rules};
use crate::say::say;
use crate::signals::Signals;
use crate::watchdog::Watchdog;
use phalanx_host::now;
use phalanx_lifeline::message::MESSAGE_BYTES_MAX;
use phalanx_lifeline::{Connection, Hold, Listener, Received, Reply, Request, Slate};
use phalanx_types::Tick;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// Daemons connected at a time: one, the next life of it, and room.
const CONNECTIONS_MAX: usize = 4;
/// Requests heard from one daemon before the others are.
const REQUESTS_MAX: usize = 16;
const NANOS_PER_SEC: u64 = 1_000_000_000;

/// The whole state of this process.
pub struct Guard {
    settings: Settings,
    listener: Listener,
    signals: Signals,
    timer: OwnedFd,
    connections: [Option<Connection>; CONNECTIONS_MAX],
    /// Which connection is the daemon's: the one that last said hello.
    daemon: Option<usize>,
    /// Where that daemon writes its lease ends.
    slate: Option<Slate>,
    /// When it is looked at next, if nothing else wakes us before.
    look_at: Tick,
    rules: Rules,
    release: Release,
    watchdog: Option<Watchdog>,
    buffer: Vec<u8>,
    asked_to_exit: bool,
}

impl Guard {
    /// A guard that is ready for its daemon.
    pub fn new(settings: Settings) -> io::Result<Guard> {
        let watchdog = settings.watchdog.clone().map(|(path, seconds)| Watchdog::new(path, seconds));
        Ok(Guard {
            listener: Listener::bind(&settings.socket)?,
            signals: Signals::catch()?,
            timer: timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?,
            connections: [const { None }; CONNECTIONS_MAX],
            daemon: None,
            slate: None,
            look_at: Tick::NEVER,
            rules: Rules::default(),
            release: Release::default(),
            watchdog,
            buffer: vec![0; MESSAGE_BYTES_MAX],
            asked_to_exit: false,
            settings,
        })
    }

    /// Guards until it is asked to exit and nothing is held.
    pub fn run(&mut self) -> io::Result<()> {
        loop {
            // First what was said: a lease that was fed in time counts, also if we were late to hear of it.
            self.hear();
            self.decide();
            self.tend_watchdog();
            if self.asked_to_exit && self.rules.holds().is_empty() {
                return Ok(());
            }
            self.sleep()?;
        }
    }

    fn decide(&mut self) {
        let was_letting_go = self.rules.is_letting_go();
        let left = match was_letting_go {
            true => self.release.look(self.rules.holds()),
            false => Left::Processes,
        };
        match self.rules.decide(now(), left) {
            Order::Wait => {}
            Order::Ask => {
                self.say_why("the daemon is gone and its lease runs low: asking its groups to end");
                self.release.ask(self.rules.holds());
            }
            Order::End => {
                if !was_letting_go {
                    self.say_why("the lease runs low and was not renewed: ending the daemon's groups");
                }
                self.release.end(self.rules.holds(), self.rules.until());
            }
            Order::StandDown => {
                self.release.forget();
                self.release.bury();
                say("nothing is held any more; standing down");
            }
            Order::TakeDown => self.take_down(),
        }
    }

    fn take_down(&mut self) {
        // First the deed: words take time.
        let outcome = self.settings.action.act();
        self.say_why("the lease is over and something is still held: taking the host down");
        match outcome {
            Ok(()) => self.rules.acted(),
            Err(error) => say(&format!("the host could not be taken down: {error}")),
        }
        self.release.end(self.rules.holds(), self.rules.until());
    }

    fn say_why(&self, what: &str) {
        let groups: Vec<&str> = self.rules.holds().iter().map(|hold| hold.group.as_str()).collect();
        say(&format!("{what} (held: {})", groups.join(", ")));
    }

    fn hear(&mut self) {
        if self.signals.came() {
            self.asked_to_exit = true;
            let word =
                if self.rules.holds().is_empty() { "exiting" } else { "will exit when nothing is held" };
            say(&format!("asked to exit: {word}"));
        }
        self.look();
        self.accept();
        for slot in 0..CONNECTIONS_MAX {
            self.hear_from(slot);
        }
        let daemon = if self.daemon.is_some() { Daemon::Connected } else { Daemon::Gone };
        self.rules.see(daemon);
    }

    /// Takes the lease end that stands on the slate. Looking as often as the stop budget is long leaves a lease that is
    /// renewed with all of that budget and more; nothing but time wakes us for it.
    fn look(&mut self) {
        let now = now();
        let written = self.slate.as_ref().and_then(|slate| slate.read(now));
        let (Some(slate), Some((until, stop_budget))) = (&self.slate, written) else { return };
        if until != self.rules.until() {
            // One that is refused is not accepted, and its daemon lets go in time.
            let _ = self.rules.feed(now, until, stop_budget);
        }
        if until == self.rules.until() {
            slate.accept(until);
        }
        self.look_at = now + Slate::pause(stop_budget);
    }

    fn accept(&mut self) {
        while let Ok(Some(connection)) = self.listener.accept() {
            let free = self.connections.iter().position(Option::is_none);
            // A newcomer takes the place of one that is not the daemon's.
            let place = free.or_else(|| (0..CONNECTIONS_MAX).find(|slot| self.daemon != Some(*slot)));
            self.connections[place.expect("there are more places than daemons")] = Some(connection);
        }
    }

    fn hear_from(&mut self, slot: usize) {
        for _ in 0..REQUESTS_MAX {
            let Some(connection) = &self.connections[slot] else { return };
            match connection.receive(&mut self.buffer) {
                Received::Request(sequence, request) => self.answer(slot, sequence, request),
                Received::Nothing => return,
                Received::Closed => return self.close(slot, "the daemon is gone"),
                Received::Nonsense => {
                    return self.close(slot, "the daemon makes no sense; connection closed");
                }
            }
        }
    }

    fn close(&mut self, slot: usize, why: &str) {
        self.connections[slot] = None;
        if self.daemon == Some(slot) {
            // What it wrote last counts.
            self.look();
            (self.daemon, self.slate, self.look_at) = (None, None, Tick::NEVER);
            self.say_why(why);
        }
    }

    fn answer(&mut self, slot: usize, sequence: u32, request: Request) {
        let reply = match request {
            Request::Hello => return self.greet(slot, sequence),
            Request::Feed { .. } | Request::Hold(_) | Request::Drop { .. } if self.daemon != Some(slot) => {
                refuse("say hello first; another daemon may have done so since")
            }
            Request::Feed { until, stop_budget } => done(self.rules.feed(now(), until, stop_budget)),
            Request::Drop { group } => {
                self.rules.drop_group(&group);
                Reply::Done
            }
            Request::Hold(hold) => self.guard(hold),
        };
        if let Some(connection) = &self.connections[slot] {
            connection.reply(sequence, reply, &mut self.buffer);
        }
    }

    /// A new daemon, or one that was here before: what it wrote until now counts, and from now on a new slate does.
    fn greet(&mut self, slot: usize, sequence: u32) {
        self.look();
        let made = Slate::make().inspect_err(|error| say(&format!("warning: no slate can be made: {error}")));
        let (slate, file) = made.ok().unzip();
        (self.daemon, self.slate, self.look_at) = (Some(slot), slate, Tick::NEVER);
        let watchdog = self.watchdog.as_ref().map(Watchdog::seconds);
        let groups = self.rules.holds().iter().map(|hold| hold.group.clone()).collect();
        let standing = Reply::Standing { until: self.rules.until(), groups, watchdog };
        let Some(connection) = &self.connections[slot] else { return };
        match file {
            Some(file) => connection.reply_with(sequence, standing, &file, &mut self.buffer),
            None => connection.reply(sequence, standing, &mut self.buffer),
        }
    }

    fn guard(&mut self, hold: Hold) -> Reply {
        match self.arm_watchdog() {
            Ok(()) => done(self.rules.hold(now(), hold)),
            Err(error) => refuse(&format!("the watchdog cannot be armed: {error}")),
        }
    }

    fn arm_watchdog(&mut self) -> io::Result<()> {
        // Never before a lease: what is refused next must not leave it armed.
        match &mut self.watchdog {
            Some(watchdog) if self.rules.until() > now() => watchdog.arm(),
            Some(_) | None => Ok(()),
        }
    }

    /// Feeds the watchdog as long as all is well, and disarms it when nothing is held.
    fn tend_watchdog(&mut self) {
        let Some(watchdog) = &mut self.watchdog else { return };
        let (now, is_held) = (now(), !self.rules.holds().is_empty());
        let outcome = match () {
            () if !is_held => watchdog.disarm(),
            () if now < self.rules.until() => watchdog.feed(now),
            // Something is held past its lease: let it bite.
            () => Ok(()),
        };
        if let Err(error) = outcome {
            say(&format!("warning: the watchdog does not take its food: {error}"));
        }
    }

    fn sleep(&self) -> io::Result<()> {
        let watchdog = self.watchdog.as_ref().map_or(Tick::NEVER, Watchdog::wake_at);
        let wake_at = self.rules.wake_at(now()).min(watchdog).min(self.look_at);
        set_timer(&self.timer, wake_at)?;
        let timer = self.timer.as_fd();
        let [a, b, c, d] = self.connections.each_ref().map(|slot| slot.as_ref().map_or(timer, AsFd::as_fd));
        let all = [timer, self.listener.as_fd(), self.signals.as_fd(), a, b, c, d];
        let mut fds = all.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

fn done(outcome: Result<(), &'static str>) -> Reply {
    outcome.map_or_else(refuse, |()| Reply::Done)
}

fn refuse(why: &str) -> Reply {
    Reply::Refused { why: why.into() }
}

/// Has `timer` wake us at `when`, at once if that is past.
fn set_timer(timer: &OwnedFd, when: Tick) -> io::Result<()> {
    let nothing = Timespec { tv_sec: 0, tv_nsec: 0 };
    // Zero would stop the timer, as would a time that it cannot hold.
    let nanos = if when == Tick::NEVER { 0 } else { when.0.max(1) };
    let seconds = i64::try_from(nanos / NANOS_PER_SEC).expect("64 bits of nanoseconds are 585 years");
    let rest = i64::try_from(nanos % NANOS_PER_SEC).expect("less than a second");
    let at = Itimerspec { it_interval: nothing, it_value: Timespec { tv_sec: seconds, tv_nsec: rest } };
    timerfd_settime(timer, TimerfdTimerFlags::ABSTIME, &at)?;
    Ok(())
}
