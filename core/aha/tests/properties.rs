//! Whatever programs write and in whatever order things happen: what is registered is what was meant, no name forges a line, nothing
//! that fits is lost, and an object is watched exactly while somebody waits for it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use phalanx_aha::{
    Asked, Cause, Count, Effect, Errno, Events, Handle, Level, Moment, Object, Occurrence, Owner, Patience,
    Poll, Producer, ROOT, Reach, Read, Registration, Thresholds, Ticket, Wait, When,
};
use phalanx_types::limits::{AHA_BUFFER_BYTES_MAX, AHA_RECORD_BYTES_MAX};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const NOW: Moment = Moment { seconds: i64::MIN, nanoseconds: 999_999_999 };

fn registrations() -> impl Strategy<Value = Registration> {
    let thresholds =
        (any::<Option<u64>>(), any::<Option<u64>>()).prop_filter_map("no thresholds", |(high, low)| {
            let positive = |value: &u64| *value > 0;
            Thresholds::new(high.filter(positive), low.filter(positive))
        });
    let when = prop_oneof![Just(When::Changed), thresholds.prop_map(When::Reached)];
    let wait = prop_oneof![Just(Wait::InSelect), Just(Wait::InRead)];
    let level = prop_oneof![Just(Level::Generic), Just(Level::Producer), Just(Level::Stack)];
    let count = prop_oneof![Just(Count::Every), (1..=32_767u16).prop_map(Count::After)];
    let reach = prop_oneof![Just(Reach::Node), Just(Reach::Cluster)];
    (when, wait, level, count, 1..=AHA_BUFFER_BYTES_MAX, reach).prop_map(
        |(when, wait, level, count, buffer_bytes, reach)| Registration {
            when,
            wait,
            level,
            count,
            buffer_bytes,
            reach,
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_what_is_meant_in_any_order(registration in registrations(), turn in 0..8usize, loose in any::<bool>()) {
        let written = registration.to_string();
        let mut pieces: Vec<&str> = written.split(';').collect();
        let turn = turn % pieces.len();
        pieces.rotate_left(turn);
        let text = if loose { format!(" ;{}\n;\0", pieces.join(" ;\n").replace('=', " = ")) } else { pieces.join(";") };
        prop_assert_eq!(Registration::parse(text.as_bytes()), Ok(registration));
    }

    #[test]
    fn any_bytes_are_taken_or_refused(bytes in vec(any::<u8>(), 0..1_100)) {
        if let Err(fault) = Registration::parse(&bytes) {
            prop_assert!(!fault.to_string().is_empty());
        }
    }

    #[test]
    fn what_is_nearly_a_registration_is_taken_or_refused(pieces in vec("(CHANGED|THRESH_HI|THRESH_LO|WAIT_TYPE|INFO_LVL|NOTIFY_CNT|BUF_SIZE|CLUSTER|X)?(=|==|)(YES|NO|[-+]?[0-9]{1,20}|WAIT_IN_READ)?", 0..6)) {
        if let Ok(registration) = Registration::parse(pieces.join(";").as_bytes()) {
            prop_assert_eq!(Registration::parse(registration.to_string().as_bytes()), Ok(registration));
        }
    }

    #[test]
    fn no_name_forges_a_line_and_no_record_is_too_long(
        program in "(?s).{0,3000}", info in vec("(?s).{0,3000}", 0..3), level in 1..4, numbers in any::<[u32; 4]>(), code in any::<i32>()
    ) {
        let [process, user, login, group] = numbers;
        let cause = Some(Cause { process, user, login, group, program });
        let what = Occurrence { at: NOW, code, cause, info: info.clone() };
        let mut bench = Bench::default();
        let handle = bench.open(Producer::ModDir, &format!("CHANGED=YES;INFO_LVL={level};BUF_SIZE=100000"));
        bench.poll(handle);
        bench.happen(Producer::ModDir, &what);
        let record = bench.read(handle).unwrap();
        let told = if level > 1 && !info.is_empty() { info.len() + 2 } else { 0 };
        prop_assert_eq!(record.lines().count(), 11 + told + if level == 3 { 2 } else { 0 }, "{}", record);
        prop_assert!(record.ends_with("\nEND_EVENT_INFO\n"));
        prop_assert!(record.len() <= AHA_RECORD_BYTES_MAX, "{} bytes", record.len());
        prop_assert!(record.lines().all(|line| !line.contains(|one: char| one.is_control())));
    }

    #[test]
    fn nothing_that_fits_is_lost_and_an_object_is_watched_while_somebody_waits(steps in vec(steps(), 0..120)) {
        let mut bench = Bench::default();
        let mut happened: BTreeMap<Handle, u64> = BTreeMap::new();
        let mut read: BTreeMap<Handle, u64> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Open(producer) => drop(bench.open(producer, "CHANGED=YES;BUF_SIZE=100000")),
                Step::Happen(producer) => {
                    let armed = bench.armed.iter().filter(|handle| bench.of[handle] == producer);
                    armed.for_each(|handle| *happened.entry(*handle).or_default() += 1);
                    bench.happen(producer, &Occurrence { at: NOW, code: 0, cause: None, info: Vec::new() });
                }
                Step::Poll(which) => {
                    if let Some(handle) = bench.pick(which) {
                        let waits = happened.get(&handle) == read.get(&handle);
                        prop_assert_eq!(bench.poll(handle), if waits { Poll::Waits } else { Poll::Ready });
                    }
                }
                Step::Read(which) => {
                    if let Some(handle) = bench.pick(which) && let Some(record) = bench.read(handle) {
                        let next = read.entry(handle).or_default();
                        prop_assert!(record.contains(&format!("\nSEQUENCE_NUM={next}\n")), "{}: {}", next, record);
                        *next += 1;
                    }
                }
                Step::Close(which) => {
                    if let Some(handle) = bench.pick(which) {
                        prop_assert!(read.remove(&handle) <= happened.remove(&handle));
                        bench.close(handle);
                    }
                }
            }
            let watched: BTreeSet<Object> = bench.events.watched().cloned().collect();
            let wanted: BTreeSet<Object> = bench.armed.iter().map(|handle| object(bench.of[handle])).collect();
            prop_assert_eq!(&watched, &wanted);
            prop_assert_eq!(&watched, &bench.watched);
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Open(Producer),
    Happen(Producer),
    Poll(usize),
    Read(usize),
    Close(usize),
}

fn steps() -> impl Strategy<Value = Step> {
    let producers = || prop_oneof![Just(Producer::ModFile), Just(Producer::ModDir)];
    prop_oneof![
        1 => producers().prop_map(Step::Open),
        4 => producers().prop_map(Step::Happen),
        3 => any::<usize>().prop_map(Step::Poll),
        3 => any::<usize>().prop_map(Step::Read),
        1 => any::<usize>().prop_map(Step::Close),
    ]
}

fn object(producer: Producer) -> Object {
    Object { producer, name: b"/it".to_vec() }
}

/// A file system with one monitor file for each producer, and what the shell would know of it.
struct Bench {
    events: Events,
    of: BTreeMap<Handle, Producer>,
    armed: BTreeSet<Handle>,
    watched: BTreeSet<Object>,
}

impl Default for Bench {
    fn default() -> Bench {
        let mut events = Events::new(NOW);
        for producer in [Producer::ModFile, Producer::ModDir] {
            let folder = events.tree().find(ROOT, b"fs").unwrap();
            let factory = format!("{}.monFactory", producer.name());
            let factory = events.tree().find(folder, factory.as_bytes()).unwrap();
            events.create(factory, b"it.mon", Owner::default()).unwrap();
        }
        Bench { events, of: BTreeMap::new(), armed: BTreeSet::new(), watched: BTreeSet::new() }
    }
}

impl Bench {
    fn open(&mut self, producer: Producer, registration: &str) -> Handle {
        let folder = self.events.tree().find(ROOT, b"fs").unwrap();
        let factory = format!("{}.monFactory", producer.name());
        let factory = self.events.tree().find(folder, factory.as_bytes()).unwrap();
        let node = self.events.tree().find(factory, b"it.mon").unwrap();
        let handle = self.events.open(node).unwrap();
        self.events.write(handle, registration.as_bytes()).unwrap();
        self.of.insert(handle, producer);
        handle
    }

    fn pick(&self, which: usize) -> Option<Handle> {
        let handles: Vec<Handle> = self.of.keys().copied().collect();
        (!handles.is_empty()).then(|| handles[which % handles.len()])
    }

    fn poll(&mut self, handle: Handle) -> Poll {
        let mut out = Vec::new();
        let poll = self.events.poll(handle, NOW, &mut out);
        self.armed.insert(handle);
        self.carry_out(out);
        poll
    }

    fn read(&mut self, handle: Handle) -> Option<String> {
        let (ticket, patience) = (Ticket(0), Patience::Any);
        let asked = Asked { handle, ticket, offset: 0, most: 100_000, patience };
        match self.events.read(asked, NOW, &mut Vec::new()) {
            Read::Bytes(bytes) => Some(String::from_utf8(bytes).unwrap()).filter(|text| !text.is_empty()),
            Read::Parked | Read::Refused(_) => panic!("who waits in select never waits in read"),
        }
    }

    fn happen(&mut self, producer: Producer, what: &Occurrence) {
        let mut out = Vec::new();
        self.events.happened(&object(producer), what, &mut out);
        self.carry_out(out);
    }

    fn close(&mut self, handle: Handle) {
        let mut out = Vec::new();
        self.events.close(handle, &mut out);
        self.of.remove(&handle);
        self.armed.remove(&handle);
        self.carry_out(out);
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Watch(object) => {
                    assert!(self.watched.insert(object.clone()), "it is watched already");
                    self.events.begun(&object, Ok(None), NOW, &mut Vec::new());
                }
                Effect::Leave(object) => assert!(self.watched.remove(&object), "it was not watched"),
                Effect::Wake(handle) => assert!(self.of.contains_key(&handle)),
                Effect::Answer(_, outcome) => {
                    assert_eq!(outcome, Err(Errno::INTERRUPTED), "nobody is parked")
                }
            }
        }
    }
}
