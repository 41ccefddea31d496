//! The whole file system: who has which file open, who waits for which object, and what each is told.
//!
//! The shell calls it for what the kernel asks and for what producers see, and carries out the effects in order before it answers
//! the kernel. So an object is watched before anybody is left waiting for it, and nothing that happens after that is missed.

use crate::errno::Errno;
use crate::producer::Trigger;
use crate::record::{Moment, Occurrence};
use crate::registration::{Fault, Registration, When};
use crate::tree::{Kind, NodeNo, Object, Owner, Tree};
use crate::watch::Watch;
use phalanx_types::limits::{AHA_BUFFERS_BYTES_ALL_MAX, AHA_OPEN_MAX};
use std::collections::{BTreeMap, BTreeSet};

/// An open file; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Handle(pub u64);

/// One read that is under way, as the kernel numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// How long a reader waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Not at all.
    None,
    /// As long as it takes.
    Any,
}

/// What comes of a read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// This is read; nothing means that there is nothing.
    Bytes(Vec<u8>),
    /// An [`Effect::Answer`] says later.
    Parked,
    /// It fails.
    Refused(Errno),
}

/// Whether there is something to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poll {
    /// There is.
    Ready,
    /// Not yet; an [`Effect::Wake`] says when.
    Waits,
    /// There will never be: nothing was written, or the file is gone. (AIX: select fails with EBADF.)
    Broken,
}

/// Why a write was refused. Nothing changed for the writer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is no registration that the producer can do anything with.
    Registration(Fault),
    /// It could not be taken in.
    Place(Errno),
}

/// What the shell must do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Have the producer watch this, and say by [`Events::begun`] how that went.
    Watch(Object),
    /// Nobody waits for this any more.
    Leave(Object),
    /// Give this to who is parked in a read.
    Answer(Ticket, Result<Vec<u8>, Errno>),
    /// Wake who polls this file.
    Wake(Handle),
}

/// All of it.
#[derive(Clone, Debug)]
pub struct Events {
    tree: Tree,
    opens: BTreeMap<Handle, Open>,
    interests: BTreeMap<Object, Interest>,
    /// How often producers were asked to watch an object and have not said yet how that went.
    asked: BTreeMap<Object, usize>,
    readers: BTreeMap<Ticket, Handle>,
    latest: Handle,
}

#[derive(Clone, Debug)]
enum Open {
    List,
    Monitor(NodeNo, Watch),
}

/// Who waits for an object.
#[derive(Clone, Debug, Default)]
struct Interest {
    handles: BTreeSet<Handle>,
    begun: Option<Begun>,
}

/// A producer watches; what it said last.
#[derive(Clone, Copy, Debug)]
struct Begun {
    value: Option<u64>,
}

impl Events {
    /// A file system that was mounted at `made`.
    pub fn new(made: Moment) -> Events {
        Events {
            tree: Tree::new(made),
            opens: BTreeMap::new(),
            interests: BTreeMap::new(),
            asked: BTreeMap::new(),
            readers: BTreeMap::new(),
            latest: Handle(0),
        }
    }

    /// What there is in it.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Makes a monitor file. That its object exists is the shell's to ask its producer before.
    pub fn create(&mut self, parent: NodeNo, name: &[u8], owner: Owner) -> Result<NodeNo, Errno> {
        self.tree.create(parent, name, owner)
    }

    /// Makes a directory.
    pub fn make_directory(&mut self, parent: NodeNo, name: &[u8], owner: Owner) -> Result<NodeNo, Errno> {
        self.tree.make_directory(parent, name, owner)
    }

    /// Removes a directory that a user made.
    pub fn remove_directory(&mut self, parent: NodeNo, name: &[u8]) -> Result<(), Errno> {
        self.tree.remove_directory(parent, name).map(|_| ())
    }

    /// Gives other rights to what a user made.
    pub fn set_owner(&mut self, node: NodeNo, owner: Owner) -> Result<(), Errno> {
        self.tree.set_owner(node, owner)
    }

