//! Whether another host answers for this node's own addresses: then two have one identity, and the one that starts is refused.
//!
//! Asked once, before the first beat. That nobody answers proves nothing: the copy may be unplugged. What comes later the
//! others refuse to believe (`phalanx_topology`), and say.

use phalanx_model::Cluster;
use phalanx_netlink::{Interface, Mac, Netlink, ask};
use phalanx_types::{NodeId, Span};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::thread;

/// How long an answer is waited for: on one segment it takes less than a millisecond.
const PATIENCE: Span = Span::from_millis(20);

/// Another host that has an address of this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Twin {
    /// The address.
    pub address: IpAddr,
    /// The hardware address that answers for it.
    pub mac: Mac,
}

/// Looks for one. Where nobody can be asked, as on what is no Ethernet, there is none.
pub fn find(cluster: &Cluster, me: NodeId) -> Option<Twin> {
    let mut netlink = Netlink::open().ok()?;
    let interfaces = netlink.interfaces().ok()?;
    let own: BTreeSet<Mac> = interfaces.iter().filter_map(|interface| interface.mac).collect();
    let questions = netlink.plugged(cluster.nodes[&me].addresses.values().flatten()).ok()?;
    // All at once: a daemon that is started again within its lease has no time to lose.
    thread::scope(|scope| {
        let asked: Vec<_> = questions
            .into_iter()
            .map(|(interface, address)| {
                scope.spawn({
                    let own = &own;
                    move || answer(&interface, own, address)
                })
            })
            .collect();
        asked.into_iter().filter_map(|asking| asking.join().ok().flatten()).next()
    })
}

fn answer(interface: &Interface, own: &BTreeSet<Mac>, address: IpAddr) -> Option<Twin> {
    let owners = ask(interface, own, &[address], PATIENCE).ok()?;
    owners.get(&address).map(|mac| Twin { address, mac: *mac })
}
