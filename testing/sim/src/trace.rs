//! What is kept of a run: a digest of all that happened, the last few hundred events, and on demand a file of them all.

use crate::flight::Recorder;
use phalanx_oracle::{Event, Violation, What};
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::io::{self, Write};

/// Events kept for the tail of a failing seed.
pub const TAIL: usize = 300;

/// A running digest: quick, the same on every machine, not for security.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest64(u64);

impl Hasher for Digest64 {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.write_u64(u64::from_le_bytes(*word)));
        let last = rest.iter().fold(rest.len() as u64, |word, byte| word << 8 | u64::from(*byte));
        self.write_u64(last);
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

/// The trace of one run.
#[derive(Default)]
pub struct Trace {
    digest: Digest64,
    events: u64,
    tail: VecDeque<Event>,
    file: Option<Box<dyn Write + Send>>,
    flight: Option<Recorder>,
    /// Every event since they were last taken, if anybody takes them.
    kept: Option<Vec<Event>>,
}

/// Those that come by the hundred and tell little.
fn is_routine(what: &What) -> bool {
    matches!(what, What::DiskWrite { .. } | What::Fed { .. })
}

impl Trace {
    /// A trace that is also written out in words.
    pub fn to_file(file: Box<dyn Write + Send>) -> Trace {
        Trace { file: Some(file), ..Trace::default() }
    }

    /// A trace that is also a flight record.
    pub fn recorded(recorder: Recorder) -> Trace {
        Trace { flight: Some(recorder), ..Trace::default() }
    }

    /// A trace whose events are taken now and then.
    pub fn keeping() -> Trace {
        Trace { kept: Some(Vec::new()), ..Trace::default() }
    }

    /// The events since they were last taken.
    pub fn kept(&mut self) -> Vec<Event> {
        self.kept.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The run is over: what is written is whole, or why it is not.
    pub fn end(&mut self, at: u64, violation: Option<&Violation>) -> io::Result<()> {
        self.flight.take().map_or(Ok(()), |recorder| recorder.end(at, violation))
    }

    /// Takes in an event.
    pub fn event(&mut self, event: Event) {
        self.events += 1;
        self.digest.write_u64(event.at.0);
        self.digest.write_u64(u64::from(event.life.node.0) << 48 ^ event.life.start);
        fold(&event, &mut self.digest);
        if let Some(file) = &mut self.file {
            // A trace that cannot be written is of no use to anybody; the run itself is not touched.
            writeln!(file, "{event}").expect("the trace file takes a line");
        }
        if let Some(recorder) = &mut self.flight {
            recorder.event(&event);
        }
        if is_routine(&event.what) {
            return;
        }
        if let Some(kept) = &mut self.kept {
            kept.push(event.clone());
        }
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(event);
    }

    /// Takes in a frame that arrives.
    pub fn frame(&mut self, at: u64, from: usize, to: usize, bytes: &[u8]) {
        self.events += 1;
        self.digest.write_u64(at);
        self.digest.write_u64((from as u64) << 8 | to as u64);
        self.digest.write(bytes);
    }

    /// Writes a line that is in no digest, if anybody reads along.
    pub fn remark(&mut self, words: impl FnOnce() -> String) {
        if let Some(file) = &mut self.file {
            writeln!(file, "{}", words()).expect("the trace file takes a line");
        }
    }

    /// The digest of everything so far.
    pub fn digest(&self) -> u64 {
        self.digest.finish()
    }

    /// How many events and frames there were.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The last events, in words.
    pub fn tail(&self) -> String {
        self.tail.iter().map(|event| format!("{event}\n")).collect()
    }
}

/// What tells two events apart that happen at one time; what a node says of them follows from its frames.
fn fold(event: &Event, digest: &mut Digest64) {
    std::mem::discriminant(&event.what).hash(digest);
    if let Some(note) = event.membership() {
        std::mem::discriminant(note).hash(digest);
    }
    if let Some(install) = event.install() {
        install.view.id.hash(digest);
    }
    if let Some(delivery) = event.delivery() {
        delivery.message.life.hash(digest);
        digest.write_u64(delivery.sequence);
    }
    if let What::OperationBegan { operation, .. } | What::OperationEnded { operation, .. } = &event.what {
        digest.write_u64(operation.id.0);
        digest.write(operation.resource.as_str().as_bytes());
    }
    if let What::HoldBegan { group, epoch } | What::DiskWrite { group, epoch } = &event.what {
        digest.write_u64(epoch.0);
        digest.write(group.as_str().as_bytes());
    }
}
