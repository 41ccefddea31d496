//! The picture for those who look at it.

use super::{Monitor, Topology};
use crate::outlook::{PathOutlook, PeerOutlook, Reach, TopologyOutlook};
use crate::path::Path;
use crate::peer::Peer;
use phalanx_types::{NodeId, Tick};
use std::collections::BTreeMap;

impl Topology {
    /// Who is reached on which path, and the rings there.
    pub fn outlook(&self, now: Tick) -> TopologyOutlook {
        let mut outlook =
            TopologyOutlook { node: self.me.node, paths: BTreeMap::new(), lateness: self.lateness };
        for (node, peer) in &self.peers {
            for path in &peer.paths {
                let seen = self.peer_outlook(now, *node, peer, path);
                let on: &mut PathOutlook = outlook.paths.entry(path.id).or_default();
                on.peers.insert(*node, seen);
            }
        }
        if let Monitor::Ring(rings) = &self.monitor {
            for (path, ring) in rings.outlook() {
                outlook.paths.entry(path).or_default().ring = Some(ring);
            }
        }
        outlook
    }

    fn peer_outlook(&self, now: Tick, node: NodeId, peer: &Peer, path: &Path) -> PeerOutlook {
        let (in_group, heard) = match &self.monitor {
            Monitor::Mesh => (false, (path.heard != Tick::ZERO).then_some(path.heard)),
            Monitor::Ring(rings) => {
                let life = peer.life.as_ref().map(|life| life.incarnation);
                (life.is_some_and(|life| rings.has(path.id, life)), rings.shown(path.id, node))
            }
        };
        let reach = match (path.up, in_group) {
            (true, _) => Reach::Up,
            (false, true) => Reach::Unstable,
            (false, false) => Reach::Down,
        };
        PeerOutlook { reach, heard: heard.map(|at| now.since(at)) }
    }
}
