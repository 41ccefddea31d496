//! The grace period (RSCT: Topology Services, grace): who is silent and whose host's kernel answers an ICMP echo may be
//! starved rather than dead, and is given up later.
//!
//! Whoever doubts a node asks its host at each beat, on each path in doubt. An answer is no sign of the daemon's life: it
//! renews nothing, finds nobody who is lost already, and counts for one detection time, so that a host that dies during the
//! grace period is given up that long after its last answer. Anybody on the way could make answers up; that costs the
//! grace period once, and no safety, for leases do not depend on it.

use super::{Monitor, Topology};
use crate::ring;
use phalanx_events::MembershipNote;
use phalanx_types::{NodeId, PathId, Span, Tick};

impl Topology {
    /// Whose host is to be asked for an echo now, and on which path: at most once a beat, and nobody without a grace period.
    pub fn take_doubted(&mut self, now: Tick) -> Vec<(NodeId, PathId)> {
        if self.timings.grace() == Span::ZERO || now < self.echo_at {
            return Vec::new();
        }
        let doubted: Vec<_> = match &self.monitor {
            Monitor::Mesh => self.doubted_of_all(now).collect(),
            Monitor::Ring(rings) => rings.doubted(ring::moment(now, self.resumed, self.timings)).collect(),
        };
        if !doubted.is_empty() {
            self.echo_at = now + self.timings.beat();
        }
        doubted
    }

    /// The kernel of a node's host answered an echo on this path. Told once in a silence.
    pub fn echo(&mut self, now: Tick, node: NodeId, path: PathId, notes: &mut Vec<MembershipNote>) {
        let peer = self.peers.get_mut(&node).filter(|_| self.hears.has(node));
        let Some(life) = peer.and_then(|peer| peer.life.as_mut()) else { return };
        let (silent, limit) = (now.since(life.heard), self.timings.detect_longest());
        if silent >= self.timings.doubt() {
            if life.echoed <= life.heard {
                notes.push(MembershipNote::GraceGiven { life: life.incarnation, silent, limit });
            }
            life.echoed = now;
        }
        if let Monitor::Ring(rings) = &mut self.monitor {
            rings.echo(now, node, path);
        }
    }

    fn doubted_of_all(&self, now: Tick) -> impl Iterator<Item = (NodeId, PathId)> {
        let doubted = self.peers.iter().filter(move |(node, peer)| {
            self.hears.has(**node) && peer.is_doubted(now, self.resumed, &self.timings)
        });
        doubted.flat_map(|(node, peer)| peer.paths.iter().map(|path| (*node, path.id)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{A, B, C, NET, Story, at, set};
    use super::*;
    use phalanx_types::{TimingProfile, Timings};

    /// C has been silent since 475 ms; what B and it said before is taken in.
    fn silent(grace_ms: u64) -> Story {
        let timings = Timings::of(TimingProfile::Auto).with_grace(Span::from_millis(grace_ms));
        let mut story = Story::under(timings);
        story.beats(0, 500, &[B, C], &NET);
        story
    }

    /// B goes on until `ms`, and C's host is asked and answers meanwhile if `answers`; tells how often it was asked.
    fn go_on(story: &mut Story, ms: std::ops::Range<u64>, answers: bool) -> usize {
        let mut asked = 0;
        for ms in ms.step_by(25) {
            story.beats(ms, ms + 1, &[B], &NET);
            for (node, path) in story.topology.take_doubted(at(ms)) {
                assert_eq!(node, C.node);
                asked += 1;
                if answers {
                    story.topology.echo(at(ms), node, path, &mut story.notes);
                }
            }
        }
        asked
    }

    #[test]
    fn whose_kernel_answers_is_waited_for_until_the_grace_period_is_over() {
        let mut story = silent(1_000);
        assert_eq!(go_on(&mut story, 500..675, true), 0, "not in doubt yet");
        go_on(&mut story, 675..1_875, true);
        assert_eq!(story.topology.wanted(at(1_874)), set(&[1, 2, 3]));
        let told =
            |note: &&MembershipNote| matches!(note, MembershipNote::GraceGiven { life, .. } if *life == C);
        assert_eq!(story.notes.iter().filter(told).count(), 1, "once");
        go_on(&mut story, 1_875..1_900, true);
        assert_eq!(story.topology.wanted(at(1_899)), set(&[1, 2]));
    }

    #[test]
    fn whose_kernel_stops_answering_is_given_up_a_detection_time_later() {
        let mut story = silent(10_000);
        go_on(&mut story, 500..1_001, true);
        go_on(&mut story, 1_025..1_375, false);
        assert_eq!(story.topology.wanted(at(1_374)), set(&[1, 2, 3]));
        go_on(&mut story, 1_375..1_400, false);
        assert_eq!(story.topology.wanted(at(1_399)), set(&[1, 2]));
    }

    #[test]
    fn an_answer_finds_nobody_who_is_lost() {
        let mut story = silent(10_000);
        go_on(&mut story, 500..900, false);
        assert_eq!(story.topology.wanted(at(899)), set(&[1, 2]));
        story.topology.echo(at(900), C.node, NET[0], &mut story.notes);
        story.topology.check(at(901), &mut story.notes);
        assert_eq!(story.topology.wanted(at(901)), set(&[1, 2]));
        assert_eq!(go_on(&mut story, 925..1_500, false), 0, "and nobody asks for it any more");
    }

    #[test]
    fn without_a_grace_period_nobody_is_asked() {
        let mut story = silent(0);
        assert_eq!(go_on(&mut story, 500..900, true), 0);
        assert_eq!(story.topology.wanted(at(899)), set(&[A.node.0, B.node.0]));
    }
}
