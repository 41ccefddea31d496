//! The thread that asks the hosts of silent nodes for an echo: whether their kernels still run.

use crate::inbox::Post;
use phalanx_model::Cluster;
use phalanx_netlink::Netlink;
use phalanx_netlink::echo::Echoes;
use phalanx_node::Input;
use phalanx_realtime::{Giver, Taker, make_helper, queue};
use phalanx_types::limits::{NETWORKS_MAX, NODES_MAX};
use phalanx_types::{NodeId, PathId, Span};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::thread;

const STACK_BYTES: usize = 256 * 1024;
/// Who does not answer within this part of the detection time is asked again, if it is still in doubt.
const PATIENCE_PART: u64 = 4;

/// Where nodes in doubt are handed in.
pub struct Doubts {
    questions: Giver<Question>,
}

struct Question {
    of: NodeId,
    path: PathId,
    cluster: Arc<Cluster>,
}

/// What is asked at once: whom, by which path.
type Batch = BTreeMap<PathId, BTreeSet<NodeId>>;

impl Doubts {
    /// Begins to ask, as `me`, in the network namespace that the calling thread is in.
    pub fn begin(me: NodeId, post: Post) -> io::Result<Doubts> {
        let (questions, asked) = queue::<Question>(NODES_MAX * NETWORKS_MAX);
        let work = move || {
            // If it is refused the main thread's own attempt tells why.
            let _ = make_helper();
            while let Some(first) = asked.wait() {
                let cluster = Arc::clone(&first.cluster);
                ask_all(&cluster, me, batch(first, &asked), &post);
            }
        };
        thread::Builder::new().name("doubts".into()).stack_size(STACK_BYTES).spawn(work)?;
        Ok(Doubts { questions })
    }

    /// Has a node's host asked. While many wait already it is left out: it is asked again soon.
    pub fn ask(&self, of: NodeId, path: PathId, cluster: &Arc<Cluster>) {
        let _ = self.questions.give(Question { of, path, cluster: Arc::clone(cluster) });
    }
}

/// All that waits.
fn batch(first: Question, asked: &Taker<Question>) -> Batch {
    let mut batch = Batch::new();
    let mut next = Some(first);
    while let Some(Question { of, path, .. }) = next {
        batch.entry(path).or_default().insert(of);
        next = asked.take();
    }
    batch
}

/// On each path at once; an answer is told as soon as it comes.
fn ask_all(cluster: &Cluster, me: NodeId, batch: Batch, post: &Post) {
    let patience = cluster.timings().detect() / PATIENCE_PART;
    thread::scope(|scope| {
        for (path, nodes) in batch {
            let ask = move || ask_on(cluster, me, path, &nodes, patience, post);
            // A thread that cannot be had asks nobody: silence is what it is without.
            let _ = thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, ask);
        }
    });
}

/// What cannot be asked does not answer.
fn ask_on(
    cluster: &Cluster,
    me: NodeId,
    path: PathId,
    nodes: &BTreeSet<NodeId>,
    patience: Span,
    post: &Post,
) {
    let _ = make_helper();
    let Some((interface, source)) = adapter(cluster, me, path) else { return };
    let targets: Vec<(NodeId, IpAddr)> =
        nodes.iter().filter_map(|node| Some((*node, address(cluster, *node, path)?))).collect();
    let addresses: Vec<IpAddr> = targets.iter().map(|(_, address)| *address).collect();
    let Ok(mut echoes) = Echoes::ask(&interface, source, &addresses, patience) else { return };
    while let Ok(Some(place)) = echoes.next_answer() {
        post.input(Input::EchoAnswered { by: targets[place].0, path });
    }
}

/// This node's adapter on a path if it has a carrier: its name, and the node's address there.
fn adapter(cluster: &Cluster, me: NodeId, path: PathId) -> Option<(String, IpAddr)> {
    let source = address(cluster, me, path)?;
    let plugged = Netlink::open().ok()?.plugged([source].iter()).ok()?;
    plugged.into_iter().next().map(|(interface, source)| (interface.name, source))
}

fn address(cluster: &Cluster, node: NodeId, path: PathId) -> Option<IpAddr> {
    cluster.nodes.get(&node)?.addresses.get(&path.network)?.get(usize::from(path.index)).copied()
}
