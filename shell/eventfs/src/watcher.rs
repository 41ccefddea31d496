//! The thread of the producers: watches what somebody waits for, and sleeps as long as nothing happens.

use crate::desk::{Desk, Seen};
use crate::filling::Filling;
use crate::inodes::{Aspect, Inodes};
use crate::processes::Processes;
use phalanx_aha::{Errno, Object, Producer};
use rustix::event::epoll;
use rustix::event::{EventfdFlags, Timespec, eventfd};
use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

/// How often file systems are looked at while somebody wants to know how full they are.
const LOOK_EVERY: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };
/// Occurrences that are looked at in one turn.
const TURN_MAX: usize = 64;
/// Pieces of events that are read before somebody begins to wait.
const CATCH_UP_MAX: usize = 64;
/// By which number the bell of the orders is known; producers of inodes have their places, processes the numbers behind.
const BELL: u64 = u64::MAX;

/// What is to be watched.
#[derive(Clone, Debug)]
pub(crate) enum Order {
    /// This, too.
    Watch(Object),
    /// This no longer.
    Leave(Object),
    /// Nothing; the thread ends.
    End,
}

/// Takes orders to the thread.
#[derive(Clone, Debug)]
pub(crate) struct Courier {
    orders: Sender<Order>,
    bell: Arc<OwnedFd>,
}

impl Courier {
    /// Sends an order; there are never more under way than files are open.
    pub(crate) fn send(&self, order: Order) {
        // The thread has ended: nobody is left to be told anything.
        let _ = self.orders.send(order);
        let _ = rustix::io::write(&self.bell, &1u64.to_ne_bytes());
    }
}

/// All that is watched.
pub(crate) struct Watcher {
    epoll: OwnedFd,
    bell: Arc<OwnedFd>,
    orders: Receiver<Order>,
    inodes: Vec<Inodes>,
    processes: Processes,
    filling: Filling,
}

impl Watcher {
    /// Nothing is watched yet.
    pub(crate) fn new() -> io::Result<(Watcher, Courier)> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        epoll::add(&epoll, &bell, epoll::EventData::new_u64(BELL), epoll::EventFlags::IN)?;
        let aspects = [Aspect::Content, Aspect::Entries, Aspect::Attributes];
        let inodes = aspects.into_iter().map(Inodes::new).collect::<io::Result<Vec<Inodes>>>()?;
        for (place, one) in inodes.iter().enumerate() {
            for descriptor in one.descriptors() {
                epoll::add(
                    &epoll,
                    descriptor,
                    epoll::EventData::new_u64(place as u64),
                    epoll::EventFlags::IN,
                )?;
            }
        }
        let processes = Processes::new(inodes.len() as u64);
        let (giver, orders) = channel();
        let courier = Courier { orders: giver, bell: Arc::clone(&bell) };
        let filling = Filling::default();
        Ok((Watcher { epoll, bell, orders, inodes, processes, filling }, courier))
    }

    /// Watches, and tells the desk, until it is to end.
    pub(crate) fn run(mut self, desk: &Desk) -> io::Result<()> {
        let mut events = Vec::with_capacity(TURN_MAX);
        loop {
            let limit = (!self.filling.is_empty()).then_some(LOOK_EVERY);
            events.clear();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), limit.as_ref()) {
                Err(rustix::io::Errno::INTR) => continue,
                outcome => outcome?,
            };
            // What was seen is told before orders are taken: it belongs to who waited until now.
            let numbers: BTreeSet<u64> = events.iter().map(|event| event.data.u64()).collect();
            let seen: Vec<Seen> = numbers.iter().flat_map(|number| self.look(*number)).collect();
            let filled = self.filling.look();
            desk.seen(seen.into_iter().chain(filled).collect());
            if numbers.contains(&BELL) && self.obey(desk) {
                return Ok(());
            }
        }
    }

    fn look(&mut self, number: u64) -> Vec<Seen> {
        match self.inodes.get_mut(number as usize) {
            Some(inodes) => inodes.look(),
            None if number == BELL => Vec::new(),
            None => self.processes.look(number, &self.epoll),
        }
    }

    /// Carries out the orders, and says whether one of them was to end.
    fn obey(&mut self, desk: &Desk) -> bool {
        let _ = rustix::io::read(&self.bell, &mut [0; 8]);
        while let Ok(order) = self.orders.try_recv() {
            match order {
                Order::Watch(object) => {
                    self.catch_up(&object, desk);
                    desk.begun(&object, self.watch(&object));
                }
                Order::Leave(object) => self.leave(&object),
                Order::End => return true,
            }
        }
        false
    }

    /// What was seen of an object before somebody begins to wait is told before, so that it is not for the new one.
    fn catch_up(&mut self, object: &Object, desk: &Desk) {
        if let Some(inodes) = self.inodes.iter_mut().find(|inodes| inodes.producer() == object.producer) {
            let seen = (0..CATCH_UP_MAX).map(|_| inodes.look()).take_while(|seen| !seen.is_empty());
            desk.seen(seen.flatten().collect());
        }
    }

    fn watch(&mut self, object: &Object) -> Result<Option<u64>, Errno> {
        match object.producer {
            Producer::ModFile | Producer::ModDir | Producer::ModFileAttr => {
                self.inodes_of(object.producer).watch(object)
            }
            Producer::UtilFs => self.filling.watch(object),
            Producer::ProcessMon | Producer::PidProcessMon => self.processes.watch(object, &self.epoll),
            // The daemon tells by itself.
            Producer::NodeState | Producer::QuorumState | Producer::GroupState => Ok(None),
        }
    }

    fn leave(&mut self, object: &Object) {
        match object.producer {
            Producer::ModFile | Producer::ModDir | Producer::ModFileAttr => {
                self.inodes_of(object.producer).leave(object);
            }
            Producer::UtilFs => self.filling.leave(object),
            Producer::ProcessMon | Producer::PidProcessMon => self.processes.leave(object),
            Producer::NodeState | Producer::QuorumState | Producer::GroupState => {}
        }
    }

    fn inodes_of(&mut self, producer: Producer) -> &mut Inodes {
        let own = self.inodes.iter_mut().find(|inodes| inodes.producer() == producer);
        own.expect("there is one for each producer of inodes")
    }
}
