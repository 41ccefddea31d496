//! Which networks have an adapter with a carrier on this host, told whenever something changes that may matter.
//!
//! Looks again at what the kernel has after each change that concerns one of the networks; others cost nothing.

use crate::interface::{Held, Interface};
use crate::request::{Netlink, NetlinkError, is_on};
use crate::watch::{Change, Watch};
use phalanx_model::{Cluster, ResourceKind, Subnet};
use phalanx_types::NetworkId;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A watch over the adapters. Dropped, it has ended.
pub struct Adapters {
    _watch: Watch,
    lookout: Arc<Mutex<Lookout>>,
}

/// What is known, and who is told.
struct Lookout {
    netlink: Netlink,
    networks: BTreeMap<NetworkId, Vec<Subnet>>,
    services: BTreeSet<IpAddr>,
    seen: BTreeMap<NetworkId, Picture>,
    tell: Box<dyn FnMut(NetworkId, bool) + Send>,
}

/// One network on this host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Picture {
    /// The interfaces with an address of their own there, and whether each has a carrier.
    carriers: BTreeMap<u32, bool>,
    /// The addresses there, service addresses among them.
    addresses: BTreeSet<(u32, IpAddr)>,
}

impl Adapters {
    /// Watches the adapters on the networks of `cluster`, in the network namespace that the calling thread is in. `tell` is
    /// called for each network that has no adapter with a carrier now, then, on a thread of the watch's own, with each
    /// change: whether there is one, also if that has not changed.
    pub fn begin(
        cluster: &Cluster,
        tell: impl FnMut(NetworkId, bool) + Send + 'static,
    ) -> io::Result<Adapters> {
        let netlink = Netlink::open().map_err(io::Error::other)?;
        let networks = cluster.networks.iter().map(|(id, network)| (*id, network.subnets.clone())).collect();
        let (services, tell) = (services(cluster), Box::new(tell));
        let lookout = Lookout { netlink, networks, services, seen: BTreeMap::new(), tell };
        let lookout = Arc::new(Mutex::new(lookout));
        let watching = Arc::clone(&lookout);
        let watch = Watch::begin(move |change| lock(&watching).heed(&change))?;
        lock(&lookout).look_first().map_err(io::Error::other)?;
        Ok(Adapters { _watch: watch, lookout })
    }

    /// The configuration changed: these are its service addresses now.
    pub fn follow(&self, cluster: &Cluster) {
        lock(&self.lookout).services = services(cluster);
    }
}

/// Every service address of a cluster.
pub fn services(cluster: &Cluster) -> BTreeSet<IpAddr> {
    let resources = cluster.groups.values().flat_map(|group| &group.resources);
    let address = |kind: &ResourceKind| match kind {
        ResourceKind::ServiceAddress(service) => Some(service.address.address),
        ResourceKind::FileSystem(_) | ResourceKind::Application(_) => None,
    };
    resources.filter_map(|resource| address(&resource.kind)).collect()
}

impl Lookout {
    fn look_first(&mut self) -> Result<(), NetlinkError> {
        self.seen = self.look()?;
        let down = self.seen.iter().filter(|(_, picture)| !picture.is_up()).map(|(network, _)| *network);
        for network in down.collect::<Vec<_>>() {
            (self.tell)(network, false);
        }
        Ok(())
    }

    fn heed(&mut self, change: &Change) {
        if !self.concerns(change) {
            return;
        }
        // A kernel that does not answer now is asked again at the next change.
        let Ok(now) = self.look() else { return };
        let before = std::mem::replace(&mut self.seen, now);
        for (network, picture) in &self.seen {
            if before.get(network).is_none_or(|old| picture.is_worth_telling(old)) {
                (self.tell)(*network, picture.is_up());
            }
        }
    }

    /// Whether one of the networks may be concerned.
    fn concerns(&self, change: &Change) -> bool {
        let known = |interface: u32| {
            self.seen.values().any(|picture| {
                picture.carriers.contains_key(&interface)
                    || picture.addresses.iter().any(|(holder, _)| *holder == interface)
            })
        };
        let ours = |held: &Held| {
            self.networks.values().flatten().any(|subnet| subnet.contains(held.address.address))
        };
        match change {
            Change::Interface(interface) | Change::InterfaceGone(interface) => known(interface.index),
            Change::Added(held) | Change::Removed(held) => ours(held),
            Change::Missed => true,
        }
    }

    fn look(&mut self) -> Result<BTreeMap<NetworkId, Picture>, NetlinkError> {
        let (interfaces, held) = (self.netlink.interfaces()?, self.netlink.addresses()?);
        let picture = |subnets: &[Subnet]| Picture::of(&interfaces, &held, subnets, &self.services);
        Ok(self.networks.iter().map(|(network, subnets)| (*network, picture(subnets))).collect())
    }
}

impl Picture {
    fn of(
        interfaces: &[Interface],
        held: &[Held],
        subnets: &[Subnet],
        services: &BTreeSet<IpAddr>,
    ) -> Picture {
        let there =
            |interface: &&Interface| subnets.iter().any(|subnet| is_on(interface, held, *subnet, services));
        let there = interfaces.iter().filter(there);
        let ours = |one: &&Held| subnets.iter().any(|subnet| subnet.contains(one.address.address));
        let addresses = held.iter().filter(ours);
        Picture {
            carriers: there.map(|interface| (interface.index, interface.carrier)).collect(),
            addresses: addresses.map(|one| (one.interface, one.address.address)).collect(),
        }
    }

    fn is_up(&self) -> bool {
        self.carriers.values().any(|carrier| *carrier)
    }

    /// An address that came, ours for one, is no news; one that went is, and whatever carriers do.
    fn is_worth_telling(&self, before: &Picture) -> bool {
        self.carriers != before.carriers || !before.addresses.is_subset(&self.addresses)
    }
}

fn lock(lookout: &Mutex<Lookout>) -> MutexGuard<'_, Lookout> {
    lookout.lock().unwrap_or_else(PoisonError::into_inner)
}