    /// Removes a monitor file. Who waits in it hears that there is nothing to wait for.
    pub fn remove(&mut self, parent: NodeNo, name: &[u8], out: &mut Vec<Effect>) -> Result<(), Errno> {
        let node = self.tree.remove(parent, name)?;
        self.end(node, None, out);
        Ok(())
    }

    /// Opens a file. That its object still exists is the shell's to ask its producer before.
    pub fn open(&mut self, node: NodeNo) -> Result<Handle, Errno> {
        let open = match &self.tree.node(node)?.kind {
            Kind::List => Open::List,
            Kind::Monitor(object) => Open::Monitor(node, Watch::new(object.clone())),
            Kind::Folder | Kind::Factory(_) | Kind::Mirror { .. } => return Err(Errno::IS_DIRECTORY),
        };
        if self.opens.len() >= AHA_OPEN_MAX {
            return Err(Errno::TOO_MANY_OPEN);
        }
        self.latest.0 += 1;
        self.opens.insert(self.latest, open);
        Ok(self.latest)
    }

    /// Closes a file.
    pub fn close(&mut self, handle: Handle, out: &mut Vec<Effect>) {
        let Some(Open::Monitor(_, watch)) = self.opens.remove(&handle) else { return };
        if let Some(ticket) = watch.reader() {
            self.readers.remove(&ticket);
            out.push(Effect::Answer(ticket, Err(Errno::BAD_FILE)));
        }
        self.lose_interest(watch.object(), handle, out);
    }

    /// Takes a registration.
    pub fn write(&mut self, handle: Handle, text: &[u8]) -> Result<(), Refusal> {
        let registration = Registration::parse(text).map_err(Refusal::Registration)?;
        let all: usize = self.opens.values().map(Open::buffer_bytes).sum();
        let watch = self.watch(handle).map_err(Refusal::Place)?;
        watch.object().producer.accepts(&registration).map_err(Refusal::Registration)?;
        if all - watch.buffer_bytes() + registration.buffer_bytes > AHA_BUFFERS_BYTES_ALL_MAX {
            return Err(Refusal::Place(Errno::NO_MEMORY));
        }
        watch.register(registration).map_err(Refusal::Place)
    }

    /// Reads at most `most` bytes; `offset` counts only in the list of producers.
    pub fn read(&mut self, asked: Asked, now: Moment, out: &mut Vec<Effect>) -> Read {
        let Asked { handle, ticket, offset, most, patience } = asked;
        let read = match self.opens.get_mut(&handle) {
            None => Read::Refused(Errno::BAD_FILE),
            Some(Open::List) => Read::Bytes(piece(&Tree::list(), offset, most)),
            Some(Open::Monitor(_, watch)) => watch.read(ticket, most, patience),
        };
        if read == Read::Parked {
            self.readers.insert(ticket, handle);
            self.want(handle, now, out);
        }
        read
    }

    /// Says whether there is something to read, and has it watched if there is not.
    pub fn poll(&mut self, handle: Handle, now: Moment, out: &mut Vec<Effect>) -> Poll {
        let poll = match self.opens.get_mut(&handle) {
            None => Poll::Broken,
            Some(Open::List) => Poll::Ready,
            Some(Open::Monitor(_, watch)) => watch.poll(),
        };
        if poll == Poll::Waits {
            self.want(handle, now, out);
        }
        poll
    }

    /// A signal came for who is parked in a read. It stays registered: what happens now is read later.
    pub fn interrupt(&mut self, ticket: Ticket, out: &mut Vec<Effect>) {
        let Some(handle) = self.readers.remove(&ticket) else { return };
        if let Ok(watch) = self.watch(handle) {
            watch.leave();
            out.push(Effect::Answer(ticket, Err(Errno::INTERRUPTED)));
        }
    }

