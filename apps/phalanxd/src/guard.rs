//! The thread that keeps the deadman informed. Without its word that a lease end is known, the core uses no lease.
//!
//! It is real-time as the main thread is: a feed that comes late is a lease that is not renewed.

use crate::inbox::{Post, Word};
use phalanx_lifeline::{Hold, Lifeline, LifelineError};
use phalanx_node::Input;
use phalanx_types::{GroupName, Span, Tick};
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

const STACK_BYTES: usize = 256 * 1024;
/// Between two attempts to reach a deadman that is not there.
const RETRY: Duration = Duration::from_millis(500);
/// How long the deadman's answer is awaited: far longer than it takes, far shorter than a lease.
const PATIENCE: Span = Span::from_millis(50);

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
    orders: Sender<Order>,
}

struct Desk {
    socket: PathBuf,
    lifeline: Option<Lifeline>,
    /// What is to be guarded; a deadman that comes anew is told all of it.
    holds: BTreeMap<GroupName, Hold>,
    tried: Instant,
    post: Post,
    told: Option<Result<(), String>>,
}

impl Guard {
    /// Begins to guard with the deadman that listens at `socket`.
    pub fn begin(socket: PathBuf, post: Post) -> io::Result<Guard> {
        let (orders, heard) = mpsc::channel();
        let desk =
            Desk { socket, lifeline: None, holds: BTreeMap::new(), tried: Instant::now(), post, told: None };
        let work = move || {
            // If it is refused the main thread's own attempt tells why.
            let _ = phalanx_realtime::make_realtime();
            desk.work(&heard);
        };
        thread::Builder::new().name("guard".into()).stack_size(STACK_BYTES).spawn(work)?;
        Ok(Guard { orders })
    }

    /// Tells the deadman a lease end; the inbox hears when it has accepted it.
    pub fn feed(&self, until: Tick, stop_budget: Span) {
        self.order(Order::Feed { until, stop_budget });
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
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.lifeline.is_none() && self.tried.elapsed() >= RETRY {
                self.reach();
            }
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

    /// A refusal leaves the connection as it is; after anything else it is made anew.
    fn with(&mut self, act: impl FnOnce(&mut Lifeline) -> Result<(), LifelineError>) -> Result<(), String> {
        let lifeline = self.lifeline.as_mut().ok_or_else(|| "no deadman guards this node".to_owned())?;
        let error = match act(lifeline) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if !matches!(error, LifelineError::Refused(_)) {
            (self.lifeline, self.tried) = (None, Instant::now());
            self.tell(Err(error.to_string()));
        }
        Err(error.to_string())
    }

    fn reach(&mut self) {
        self.tried = Instant::now();
        match self.greet() {
            Ok(lifeline) => {
                self.lifeline = Some(lifeline);
                self.tell(Ok(()));
            }
            Err(error) => self.tell(Err(format!("{error} ({})", self.socket.display()))),
        }
    }

    fn greet(&self) -> Result<Lifeline, LifelineError> {
        let mut lifeline = Lifeline::connect(&self.socket, PATIENCE)?;
        lifeline.hello()?;
        self.holds.values().try_for_each(|hold| lifeline.hold(hold.clone()))?;
        Ok(lifeline)
    }

    /// Says how it stands whenever that is another.
    fn tell(&mut self, standing: Result<(), String>) {
        if self.told.as_ref() != Some(&standing) {
            self.told = Some(standing.clone());
            self.post.send(Word::Guarded(standing));
        }
    }
}
