//! Where rings stand in for beats to all: what they bring, what they are told to say, and the promises that they make.

use super::{Above, Membership, Output};
use phalanx_events::Point;
use phalanx_topology::{Earned, Occasion, Posting, Spoken};
use phalanx_types::{Bug, Incarnation, PathId, Tick};
use phalanx_wire::{BeatFlags, Frame, Stream};
use std::collections::BTreeSet;

impl Membership {
    /// A frame of a ring. What it brings is earned, whoever collected it.
    pub(super) fn on_ring(&mut self, now: Tick, path: PathId, from: Incarnation, frame: &Frame<'_>) {
        self.topology.hear_ring(now, path, from, frame);
        for Earned { by, sent, lease } in self.topology.earned() {
            self.lease.grant(now, by, sent, lease);
        }
    }

    /// Says what is due along the rings, and writes the promises that this makes.
    pub(super) fn speak_on_rings(&mut self, now: Tick, above: &mut dyn Above) {
        let mut speech = self.speech(above);
        // Nothing has to be asked for: whoever takes a beat in says so.
        speech.flags = BeatFlags { urgent: false, ..speech.flags };
        let said = Some((speech, self.topology.hears()));
        let pressing = || {
            let news = |(old, heard): (_, _)| {
                let old: phalanx_topology::Speech = old;
                old.view != speech.view || heard != self.topology.hears()
            };
            self.said.is_none_or(news)
        };
        let occasion = match () {
            () if self.beat_now || pressing() => Occasion::Urgent,
            () if self.said != said => Occasion::News,
            () => Occasion::Routine,
        };
        let may = self.ready && self.topology.grants_on_rings(now);
        let grantees: BTreeSet<Incarnation> = self.grantees().filter(|_| may).collect();
        let Spoken { postings, given, told, heeded } =
            self.topology.speak(now, occasion, speech, &|life| grantees.contains(&life));
        let unwritten = self.setup.plot.has(Bug::RingPromiseUnwritten);
        for (node, received) in given.into_iter().filter(|_| !unwritten) {
            self.promises.make(node, received, &self.setup.timings);
        }
        if heeded {
            self.reached(Point::MayorHeeded);
        }
        if told {
            (self.said, self.ack_told) = (said, speech.received);
        }
        (self.beat_now, self.urgent) = (false, false);
        let send = |Posting { to, path, routine, bytes }| match (routine, bytes.into()) {
            (true, bytes) => Output::Beat { to, path, bytes },
            (false, bytes) => Output::Send { to, path, stream: Stream::Control, bytes },
        };
        self.out.extend(postings.into_iter().map(send));
    }
}