    /// The producer watches an object, and has this value for it if it has one; or it will not.
    pub fn begun(
        &mut self,
        object: &Object,
        outcome: Result<Option<u64>, Errno>,
        now: Moment,
        out: &mut Vec<Effect>,
    ) {
        // Each answer but the last is for somebody who has gone meanwhile.
        let last = self.is_last_answer(object);
        let Some(interest) = self.interests.get_mut(object).filter(|_| last) else { return };
        match outcome {
            Ok(value) => {
                interest.begun = Some(Begun { value });
                self.each(object, |watch| watch.begin(value, now), out);
            }
            Err(errno) => {
                let interest = self.interests.remove(object).unwrap_or_default();
                self.tell(interest.handles, |watch| watch.refuse(errno, now), out);
            }
        }
    }

    /// Something happened to an object. It is for those only who waited by then: what comes from an earlier watch, while a new one was
    /// not begun, happened before.
    pub fn happened(&mut self, object: &Object, what: &Occurrence, out: &mut Vec<Effect>) {
        if self.is_begun(object) {
            self.each(object, |watch| watch.happen(what), out);
        }
    }

    /// The value of an object is this now; `what` is told to those whose thresholds it reaches.
    pub fn value(&mut self, object: &Object, value: u64, what: &Occurrence, out: &mut Vec<Effect>) {
        let interest = self.interests.get_mut(object).filter(|interest| interest.begun.is_some());
        if let Some(interest) = interest {
            interest.begun = Some(Begun { value: Some(value) });
            self.each(object, |watch| watch.value(value, what), out);
        }
    }

    /// An object is gone, and its producer watches it no longer. Who waits is told `last`; the monitor file goes, too.
    pub fn gone(&mut self, object: &Object, last: &Occurrence, out: &mut Vec<Effect>) {
        self.interests.remove(object);
        if let Some(node) = self.tree.forget(object) {
            self.end(node, Some(last), out);
        }
    }

    /// Whether the producer of an open file's object was asked to watch it, and has not said yet how that went.
    pub fn is_pending(&self, handle: Handle) -> bool {
        match self.opens.get(&handle) {
            None | Some(Open::List) => false,
            Some(Open::Monitor(_, watch)) => {
                self.interests.get(watch.object()).is_some_and(|interest| interest.begun.is_none())
            }
        }
    }

    /// The objects that producers watch by now.
    pub fn watched(&self) -> impl Iterator<Item = &Object> {
        self.interests.keys().filter(|object| self.is_begun(object))
    }

    /// A producer has answered; whether that was the last answer that it owed.
    fn is_last_answer(&mut self, object: &Object) -> bool {
        let owed = self.asked.remove(object).unwrap_or(1).saturating_sub(1);
        if owed > 0 {
            self.asked.insert(object.clone(), owed);
        }
        owed == 0
    }

    fn is_begun(&self, object: &Object) -> bool {
        self.interests.get(object).is_some_and(|interest| interest.begun.is_some())
    }

    fn watch(&mut self, handle: Handle) -> Result<&mut Watch, Errno> {
        match self.opens.get_mut(&handle) {
            None | Some(Open::List) => Err(Errno::BAD_FILE),
            Some(Open::Monitor(_, watch)) => Ok(watch),
        }
    }

    /// Whoever waits in `handle` is to be told of its object.
    fn want(&mut self, handle: Handle, now: Moment, out: &mut Vec<Effect>) {
        let Ok(watch) = self.watch(handle) else { return };
        let object = watch.object().clone();
        let fits = watch.registration().is_some_and(|registration| is_in_range(registration, &object));
        if !fits {
            return self.tell([handle], |watch| watch.refuse(Errno::INVALID, now), out);
        }
        let interest = self.interests.entry(object.clone()).or_default();
        if !interest.handles.insert(handle) {
            return;
        }
        match interest.begun {
            None if interest.handles.len() == 1 => {
                *self.asked.entry(object.clone()).or_default() += 1;
                out.push(Effect::Watch(object));
            }
            // It has been asked for already, and will say.
            None => {}
            Some(Begun { value }) => self.tell([handle], |watch| watch.begin(value, now), out),
        }
    }

