//! The thread that keeps the deadman informed. Without its word that a lease end is known, the core uses no lease.
//!
//! It is real-time as the main thread is: a feed that comes late is a lease that is not renewed.

use crate::inbox::{Post, Word};
use phalanx_node::Input;
use phalanx_types::{GroupName, Span, Tick};
use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

const STACK_BYTES: usize = 256 * 1024;
/// Between two attempts to reach a deadman that is not there.
const RETRY: Duration = Duration::from_secs(1);

/// A connection to the deadman. Each call gives up in time.
pub trait Deadman: Send {
    /// Makes it guard a group, before anything of the group is started.
    fn hold(&mut self, group: &GroupName) -> Result<(), String>;
    /// Tells it that nothing of a group is here any more.
    fn let_go(&mut self, group: &GroupName) -> Result<(), String>;
    /// Tells it a lease end; the lease may be used afterwards.
    fn feed(&mut self, until: Tick, stop_budget: Span) -> Result<(), String>;
}

/// Connects to the deadman.
pub type Connect = Box<dyn Fn() -> Result<Box<dyn Deadman>, String> + Send>;

/// What the deadman is to be told.
enum Order {
    Feed { until: Tick, stop_budget: Span },
    Hold { group: GroupName, then: Then },
    LetGo { group: GroupName },
}

/// What is done once a group is guarded, or cannot be.
pub type Then = Box<dyn FnOnce(Result<(), String>) + Send>;

/// Where orders are handed in.
#[derive(Clone)]
pub struct Guard {
    orders: Sender<Order>,
}

struct Desk {
    connect: Connect,
    deadman: Option<Box<dyn Deadman>>,
    post: Post,
    told: Option<Result<(), String>>,
}

impl Guard {
    /// Begins to guard.
    pub fn begin(connect: Connect, post: Post) -> io::Result<Guard> {
        let (orders, heard) = mpsc::channel();
        let desk = Desk { connect, deadman: None, post, told: None };
        let work = move || {
            // If it is refused the main thread's own attempt tells why.
            let _ = phalanx_realtime::make_realtime();
            desk.work(&heard);
        };
        thread::Builder::new().name("guard".into()).stack_size(STACK_BYTES).spawn(work)?;
        Ok(Guard { orders })
    }

    /// Tells the deadman a lease end; the inbox hears whether it knows.
    pub fn feed(&self, until: Tick, stop_budget: Span) {
        self.order(Order::Feed { until, stop_budget });
    }

    /// Has a group guarded, then does `then`.
    pub fn hold(&self, group: GroupName, then: Then) {
        self.order(Order::Hold { group, then });
    }

    /// Tells that nothing of a group is here any more.
    pub fn let_go(&self, group: GroupName) {
        self.order(Order::LetGo { group });
    }

    fn order(&self, order: Order) {
        let alive = self.orders.send(order).is_ok();
        assert!(alive, "the guard ends with the daemon");
    }
}

impl Desk {
    fn work(mut self, heard: &Receiver<Order>) {
        self.reach();
        loop {
            match heard.recv_timeout(RETRY) {
                Ok(order) => self.obey(order),
                Err(RecvTimeoutError::Timeout) => self.reach(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Feed { until, stop_budget } => {
                let fed = self.with(|deadman| deadman.feed(until, stop_budget));
                self.post.input(if fed.is_ok() { Input::Fed { until } } else { Input::Unfed });
            }
            Order::Hold { group, then } => then(self.with(|deadman| deadman.hold(&group))),
            Order::LetGo { group } => {
                // A deadman that guards what is no longer there finds nothing to stop.
                let _ = self.with(|deadman| deadman.let_go(&group));
            }
        }
    }

    fn with(&mut self, act: impl FnOnce(&mut dyn Deadman) -> Result<(), String>) -> Result<(), String> {
        let deadman = self.deadman.as_mut().ok_or_else(|| "no deadman guards this node".to_owned())?;
        let done = act(&mut **deadman);
        if let Err(why) = &done {
            self.deadman = None;
            self.tell(Err(why.clone()));
        }
        done
    }

    fn reach(&mut self) {
        if self.deadman.is_some() {
            return;
        }
        match (self.connect)() {
            Ok(deadman) => {
                self.deadman = Some(deadman);
                self.tell(Ok(()));
            }
            Err(why) => self.tell(Err(why)),
        }
    }

    /// Says how it stands whenever that is another.
    fn tell(&mut self, standing: Result<(), String>) {
        if self.told.as_ref() != Some(&standing) {
            self.told = Some(standing.clone());
            self.post.send(Word::Guarded(standing));
        }
    }
}
