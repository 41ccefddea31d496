//! Between the kernel and the producers: holds the file system's state, hands out what is to be done, and keeps who waits for what.
//!
//! Three threads come here: the one that serves the kernel, the one that checks objects, and the one that watches them. Each holds
//! the lock only while it computes or writes an answer, never while it touches a file: a monitored path may lead anywhere, also
//! into this file system itself.

use crate::clock;
use crate::service::{Answer, Bell, Change, Entry, Kernel, Opened, Reading, Service};
use crate::watcher::Order;
use phalanx_aha::{
    Asked, Effect, Errno, Events, Handle, Kind, NodeNo, Object, Occurrence, Owner, Poll, Read, Ticket, Tree,
};
use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard};

/// A registration that was refused, in words for a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Who wrote it.
    pub process: u32,
    /// What was wrong with it.
    pub why: String,
}

/// Something that a producer saw.
#[derive(Clone, Debug)]
pub(crate) enum Seen {
    /// Something happened.
    Happened(Object, Occurrence),
    /// A value is this now.
    Value(Object, u64, Occurrence),
    /// The object is gone, and nobody watches it any more.
    Gone(Object, Occurrence),
}

/// Where the desk sends its orders; sending never blocks.
pub(crate) struct Orders {
    /// To who watches objects.
    pub watch: Box<dyn Fn(Order) + Send + Sync>,
    /// To who checks whether an object can be watched.
    pub check: Box<dyn Fn(Ticket, Object) + Send + Sync>,
    /// To who keeps the log.
    pub tell: Box<dyn Fn(Refused) + Send + Sync>,
}

/// The file system.
pub(crate) struct Desk {
    state: Mutex<State>,
    orders: Orders,
    kernel: Arc<dyn Kernel>,
}

struct State {
    events: Events,
    /// Who is parked in a read.
    parked: BTreeMap<Ticket, Answer<Vec<u8>>>,
    /// What waits for its object to be checked.
    errands: BTreeMap<Ticket, Errand>,
    /// Polls that wait until their object is watched.
    polls: BTreeMap<Ticket, (Handle, Answer<Poll>)>,
    /// Whom to ring.
    bells: BTreeMap<Handle, Bell>,
}

enum Errand {
    Create { parent: NodeNo, name: Vec<u8>, owner: Owner, answer: Answer<(Entry, Opened)> },
    Open { node: NodeNo, answer: Answer<Opened> },
}

impl Desk {
    /// An empty file system.
    pub(crate) fn new(kernel: Arc<dyn Kernel>, orders: Orders) -> Desk {
        let (parked, errands, polls, bells) = Default::default();
        let state = State { events: Events::new(clock::now()), parked, errands, polls, bells };
        Desk { state: Mutex::new(state), orders, kernel }
    }

    /// An object was checked.
    pub(crate) fn checked(&self, ticket: Ticket, outcome: Result<(), Errno>) {
        let mut state = self.lock();
        match state.errands.remove(&ticket) {
            // It was interrupted.
            None => {}
            Some(Errand::Create { parent, name, owner, answer }) => {
                let made = outcome.and_then(|()| state.create(parent, &name, owner));
                answer(made);
            }
            Some(Errand::Open { node, answer }) => answer(outcome.and_then(|()| state.open(node))),
        }
    }

    /// A producer watches an object, or will not.
    pub(crate) fn begun(&self, object: &Object, outcome: Result<Option<u64>, Errno>) {
        let mut state = self.lock();
        let mut out = Vec::new();
        state.events.begun(object, outcome, clock::now(), &mut out);
        self.carry_out(&mut state, out);
        self.answer_polls(&mut state);
    }

    /// Producers saw something.
    pub(crate) fn seen(&self, all: Vec<Seen>) {
        let mut state = self.lock();
        for seen in all {
            let mut out = Vec::new();
            match &seen {
                Seen::Happened(object, what) => state.events.happened(object, what, &mut out),
                Seen::Value(object, value, what) => state.events.value(object, *value, what, &mut out),
                Seen::Gone(object, last) => state.events.gone(object, last, &mut out),
            }
            self.carry_out(&mut state, out);
        }
    }

