//! A flight record is whole, has causes, and does not touch what it records.

use phalanx_flight::{Kind, Record};
use phalanx_sim::core::Cores;
use phalanx_sim::run::{Course, Judge, record_seed, run_seed};
use phalanx_sim::trace::Trace;
use phalanx_sim::{Lite, Mode};
use phalanx_types::Plot;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

const LITE: Lite = Lite { nodes: Some(3), networks: Some(1), ..Lite::DEFAULT };
const COURSE: Course = Course { lite: LITE, mode: Mode::Swarm, judge: Judge::All };

/// A file that can be looked into.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panics with it").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file on a disk that is full.
struct Full;

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_record_is_whole_and_every_view_has_its_cause() {
    let (file, cores) = (Shared::default(), Cores(Plot::NONE));
    let outcome =
        record_seed(&cores, 3, COURSE, "again".into(), Box::new(file.clone())).expect("it is written");
    assert_eq!(outcome, run_seed(&cores, 3, COURSE, Trace::default()), "recording changes nothing");
    let text = String::from_utf8(file.0.lock().expect("nobody panics with it").clone()).expect("it is text");
    let record = Record::read(&text).expect("it reads back");
    assert_eq!((record.head.nodes.len(), record.end.broken.is_none()), (3, true));
    let installed = |say: &str| say.contains("installed");
    let views: Vec<_> = record.entries.iter().filter(|entry| installed(&entry.say)).collect();
    assert!(views.len() > 3 && views.iter().all(|view| view.kind == Kind::View && view.from.is_some()));
    let faults = views.iter().filter(|view| record.chain(view.n).iter().any(|one| one.kind == Kind::Fault));
    assert!(faults.count() > 0, "some view goes back to a fault");
}

#[test]
fn a_record_that_cannot_be_written_is_told() {
    let fault = record_seed(&Cores(Plot::NONE), 3, COURSE, "again".into(), Box::new(Full)).expect_err("full");
    assert_eq!(fault.kind(), io::ErrorKind::StorageFull);
}
