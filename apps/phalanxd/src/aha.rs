//! The event file system, if it is asked for. It is mounted before the main thread becomes real-time, so that its threads never are.

use crate::remark::Remark;
use crate::scribe::Scribe;
use crate::settings::Settings;
use phalanx_eventfs::{EventFs, Refused};

/// Mounts it. Without it the node does all else, so trouble is only told.
pub fn mount(settings: &Settings, scribe: &mut Scribe) -> Option<EventFs> {
    let place = settings.aha.as_ref()?;
    match EventFs::mount(place, complain) {
        Ok(events) => Some(events),
        Err(why) => {
            scribe.remark(Remark::NoEventFs { place: place.clone(), why: why.to_string() });
            None
        }
    }
}

/// Only the log says why: the program that wrote it learns no more than that it was refused.
fn complain(Refused { process, why }: Refused) {
    eprintln!("phalanxd: process {process} asks for no event that there is: {why}");
}