    /// The objects that producers watch by now.
    pub(crate) fn watched(&self) -> Vec<Object> {
        self.lock().events.watched().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics while it holds the lock")
    }

    fn carry_out(&self, state: &mut State, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Watch(object) => (self.orders.watch)(Order::Watch(object)),
                Effect::Leave(object) => (self.orders.watch)(Order::Leave(object)),
                Effect::Answer(ticket, outcome) => {
                    if let Some(answer) = state.parked.remove(&ticket) {
                        answer(outcome);
                    }
                }
                Effect::Wake(handle) => {
                    if let Some(bell) = state.bells.remove(&handle) {
                        self.kernel.ring(bell);
                    }
                }
            }
        }
    }

    /// Answers the polls whose objects are watched by now.
    fn answer_polls(&self, state: &mut State) {
        for (ticket, (handle, answer)) in mem::take(&mut state.polls) {
            self.poll_now(state, ticket, handle, answer);
        }
    }

    fn poll_now(&self, state: &mut State, ticket: Ticket, handle: Handle, answer: Answer<Poll>) {
        let mut out = Vec::new();
        let poll = state.events.poll(handle, clock::now(), &mut out);
        self.carry_out(state, out);
        match poll {
            Poll::Waits if state.events.is_pending(handle) => {
                drop(state.polls.insert(ticket, (handle, answer)))
            }
            Poll::Waits | Poll::Ready | Poll::Broken => answer(Ok(poll)),
        }
    }
}

impl Service for Desk {
    fn find(&self, parent: NodeNo, name: &[u8]) -> Result<Entry, Errno> {
        let state = self.lock();
        let node = state.events.tree().find(parent, name)?;
        state.entry(node)
    }

    fn entry(&self, node: NodeNo) -> Result<Entry, Errno> {
        self.lock().entry(node)
    }

    fn entries(&self, node: NodeNo) -> Result<Vec<(Vec<u8>, Entry)>, Errno> {
        let state = self.lock();
        let directory = state.events.tree().node(node)?;
        if !directory.is_directory() {
            return Err(Errno::NOT_DIRECTORY);
        }
        let here = [(b".".to_vec(), node), (b"..".to_vec(), directory.parent)];
        let children = directory.children.iter().map(|(name, child)| (name.clone(), *child));
        here.into_iter().chain(children).map(|(name, child)| Ok((name, state.entry(child)?))).collect()
    }

    fn change(&self, node: NodeNo, change: Change) -> Result<Entry, Errno> {
        let mut state = self.lock();
        let Change { mode, user, group } = change;
        if change.is_any() {
            let old = state.events.tree().node(node)?.owner;
            let owner = Owner {
                user: user.unwrap_or(old.user),
                group: group.unwrap_or(old.group),
                mode: mode.map_or(old.mode, |mode| mode & 0o7777),
                made: old.made,
            };
            state.events.set_owner(node, owner)?;
        }
        state.entry(node)
    }

    fn make_directory(&self, parent: NodeNo, name: &[u8], owner: Owner) -> Result<Entry, Errno> {
        let mut state = self.lock();
        let node = state.events.make_directory(parent, name, owner)?;
        state.entry(node)
    }

    fn remove(&self, parent: NodeNo, name: &[u8]) -> Result<(), Errno> {
        let mut state = self.lock();
        let mut out = Vec::new();
        let outcome = state.events.remove(parent, name, &mut out);
        self.carry_out(&mut state, out);
        outcome
    }

    fn remove_directory(&self, parent: NodeNo, name: &[u8]) -> Result<(), Errno> {
        self.lock().events.remove_directory(parent, name)
    }

    fn create(
        &self,
        ticket: Ticket,
        parent: NodeNo,
        name: &[u8],
        owner: Owner,
        answer: Answer<(Entry, Opened)>,
    ) {
        let mut state = self.lock();
        match state.events.tree().object(parent, name) {
            Err(errno) => answer(Err(errno)),
            Ok(object) => {
                let errand = Errand::Create { parent, name: name.to_vec(), owner, answer };
                state.errands.insert(ticket, errand);
                (self.orders.check)(ticket, object);
            }
        }
    }

