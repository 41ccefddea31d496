//! One open monitor file: what was registered in it, whether its producer is to tell, and what was told and not read yet.
//!
//! As on AIX, nothing is noticed before somebody waits. The first wait arms the watch; a registration for every occurrence then
//! stays armed until the file is closed, one for a count until the count is met. Records are told when the count is met, not before.

use crate::buffer::Buffer;
use crate::errno::Errno;
use crate::events::{Patience, Poll, Read, Ticket};
use crate::record::{self, Moment, Occurrence};
use crate::registration::{Count, Registration, Wait, When};
use crate::threshold::Side;
use crate::tree::Object;

/// An open monitor file.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    object: Object,
    phase: Phase,
}

#[derive(Clone, Debug)]
enum Phase {
    /// Nothing was written yet.
    Blank,
    /// Somebody wants to hear something.
    Registered(Box<Registered>),
    /// The file or its object is gone, and nothing is left to read.
    Over,
}

#[derive(Clone, Debug)]
struct Registered {
    registration: Registration,
    buffer: Buffer,
    /// Records so far.
    sequence: u64,
    wait: Waiting,
    reader: Option<Reader>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    /// Nobody has waited since the count was met last.
    Resting,
    /// The producer is to tell.
    Armed {
        /// Occurrences in this wait.
        seen: u16,
        /// Where the value was last.
        side: Side,
    },
    /// The file or its object is gone.
    Over,
}

/// Who is parked in a read.
#[derive(Clone, Copy, Debug)]
struct Reader {
    ticket: Ticket,
    most: usize,
}

impl Watch {
    /// A file that was just opened.
    pub(crate) fn new(object: Object) -> Watch {
        Watch { object, phase: Phase::Blank }
    }

    /// What it is for.
    pub(crate) fn object(&self) -> &Object {
        &self.object
    }

    /// Bytes that its buffer may take.
    pub(crate) fn buffer_bytes(&self) -> usize {
        match &self.phase {
            Phase::Blank | Phase::Over => 0,
            Phase::Registered(registered) => registered.buffer.bytes_max(),
        }
    }

    /// Takes a registration, in place of an earlier one that rests; what was not read of that is gone.
    pub(crate) fn register(&mut self, registration: Registration) -> Result<(), Errno> {
        match &self.phase {
            Phase::Over => return Err(Errno::NO_DEVICE),
            Phase::Registered(now) if now.wait == Waiting::Over => return Err(Errno::NO_DEVICE),
            Phase::Registered(now) if now.wait != Waiting::Resting => return Err(Errno::BUSY),
            Phase::Registered(_) | Phase::Blank => {}
        }
        let buffer = Buffer::new(registration.buffer_bytes);
        let registered =
            Registered { registration, buffer, sequence: 0, wait: Waiting::Resting, reader: None };
        self.phase = Phase::Registered(Box::new(registered));
        Ok(())
    }

    /// The registration, if there is one.
    pub(crate) fn registration(&self) -> Option<&Registration> {
        match &self.phase {
            Phase::Blank | Phase::Over => None,
            Phase::Registered(registered) => Some(&registered.registration),
        }
    }

    /// Whether the producer is to tell.
    pub(crate) fn is_armed(&self) -> bool {
        match &self.phase {
            Phase::Blank | Phase::Over => false,
            Phase::Registered(registered) => registered.is_armed(),
        }
    }

    /// Who is parked in a read.
    pub(crate) fn reader(&self) -> Option<Ticket> {
        match &self.phase {
            Phase::Blank | Phase::Over => None,
            Phase::Registered(registered) => registered.reader.map(|reader| reader.ticket),
        }
    }

    /// Somebody reads. Arms the watch where it has to wait.
    pub(crate) fn read(&mut self, ticket: Ticket, most: usize, patience: Patience) -> Read {
        match &mut self.phase {
            Phase::Blank => Read::Bytes(Vec::new()),
            Phase::Over => Read::Refused(Errno::NO_DEVICE),
            Phase::Registered(registered) => registered.read(ticket, most, patience),
        }
    }

    /// Somebody asks whether there is something. Arms the watch where there is not.
    pub(crate) fn poll(&mut self) -> Poll {
        match &mut self.phase {
            Phase::Blank | Phase::Over => Poll::Broken,
            Phase::Registered(registered) => registered.poll(),
        }
    }

    /// Who is parked in a read goes away.
    pub(crate) fn leave(&mut self) {
        match &mut self.phase {
            Phase::Blank | Phase::Over => {}
            Phase::Registered(registered) => registered.reader = None,
        }
    }

    /// Whether there is something that was told and not read.
    pub(crate) fn is_readable(&self) -> bool {
        match &self.phase {
            Phase::Blank | Phase::Over => false,
            Phase::Registered(registered) => registered.is_readable(),
        }
    }

    /// Whether nothing will ever be told any more.
    pub(crate) fn is_over(&self) -> bool {
        match &self.phase {
            Phase::Blank => false,
            Phase::Over => true,
            Phase::Registered(registered) => registered.wait == Waiting::Over,
        }
    }

