//! What keeps the deadman informed. Without its word that a lease end is accepted, the core uses no lease.
//!
//! Lease ends go by way of the slate: the main thread writes one there and sees, whenever it is awake, how far they were
//! accepted; that costs neither process a wakeup. The first one after each hello, and everything else, is said over the
//! lifeline by a thread of its own, which may wait for answers. It is real-time as the main thread is, and it notices at
//! once when the deadman is gone.

use crate::inbox::{Guarded, Post, Word};
use phalanx_host::now;
use phalanx_lifeline::{Hold, Lifeline, LifelineError, Slate};
use phalanx_node::Input;
use phalanx_realtime::{Giver, Taker, make_realtime, queue};
use phalanx_types::{GroupName, Span, Tick};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

/// Orders that may wait.
const ORDERS_MAX: usize = 4_096;
const STACK_BYTES: usize = 256 * 1024;
/// Between two attempts to reach a deadman that is not there.
const RETRY: Span = Span::from_millis(500);
/// How long the deadman's answer is awaited: far longer than it takes. No lease waits for it.
const PATIENCE: Span = Span::from_millis(200);

/// What the deadman is to be told.
enum Order {
    Feed { until: Tick, stop_budget: Span },
    Hold { hold: Hold, then: Then },
    LetGo { group: GroupName },
}

/// What is done once a group is guarded, or cannot be.
pub type Then = Box<dyn FnOnce(Result<(), String>) + Send>;

/// Where orders are handed in.
#[derive(Clone)]
pub struct Guard {
    orders: Giver<Order>,
    bell: Arc<OwnedFd>,
}

/// How lease ends reach the deadman; the main thread's.
pub struct Feeder {
    guard: Guard,
    slate: Option<Slate>,
    /// The end accepted last, as far as the core knows.
    accepted: Tick,
}

struct Desk {
    socket: PathBuf,
    bell: Arc<OwnedFd>,
    lifeline: Option<Lifeline>,
    /// What is to be guarded; a deadman that comes anew is told all of it.
    holds: BTreeMap<GroupName, Hold>,
    post: Post,
    /// When a deadman was last looked for in vain; [`Tick::ZERO`]: it is to be looked for now.
    tried: Tick,
    /// What was last told of a deadman that is not there.
    trouble: Option<String>,
}

impl Guard {
    /// Begins to guard with the deadman that listens at `socket`.
    pub fn begin(socket: PathBuf, post: Post) -> io::Result<Guard> {
        let (orders, heard) = queue(ORDERS_MAX);
        let bell = Arc::new(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?);
        let desk = Desk {
            socket,
            bell: Arc::clone(&bell),
            lifeline: None,
            holds: BTreeMap::new(),
            post,
            tried: Tick::ZERO,
            trouble: None,
        };
        let work = move || {
            // If it is refused the main thread's own attempt tells why.
            let _ = make_realtime();
            desk.work(&heard);
        };
        thread::Builder::new().name("guard".into()).stack_size(STACK_BYTES).spawn(work)?;
        Ok(Guard { orders, bell })
    }

    /// Has a group guarded, then does `then`.
    pub fn hold(&self, hold: Hold, then: Then) {
        self.order(Order::Hold { hold, then });
    }

    /// Tells that nothing of a group is here any more.
    pub fn let_go(&self, group: GroupName) {
        self.order(Order::LetGo { group });
    }

    fn order(&self, order: Order) {
        let taken = self.orders.give(order).is_ok();
        assert!(taken, "the guard ends with the daemon, and waits for no answer long enough to be flooded");
        let _ = rustix::io::write(&*self.bell, &1u64.to_ne_bytes());
    }
}

impl Feeder {
    /// Feeds by way of `guard` until there is a slate.
    pub fn new(guard: Guard) -> Feeder {
        Feeder { guard, slate: None, accepted: Tick::ZERO }
    }

    /// The deadman's slate from now on; `None`: it is gone, or has none.
    pub fn take(&mut self, slate: Option<Slate>) {
        (self.slate, self.accepted) = (slate, Tick::ZERO);
    }

    /// Tells the deadman a lease end. One that cannot wait until the deadman looks at the slate next, a stop budget from
    /// now at the latest, goes by the lifeline as well: the first after each hello, and the first after a stall.
    pub fn feed(&self, until: Tick, stop_budget: Span) {
        if let Some(slate) = &self.slate {
            slate.write(until, stop_budget);
        }
        let let_go_at = |slate: &Slate| slate.accepted().before(stop_budget);
        if self.slate.as_ref().is_none_or(|slate| let_go_at(slate) <= now() + stop_budget) {
            self.guard.order(Order::Feed { until, stop_budget });
        }
    }

