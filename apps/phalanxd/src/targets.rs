//! The thread that asks hosts outside the cluster whether this node's adapters reach them.

use crate::inbox::Post;
use phalanx_model::Cluster;
use phalanx_netlink::echo::Echoes;
use phalanx_netlink::{Netlink, NetlinkError};
use phalanx_node::Input;
use phalanx_realtime::{Giver, make_helper, queue};
use phalanx_types::limits::{NETWORKS_MAX, TARGETS_PATIENCE_MAX};
use phalanx_types::{NetworkId, NodeId, Span};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::thread;

const STACK_BYTES: usize = 256 * 1024;

/// Where networks are handed in whose targets are to be asked.
pub struct Targets {
    questions: Giver<(NetworkId, Arc<Cluster>)>,
}

impl Targets {
    /// Begins to ask, as `me`, in the network namespace that the calling thread is in.
    pub fn begin(me: NodeId, post: Post) -> io::Result<Targets> {
        let (questions, asked) = queue::<(NetworkId, Arc<Cluster>)>(NETWORKS_MAX);
        let work = move || {
            // If it is refused the main thread's own attempt tells why.
            let _ = make_helper();
            while let Some((network, cluster)) = asked.wait() {
                if answers(&cluster, me, network) {
                    post.input(Input::TargetAnswered { network });
                }
            }
        };
        thread::Builder::new().name("targets".into()).stack_size(STACK_BYTES).spawn(work)?;
        Ok(Targets { questions })
    }

    /// Has the targets of a network asked. While many wait already this one is left out: it is asked again soon.
    pub fn ask(&self, network: NetworkId, cluster: &Arc<Cluster>) {
        let _ = self.questions.give((network, Arc::clone(cluster)));
    }
}

/// Whether a target of `network` answers by an adapter of this node there. What cannot be asked does not answer.
fn answers(cluster: &Cluster, me: NodeId, network: NetworkId) -> bool {
    let targets = cluster.networks.get(&network).map_or(&[][..], |network| &network.targets);
    let patience = cluster.timings().detect().min(TARGETS_PATIENCE_MAX);
    let adapters = adapters(cluster, me, network).unwrap_or_default();
    thread::scope(|scope| {
        let asking: Vec<_> = adapters
            .iter()
            .filter_map(|(interface, source)| {
                let ask = move || asks(interface, *source, targets, patience);
                thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, ask).ok()
            })
            .collect();
        asking.into_iter().fold(false, |any, asking| any | asking.join().unwrap_or(false))
    })
}

fn asks(interface: &str, source: IpAddr, targets: &[IpAddr], patience: Span) -> bool {
    let _ = make_helper();
    let mut echoes = Echoes::ask(interface, source, targets, patience).ok();
    echoes.as_mut().is_some_and(|echoes| matches!(echoes.next_answer(), Ok(Some(_))))
}

/// The adapters of this node on `network` that have a carrier: their names, and this node's addresses there.
fn adapters(
    cluster: &Cluster,
    me: NodeId,
    network: NetworkId,
) -> Result<Vec<(String, IpAddr)>, NetlinkError> {
    let addresses = cluster.nodes.get(&me).and_then(|node| node.addresses.get(&network));
    let plugged = Netlink::open()?.plugged(addresses.into_iter().flatten())?;
    Ok(plugged.into_iter().map(|(interface, source)| (interface.name, source)).collect())
}
