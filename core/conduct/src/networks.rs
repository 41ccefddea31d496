//! This node's networks: what its adapters reach, said to the others, and what follows from everybody's word.

use crate::adapter::{Adapter, Turned};
use crate::manager::{Manager, ManagerEffect, Turn};
use crate::message::{Envelope, Word, encode};
use phalanx_events::ManagerNote;
use phalanx_membership::Hearing;
use phalanx_model::Cluster;
use phalanx_plan::{Outage, Reaches};
use phalanx_types::limits::PLAN_RETRY_PAUSE;
use phalanx_types::{NetworkId, NodeId, Span, Tick, ViewId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What this node knows of its networks.
#[derive(Default)]
pub(crate) struct Networks {
    adapters: BTreeMap<NetworkId, Adapter>,
    /// Those without an adapter that has a carrier.
    pub unplugged: BTreeSet<NetworkId>,
    /// What was said last, and in which view.
    said: Option<(Reaches, ViewId)>,
    /// The outages told last.
    outages: BTreeMap<NetworkId, Outage>,
}

impl Networks {
    /// What the adapters reach.
    pub fn reaches(&self) -> Reaches {
        let known = |(network, adapter): (&NetworkId, &Adapter)| Some((*network, adapter.reach()?));
        self.adapters.iter().filter_map(known).collect()
    }

    fn adapter(&mut self, now: Tick, network: NetworkId) -> &mut Adapter {
        self.adapters.entry(network).or_insert_with(|| Adapter::new(now))
    }

    fn wake_at(&self, now: Tick, detect: Span, cluster: &Cluster) -> Tick {
        let wakes = self
            .adapters
            .iter()
            .map(|(network, adapter)| adapter.wake_at(now, detect, aims(cluster, *network)));
        wakes.min().unwrap_or(Tick::NEVER)
    }
}

impl Manager {
    /// Something changed about the adapters or the addresses on a network: addresses there are looked at.
    pub(crate) fn carrier(&mut self, turn: &mut Turn<'_>, network: NetworkId, up: bool) {
        self.networks.adapter(turn.now, network).carrier(turn.now, up);
        match up {
            true => self.networks.unplugged.remove(&network),
            false => self.networks.unplugged.insert(network),
        };
        self.each_agent(turn, |agent, desk| agent.adapters_changed(desk, network));
    }

    /// Beats say whom this node reaches.
    pub(crate) fn hearing(&mut self, turn: &Turn<'_>, hearing: BTreeMap<NetworkId, Hearing>) {
        for (network, hearing) in hearing {
            self.networks.adapter(turn.now, network).hear(turn.now, hearing);
        }
    }

    /// A target on a network answered.
    pub(crate) fn target_answered(&mut self, turn: &Turn<'_>, network: NetworkId) {
        self.networks.adapter(turn.now, network).vouch(turn.now);
    }

    /// Judges the adapters anew, has targets asked, and says what the replicated state has otherwise.
    pub(crate) fn mind_networks(&mut self, turn: &mut Turn<'_>) {
        let cluster = Arc::clone(&self.config.cluster);
        let detect = self.pace().timings.detect();
        for (network, adapter) in &mut self.networks.adapters {
            let network = *network;
            if aims(&cluster, network) && adapter.asks(turn.now, detect) {
                turn.out.push(ManagerEffect::AskTargets { network });
            }
            match adapter.judge(turn.now, detect) {
                Some(Turned::Down(why)) => {
                    turn.note(ManagerNote::AdapterDown { network, cause: why.to_owned() });
                }
                Some(Turned::Up(settles_in)) => turn.note(ManagerNote::AdapterUp { network, settles_in }),
                Some(Turned::Vouched) => turn.note(ManagerNote::AdapterVouched { network }),
                None => {}
            }
        }
        self.tell_reach(turn);
    }

    fn tell_reach(&mut self, turn: &mut Turn<'_>) {
        let Some(view) = self.in_step().map(|membership| membership.view.id) else { return };
        let truth = self.networks.reaches();
        let said = (truth, view);
        let known = self.state.reach.get(&self.me);
        if known.unwrap_or(&Reaches::new()) == &said.0 || self.networks.said.as_ref() == Some(&said) {
            return;
        }
        match turn.group.broadcast(encode(&Envelope { view, word: Word::Reach(said.0.clone()) })) {
            Ok(()) => self.networks.said = Some(said),
            Err(_) => self.retry_at = turn.now + PLAN_RETRY_PAUSE,
        }
    }

    /// Tells which networks went down or came up since this was told last; everybody tells the same.
    pub(crate) fn tell_outages(&mut self, turn: &mut Turn<'_>) {
        let Some(membership) = self.in_step() else { return };
        let outages = self.state.outages(self.cluster(), &membership.view);
        let before = std::mem::replace(&mut self.networks.outages, outages);
        let now = &self.networks.outages;
        let networks: BTreeSet<NetworkId> = before.keys().chain(now.keys()).copied().collect();
        for network in networks {
            let of = |all: &BTreeMap<NetworkId, Outage>| places(all.get(&network));
            let (old, new) = (of(&before), of(now));
            for node in new.difference(&old).copied() {
                turn.note(ManagerNote::NetworkDown { network, node });
            }
            for node in old.difference(&new).copied() {
                turn.note(ManagerNote::NetworkUp { network, node });
            }
        }
    }

    /// When the adapters want to be judged.
    pub(crate) fn networks_at(&self) -> Tick {
        self.networks.wake_at(self.now, self.pace().timings.detect(), &self.config.cluster)
    }
}

/// Whether a network has targets to ask.
fn aims(cluster: &Cluster, network: NetworkId) -> bool {
    cluster.networks.get(&network).is_some_and(|network| !network.targets.is_empty())
}

/// Where a network is down; no node stands for everywhere.
fn places(outage: Option<&Outage>) -> BTreeSet<Option<NodeId>> {
    let everywhere = outage.filter(|outage| outage.everywhere).map(|_| None);
    let nodes = outage.into_iter().flat_map(|outage| outage.at.iter().copied().map(Some));
    nodes.chain(everywhere).collect()
}
