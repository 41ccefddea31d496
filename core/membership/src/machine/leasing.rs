//! Beats, and what rides on them: grants received, grants given, and the promises that giving one is.

use super::{Above, Membership, Output, Pace};
use phalanx_events::MembershipNote;
use phalanx_topology::{Occasion, Speech};
use phalanx_types::{Bug, Incarnation, PathId, Shared, Tick};
use phalanx_wire::{Beat, BeatFlags, Stream};
use std::collections::BTreeMap;

impl Membership {
    pub(super) fn on_beat(
        &mut self,
        now: Tick,
        path: PathId,
        from: Incarnation,
        beat: &Beat,
        above: &mut dyn Above,
    ) {
        let mut notes = Vec::new();
        let heard = self.topology.hear(now, path, from, beat, &mut notes);
        self.tell(notes);
        if heard.newest {
            self.counter_seen = self.counter_seen.max(beat.counter_max);
            self.on_ack(from, beat.view, beat.received);
            self.take_grant(now, from, beat);
        }
        if heard.urgent && heard.newest {
            self.answer(now, from, path, above);
        }
    }

    fn take_grant(&mut self, now: Tick, from: Incarnation, beat: &Beat) {
        if let Some(grant) = beat.grant.filter(|grant| grant.start == self.setup.me.start) {
            self.lease.grant(now, from.node, grant.sent, grant.lease);
        }
    }

    /// The sending time of the newest beat of `life`, if this node may grant anything; or zero.
    fn granted(&self, life: Incarnation) -> Tick {
        let newest = self.topology.newest_beat(life).filter(|_| self.ready);
        newest.map_or(Tick::ZERO, |(sent, _)| sent)
    }

    /// The lives that may be granted leases now.
    ///
    /// A member that was left out by some view may have been counted on to lose its lease: whoever was in that view may
    /// take over from it when its last promise ends. So it is granted nothing again until the view that has it back is
    /// installed here, which takes the others' flushes, and until those outside that view can hold nothing any more.
    pub(super) fn grantees(&self) -> impl Iterator<Item = Incarnation> {
        let anybody = self.setup.plot.has(Bug::GrantAfterAcceptance);
        let known = self.topology.peers().filter_map(|node| self.topology.life(node));
        let known = known.map(|(life, _)| life).filter(move |_| anybody);
        let admitted = self.now >= self.admit_at;
        let members = self.order().view.members.values().map(|member| member.incarnation);
        self.grantees.values().copied().chain(members.filter(move |_| admitted)).chain(known)
    }

    /// Writes the promises that the beats about to be sent will make.
    fn promise(&mut self) {
        let lives: Vec<Incarnation> = self.grantees().collect();
        for life in lives.into_iter().filter(|life| *life != self.setup.me && self.ready) {
            if let Some((_, received)) = self.topology.newest_beat(life) {
                self.promises.make(life.node, received, &self.setup.timings);
            }
        }
    }

    /// The timings that the layers above have on disk are in force here at once: this node's part in detection, and how
    /// long it promises from now on. What it promised before stays as it was, and what others promised says so itself.
    pub(super) fn follow_pace(&mut self, now: Tick, above: &mut dyn Above) {
        let pace = above.pace();
        if pace == self.pace {
            return;
        }
        self.pace = pace;
        let Pace { timings, lease_max } = pace;
        self.topology.set_timings(now, timings, lease_max);
        if timings != self.setup.timings {
            self.setup.timings = timings;
            self.note(MembershipNote::TimingsInForce { timings });
        }
    }

    pub(super) fn speech(&self, above: &mut dyn Above) -> Speech {
        let flags = BeatFlags { ready: self.ready, blank: above.is_blank(), urgent: self.urgent };
        let (view, received) = (self.order().view.id, self.order().received());
        Speech { flags, view, received, counter_max: self.counter_seen }
    }

    pub(super) fn speak(&mut self, now: Tick, above: &mut dyn Above) {
        if self.topology.has_rings() {
            return self.speak_on_rings(now, above);
        }
        if !self.beat_now && now < self.topology.wake_at() {
            return;
        }
        let (speech, granted) = (self.speech(above), self.grants());
        let said = Some((speech, self.topology.hears()));
        let occasion = match () {
            () if self.beat_now => Occasion::Urgent,
            () if self.said != said => Occasion::News,
            () => Occasion::Routine,
        };
        let beats = self.topology.beats(now, occasion, speech, granted);
        if beats.is_empty() {
            return;
        }
        self.promise();
        self.said = said;
        (self.beat_now, self.urgent) = (false, false);
        (self.ack_told, self.ack_told_bytes) = (speech.received, self.order().received_bytes());
        let send = |(to, path, bytes)| match (occasion, Shared::from(bytes)) {
            (Occasion::News | Occasion::Urgent, bytes) => {
                Output::Send { to, path, stream: Stream::Control, bytes }
            }
            (Occasion::Routine, bytes) => Output::Beat { to, path, bytes },
        };
        self.out.extend(beats.into_iter().map(send));
    }

    fn grants(&self) -> impl Fn(Incarnation) -> Tick + use<> {
        let table: BTreeMap<Incarnation, Tick> =
            self.grantees().map(|life| (life, self.granted(life))).collect();
        move |life| table.get(&life).copied().unwrap_or(Tick::ZERO)
    }

    fn answer(&mut self, now: Tick, to: Incarnation, path: PathId, above: &mut dyn Above) {
        let (speech, granted) = (self.speech(above), self.grants());
        let bytes = self.topology.answer(now, to.node, path, speech, granted).into();
        self.promise();
        self.out.push_back(Output::Send { to: to.node, path, stream: Stream::Control, bytes });
    }

    pub(super) fn renew(&mut self, now: Tick) {
        if let Some(until) = self.lease.ask(now, &self.setup.timings) {
            self.out.push_back(Output::Feed(until));
        }
    }
}
