//! The links to all peers: one for each peer's present life, and which path each segment takes.

use phalanx_topology::{Link, Topology};
use phalanx_types::{Bug, Incarnation, NodeId, PathId, Plot, Shared, Tick, Timings};
use phalanx_wire::{Segment, Stream};
use std::collections::BTreeMap;

/// A segment to send.
pub(crate) struct Outbound {
    pub to: NodeId,
    pub path: PathId,
    pub stream: Stream,
    pub bytes: Shared,
}

/// All links of this node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Links {
    links: BTreeMap<NodeId, (Incarnation, Link)>,
    generation: u64,
    plot: Plot,
}

impl Links {
    /// No links yet.
    pub fn new(plot: Plot) -> Links {
        Links { plot, ..Links::default() }
    }

    /// The link to this life; a fresh one if the peer was in another life before.
    fn to(&mut self, life: Incarnation) -> &mut Link {
        let outlives = self.plot.has(Bug::LinkOutlivesLife);
        if self.links.get(&life.node).is_none_or(|(known, _)| *known != life && !outlives) {
            self.generation += 1;
            self.links.insert(life.node, (life, Link::new(self.generation)));
        }
        let (_, link) = self.links.get_mut(&life.node).expect("inserted above if it was not there");
        link
    }

    /// Queues a message. False if the peer drains nothing and too much is waiting for it already.
    #[must_use]
    pub fn send(&mut self, to: Incarnation, stream: Stream, message: Shared) -> bool {
        self.to(to).send(stream, message).is_ok()
    }

    /// Takes in a segment; gives the messages that it completes, as `read` reads them.
    pub fn receive<T>(
        &mut self,
        now: Tick,
        from: Incarnation,
        segment: &Segment<'_>,
        read: impl Fn(Stream, Shared) -> T,
    ) -> Vec<T> {
        let mut messages = Vec::new();
        self.to(from).receive(now, segment, |stream, message| messages.push(read(stream, message)));
        messages
    }

    /// Forgets what waits for a peer that is no longer a member. What comes from it still comes in order.
    pub fn restart(&mut self, node: NodeId) {
        if let Some((_, link)) = self.links.get_mut(&node) {
            self.generation += 1;
            link.restart(self.generation);
        }
    }

    /// Every segment that is to be sent now.
    pub fn poll(
        &mut self,
        now: Tick,
        topology: &Topology,
        timings: &Timings,
        mut send: impl FnMut(Outbound),
    ) {
        for (node, (_, link)) in self.links.iter_mut().filter(|(_, (_, link))| !link.is_idle()) {
            while let Some(transmit) = link.poll(now, timings) {
                if let Some(path) = topology.route(now, *node, transmit.tries) {
                    send(Outbound { to: *node, path, stream: transmit.stream, bytes: transmit.bytes });
                }
            }
        }
    }

    /// When [`Links::poll`] has something next if nothing arrives.
    pub fn wake_at(&self, timings: &Timings) -> Tick {
        let busy = self.links.values().filter(|(_, link)| !link.is_idle());
        busy.map(|(_, link)| link.wake_at(timings)).min().unwrap_or(Tick::NEVER)
    }
}
