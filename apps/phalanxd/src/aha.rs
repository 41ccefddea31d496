//! The event file system, if it is asked for. It is mounted before the main thread becomes real-time, so that its threads never are,
//! and hears of the cluster from the scribe.

use crate::remark::Remark;
use crate::settings::Settings;
use phalanx_aha::{Herald, Moment};
use phalanx_eventfs::{EventFs, Refused, Reporter};
use phalanx_events::Note;
use phalanx_types::{ClusterId, NodeId};
use std::time::{SystemTime, UNIX_EPOCH};

/// Mounts it. Without it the node does all else, so trouble is only told.
pub fn mount(settings: &Settings) -> (Option<EventFs>, Option<Remark>) {
    let Some(place) = &settings.aha else { return (None, None) };
    match EventFs::mount(place, complain) {
        Ok(events) => (Some(events), None),
        Err(why) => (None, Some(Remark::NoEventFs { place: place.clone(), why: why.to_string() })),
    }
}

/// Only the log says why: the program that wrote it learns no more than that it was refused.
fn complain(Refused { process, why }: Refused) {
    eprintln!("phalanxd: process {process} asks for no event that there is: {why}");
}

/// Tells programs what notes say about the cluster.
pub struct Crier {
    herald: Herald,
    reporter: Reporter,
}

impl Crier {
    /// One for this node's programs.
    pub fn new(events: &EventFs, cluster: ClusterId, me: NodeId) -> Crier {
        Crier { herald: Herald::new(cluster, me), reporter: events.reporter() }
    }

    /// Tells what a note means.
    pub fn cry(&mut self, note: &Note) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let at = Moment { seconds: since.as_secs() as i64, nanoseconds: since.subsec_nanos() };
        for (object, what) in self.herald.hear(note, at) {
            self.reporter.report(object, what);
        }
    }
}