    fn each(&mut self, object: &Object, act: impl Fn(&mut Watch), out: &mut Vec<Effect>) {
        let handles = self.interests.get(object).map(|interest| interest.handles.clone());
        self.tell(handles.unwrap_or_default(), act, out);
    }

    /// Does something to watches, and what follows for those who wait there.
    fn tell(
        &mut self,
        handles: impl IntoIterator<Item = Handle>,
        act: impl Fn(&mut Watch),
        out: &mut Vec<Effect>,
    ) {
        for handle in handles {
            let Ok(watch) = self.watch(handle) else { continue };
            act(watch);
            let (object, armed) = (watch.object().clone(), watch.is_armed());
            let answer = watch.answer();
            let wakes = watch.is_readable() || watch.is_over();
            if let Some((ticket, outcome)) = answer {
                self.readers.remove(&ticket);
                out.push(Effect::Answer(ticket, outcome));
            }
            if wakes {
                out.push(Effect::Wake(handle));
            }
            if !armed {
                self.lose_interest(&object, handle, out);
            }
        }
    }

    fn lose_interest(&mut self, object: &Object, handle: Handle, out: &mut Vec<Effect>) {
        let Some(interest) = self.interests.get_mut(object) else { return };
        if interest.handles.remove(&handle) && interest.handles.is_empty() {
            self.interests.remove(object);
            out.push(Effect::Leave(object.clone()));
        }
    }

    /// A monitor file is gone.
    fn end(&mut self, node: NodeNo, last: Option<&Occurrence>, out: &mut Vec<Effect>) {
        let of_it = |(handle, open): (&Handle, &Open)| open.is_of(node).then_some(*handle);
        let handles: Vec<Handle> = self.opens.iter().filter_map(of_it).collect();
        self.tell(handles, |watch| watch.end(last), out);
    }
}

/// One read, as the kernel asks for it.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// In which open file.
    pub handle: Handle,
    /// By what name it is answered later.
    pub ticket: Ticket,
    /// From which byte on.
    pub offset: u64,
    /// At most so many bytes.
    pub most: usize,
    /// Whether the reader waits.
    pub patience: Patience,
}

impl Open {
    fn buffer_bytes(&self) -> usize {
        match self {
            Open::List => 0,
            Open::Monitor(_, watch) => watch.buffer_bytes(),
        }
    }

    fn is_of(&self, node: NodeNo) -> bool {
        match self {
            Open::List => false,
            Open::Monitor(own, _) => *own == node,
        }
    }
}

impl Refusal {
    /// What the write fails with.
    pub fn errno(&self) -> Errno {
        match self {
            Refusal::Registration(fault) => fault.errno(),
            Refusal::Place(errno) => *errno,
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::Registration(fault) => write!(f, "{fault}"),
            Refusal::Place(Errno::BUSY) => write!(f, "the program waits already"),
            Refusal::Place(Errno::NO_DEVICE) => write!(f, "the object is gone"),
            Refusal::Place(Errno::NO_MEMORY) => write!(f, "all buffers together would be too large"),
            Refusal::Place(Errno(number)) => write!(f, "error {number}"),
        }
    }
}

/// Whether thresholds are such as the producer can have.
fn is_in_range(registration: &Registration, object: &Object) -> bool {
    match (registration.when, object.producer.trigger()) {
        (When::Reached(thresholds), Trigger::Value { value_max }) => thresholds.fit(value_max),
        (When::Changed, Trigger::State | Trigger::Value { .. }) | (When::Reached(_), Trigger::State) => true,
    }
}

fn piece(text: &str, offset: u64, most: usize) -> Vec<u8> {
    let rest =
        usize::try_from(offset).ok().and_then(|offset| text.as_bytes().get(offset..)).unwrap_or_default();
    rest[..rest.len().min(most)].to_vec()
}