    fn open(&self, ticket: Ticket, node: NodeNo, answer: Answer<Opened>) {
        let mut state = self.lock();
        match state.events.tree().node(node).map(|node| node.kind.clone()) {
            Err(errno) => answer(Err(errno)),
            Ok(Kind::Monitor(object)) => {
                state.errands.insert(ticket, Errand::Open { node, answer });
                (self.orders.check)(ticket, object);
            }
            Ok(Kind::List | Kind::Folder | Kind::Factory(_) | Kind::Mirror { .. }) => {
                answer(state.open(node));
            }
        }
    }

    fn write(&self, handle: Handle, process: u32, text: &[u8]) -> Result<(), Errno> {
        let outcome = self.lock().events.write(handle, text);
        outcome.map_err(|refusal| {
            (self.orders.tell)(Refused { process, why: refusal.to_string() });
            refusal.errno()
        })
    }

    fn read(&self, asked: Asked, answer: Answer<Vec<u8>>) {
        let mut state = self.lock();
        let mut out = Vec::new();
        match state.events.read(asked, clock::now(), &mut out) {
            Read::Bytes(bytes) => answer(Ok(bytes)),
            Read::Refused(errno) => answer(Err(errno)),
            Read::Parked => drop(state.parked.insert(asked.ticket, answer)),
        }
        self.carry_out(&mut state, out);
    }

    fn poll(&self, ticket: Ticket, handle: Handle, bell: Option<Bell>, answer: Answer<Poll>) {
        let mut state = self.lock();
        if let Some(bell) = bell {
            state.bells.insert(handle, bell);
        }
        self.poll_now(&mut state, ticket, handle, answer);
    }

    fn interrupt(&self, ticket: Ticket) -> bool {
        let mut state = self.lock();
        let mut out = Vec::new();
        state.events.interrupt(ticket, &mut out);
        let parked = !out.is_empty();
        self.carry_out(&mut state, out);
        let poll = state.polls.remove(&ticket).map(|(_, answer)| answer(Ok(Poll::Waits)));
        let errand = state.errands.remove(&ticket).map(|errand| errand.refuse(Errno::INTERRUPTED));
        parked || poll.or(errand).is_some()
    }

    fn close(&self, handle: Handle) {
        let mut state = self.lock();
        state.bells.remove(&handle);
        let mut out = Vec::new();
        state.events.close(handle, &mut out);
        self.carry_out(&mut state, out);
    }

    fn count(&self) -> usize {
        self.lock().events.tree().count()
    }
}

impl State {
    fn create(&mut self, parent: NodeNo, name: &[u8], owner: Owner) -> Result<(Entry, Opened), Errno> {
        let node = self.events.create(parent, name, owner)?;
        Ok((self.entry(node)?, self.open(node)?))
    }

    fn open(&mut self, node: NodeNo) -> Result<Opened, Errno> {
        let handle = self.events.open(node)?;
        let reading = match self.events.tree().node(node)?.kind {
            Kind::List => Reading::Anywhere,
            Kind::Folder | Kind::Factory(_) | Kind::Mirror { .. } | Kind::Monitor(_) => Reading::Onwards,
        };
        Ok(Opened { handle, reading })
    }

    fn entry(&self, number: NodeNo) -> Result<Entry, Errno> {
        let node = self.events.tree().node(number)?;
        let bytes = match node.kind {
            Kind::List => Tree::list().len() as u64,
            Kind::Folder | Kind::Factory(_) | Kind::Mirror { .. } | Kind::Monitor(_) => 0,
        };
        let links = if node.is_directory() { 2 } else { 1 };
        Ok(Entry { node: number, is_directory: node.is_directory(), owner: node.owner, bytes, links })
    }
}

impl Errand {
    fn refuse(self, errno: Errno) {
        match self {
            Errand::Create { answer, .. } => answer(Err(errno)),
            Errand::Open { answer, .. } => answer(Err(errno)),
        }
    }
}

impl Change {
    fn is_any(self) -> bool {
        self.mode.is_some() || self.user.is_some() || self.group.is_some()
    }
}