    /// Since when the deadman has not looked at its slate, if it should have.
    pub fn silence(&self) -> Option<Span> {
        self.slate.as_ref()?.silence(now())
    }

    /// A lease end that was accepted since it was asked for last.
    pub fn news(&mut self) -> Option<Tick> {
        let accepted = self.slate.as_ref()?.accepted();
        let is_news = std::mem::replace(&mut self.accepted, accepted) != accepted;
        is_news.then_some(accepted)
    }
}

impl Desk {
    fn work(mut self, heard: &Taker<Order>) {
        loop {
            if self.lifeline.is_none() && now() >= self.tried + RETRY {
                self.reach();
            }
            self.wait();
            let _ = rustix::io::read(&*self.bell, &mut [0; 8]);
            while let Some(order) = heard.take() {
                self.obey(order);
            }
            if heard.is_over() {
                return;
            }
        }
    }

    /// Until there are orders, or the deadman is gone, or it is time to look for one. Nobody asked it anything: whatever
    /// comes from it now is its end.
    fn wait(&mut self) {
        let retry = Timespec { tv_sec: 0, tv_nsec: RETRY.0 as i64 };
        let bell = PollFd::new(&self.bell, PollFlags::IN);
        let Some(lifeline) = &self.lifeline else {
            let _ = poll(&mut [bell], Some(&retry));
            return;
        };
        let mut fds = [bell, PollFd::from_borrowed_fd(lifeline.as_fd(), PollFlags::IN)];
        if poll(&mut fds, None).is_ok() && !fds[1].revents().is_empty() {
            self.tried = Tick::ZERO;
            self.lose("the deadman is gone".into());
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Feed { until, stop_budget } => self.feed(until, stop_budget),
            Order::Hold { hold, then } => {
                self.holds.insert(hold.group.clone(), hold.clone());
                then(self.with(|lifeline| lifeline.hold(hold)));
            }
            Order::LetGo { group } => {
                self.holds.remove(&group);
                // A deadman that still guards what is no longer there finds nothing to stop.
                let _ = self.with(|lifeline| lifeline.drop_group(group));
            }
        }
    }

    /// Only a lease end that the deadman accepted is answered. That it is gone was told when it went: to answer each feed
    /// with that would have the core ask at once again, as fast as two real-time threads can.
    fn feed(&mut self, until: Tick, stop_budget: Span) {
        if self.with(|lifeline| lifeline.feed(until, stop_budget)).is_ok() {
            self.post.input(Input::Fed { until });
        }
    }

    /// A refusal leaves the connection as it is; after anything else it is made anew, at once.
    fn with(&mut self, act: impl FnOnce(&mut Lifeline) -> Result<(), LifelineError>) -> Result<(), String> {
        let lifeline = self.lifeline.as_mut().ok_or_else(|| "no deadman guards this node".to_owned())?;
        let outcome =
            act(lifeline).map_err(|error| (matches!(error, LifelineError::Refused(_)), error.to_string()));
        outcome.map_err(|(is_refusal, why)| {
            if !is_refusal {
                self.tried = Tick::ZERO;
                self.lose(why.clone());
            }
            why
        })
    }

    fn reach(&mut self) {
        match self.greet() {
            Ok((lifeline, guarded)) => {
                (self.lifeline, self.trouble) = (Some(lifeline), None);
                self.post.send(Word::Guarded(Ok(guarded)));
            }
            Err(error) => {
                self.tried = now();
                self.lose(format!("{error} ({})", self.socket.display()));
            }
        }
    }

    fn greet(&self) -> Result<(Lifeline, Guarded), LifelineError> {
        let mut lifeline = Lifeline::connect(&self.socket, PATIENCE)?;
        lifeline.hello()?;
        self.holds.values().try_for_each(|hold| lifeline.hold(hold.clone()))?;
        let guarded = Guarded { slate: lifeline.take_slate(), watchdog: lifeline.watchdog() };
        Ok((lifeline, guarded))
    }

    /// There is no deadman, and why; said once.
    fn lose(&mut self, why: String) {
        self.lifeline = None;
        if self.trouble.as_ref() != Some(&why) {
            self.trouble = Some(why.clone());
            self.post.send(Word::Guarded(Err(why)));
        }
    }
}