    /// What the parked reader is given, if there is one and there is something for it.
    pub(crate) fn answer(&mut self) -> Option<(Ticket, Result<Vec<u8>, Errno>)> {
        let Phase::Registered(registered) = &mut self.phase else { return None };
        let readable = registered.is_readable();
        let reader = registered.reader.take_if(|_| readable || registered.wait == Waiting::Over)?;
        let outcome = if readable { Ok(registered.buffer.read(reader.most)) } else { Err(Errno::NO_DEVICE) };
        Some((reader.ticket, outcome))
    }

    /// The producer begins to tell; so is the value now, if it has one.
    pub(crate) fn begin(&mut self, value: Option<u64>, now: Moment) {
        let Phase::Registered(registered) = &mut self.phase else { return };
        let (Some(value), When::Reached(thresholds)) = (value, registered.registration.when) else { return };
        if !registered.is_armed() {
            return;
        }
        let side = thresholds.side(value);
        registered.wait = Waiting::Armed { seen: 0, side };
        if side != Side::Within {
            let already = Occurrence { at: now, code: Errno::ALREADY.0, cause: None, info: Vec::new() };
            registered.record(&self.object, Some(value), &already);
            registered.rest_if_counting();
        }
    }

    /// The producer will not tell.
    pub(crate) fn refuse(&mut self, errno: Errno, now: Moment) {
        let Phase::Registered(registered) = &mut self.phase else { return };
        let record = record::verdict(now, registered.sequence, errno.0);
        registered.sequence += 1;
        registered.buffer.push(record.into());
        registered.wait = Waiting::Resting;
    }

    /// Something happened.
    pub(crate) fn happen(&mut self, what: &Occurrence) {
        let Phase::Registered(registered) = &mut self.phase else { return };
        registered.happen(&self.object, None, what);
    }

    /// The value is this now; worth telling only if it reaches a threshold.
    pub(crate) fn value(&mut self, value: u64, what: &Occurrence) {
        let Phase::Registered(registered) = &mut self.phase else { return };
        let Waiting::Armed { seen, side } = registered.wait else { return };
        let When::Reached(thresholds) = registered.registration.when else { return };
        let now = thresholds.side(value);
        registered.wait = Waiting::Armed { seen, side: now };
        if side.reaches(now) {
            registered.happen(&self.object, Some(value), what);
        }
    }

    /// The file or its object is gone; `last` is told to who waits, whatever the count.
    pub(crate) fn end(&mut self, last: Option<&Occurrence>) {
        let Phase::Registered(registered) = &mut self.phase else {
            self.phase = Phase::Over;
            return;
        };
        if let (true, Some(last)) = (registered.is_armed(), last) {
            registered.record(&self.object, None, last);
        }
        registered.wait = Waiting::Over;
    }
}

impl Registered {
    fn is_armed(&self) -> bool {
        match self.wait {
            Waiting::Armed { .. } => true,
            Waiting::Resting | Waiting::Over => false,
        }
    }

    fn is_readable(&self) -> bool {
        match self.registration.count {
            Count::Every => !self.buffer.is_empty(),
            Count::After(_) => !self.buffer.is_empty() && !self.is_armed(),
        }
    }

    fn read(&mut self, ticket: Ticket, most: usize, patience: Patience) -> Read {
        if self.is_readable() {
            return Read::Bytes(self.buffer.read(most));
        }
        match (self.wait, self.registration.wait, patience) {
            (Waiting::Over, _, _) => Read::Refused(Errno::NO_DEVICE),
            (_, Wait::InSelect, _) => Read::Bytes(Vec::new()),
            (_, Wait::InRead, Patience::None) => Read::Refused(Errno::AGAIN),
            (_, Wait::InRead, Patience::Any) if self.reader.is_some() => Read::Refused(Errno::BUSY),
            (_, Wait::InRead, Patience::Any) => {
                self.reader = Some(Reader { ticket, most });
                self.arm();
                Read::Parked
            }
        }
    }

    fn poll(&mut self) -> Poll {
        match self.wait {
            Waiting::Resting | Waiting::Armed { .. } | Waiting::Over if self.is_readable() => Poll::Ready,
            Waiting::Over => Poll::Broken,
            Waiting::Resting | Waiting::Armed { .. } => {
                self.arm();
                Poll::Waits
            }
        }
    }

    fn arm(&mut self) {
        if self.wait == Waiting::Resting {
            self.wait = Waiting::Armed { seen: 0, side: Side::Within };
        }
    }

    fn happen(&mut self, object: &Object, value: Option<u64>, what: &Occurrence) {
        let Waiting::Armed { seen, side } = self.wait else { return };
        self.record(object, value, what);
        let seen = seen.saturating_add(1);
        self.wait = match self.registration.count {
            Count::After(count) if seen >= count => Waiting::Resting,
            Count::After(_) | Count::Every => Waiting::Armed { seen, side },
        };
    }

    fn rest_if_counting(&mut self) {
        match self.registration.count {
            Count::Every => {}
            Count::After(_) => self.wait = Waiting::Resting,
        }
    }

    fn record(&mut self, object: &Object, value: Option<u64>, what: &Occurrence) {
        let record = record::told(object.producer, self.registration.level, self.sequence, value, what);
        self.sequence += 1;
        self.buffer.push(record.into());
    }
}
