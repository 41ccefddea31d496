//! Service addresses: an alias on an interface of their network, announced to the neighbours.

use crate::driver::{Activity, Driver, Task, Trouble};
use phalanx_exec::Clearance;
use phalanx_host::now;
use phalanx_model::{Address, Network};
use phalanx_netlink::{Announcement, Answer, Interface, Netlink, NetlinkError, probe};
use phalanx_types::Span;
use std::net::IpAddr;
use std::sync::Arc;

/// The driver of one service address.
pub(crate) struct ServiceAddressDriver {
    address: Address,
    network: Network,
}

impl ServiceAddressDriver {
    pub(crate) fn new(address: Address, network: &Network) -> ServiceAddressDriver {
        ServiceAddressDriver { address, network: network.clone() }
    }

    /// The interface it belongs on: one of its network, with a carrier.
    fn interface(&self, netlink: &mut Netlink) -> Result<Interface, Trouble> {
        let mut interfaces = netlink.interfaces_on(self.network.subnet, self.address.address)?;
        let best = interfaces.swap_remove(0);
        match best.carrier {
            true => Ok(best),
            false => Err(Trouble::Failed(format!(
                "no interface of network {} has a carrier; {} is the first without",
                self.network.name.as_str(),
                best.name
            ))),
        }
    }

    /// Asks the network whether another host has it.
    fn ask(&self, interface: &Interface, patience: Span) -> Result<(), Trouble> {
        let IpAddr::V4(address) = self.address.address else { return Ok(()) };
        if patience == Span::ZERO {
            return Ok(());
        }
        match probe(interface, address, patience).map_err(Trouble::failed)? {
            Answer::Free => Ok(()),
            Answer::Taken(mac) => Err(Trouble::Failed(format!(
                "{address} is in use on network {}, by the host with the hardware address {mac}",
                self.network.name.as_str()
            ))),
        }
    }

    fn announce(&self, task: &Task<'_>, interface: &Interface) -> Result<(), Trouble> {
        let permits = Arc::clone(&task.host.permits);
        // A host that was frozen must not draw traffic once its lease is over.
        let is_ours = move || now() < permits.standing().1;
        let announcement = Announcement::begin(interface, self.address.address, is_ours);
        let announcement = announcement
            .map_err(|error| Trouble::Failed(format!("cannot announce it on {}: {error}", interface.name)))?;
        task.host.keep_announcing(task.key, announcement);
        Ok(())
    }

    fn remove(&self, task: &Task<'_>) -> Result<(), Trouble> {
        task.host.fall_silent(task.key);
        let mut netlink = Netlink::open()?;
        for held in netlink.holders(self.address.address)? {
            netlink.remove(held.interface, held.address)?;
        }
        Ok(())
    }
}

impl Driver for ServiceAddressDriver {
    fn verify(&self) -> Vec<String> {
        let interface =
            Netlink::open().map_err(Trouble::from).and_then(|mut netlink| self.interface(&mut netlink));
        match interface {
            Ok(_) => Vec::new(),
            Err(Trouble::Failed(why)) => vec![why],
            Err(Trouble::Stale | Trouble::TimedOut) => Vec::new(),
        }
    }

    fn start(&self, task: &Task<'_>, clearance: &Clearance) -> Result<(), Trouble> {
        let mut netlink = Netlink::open()?;
        let interface = self.interface(&mut netlink)?;
        let (here, elsewhere): (Vec<_>, Vec<_>) = netlink
            .holders(self.address.address)?
            .into_iter()
            .partition(|held| held.interface == interface.index);
        for held in elsewhere {
            netlink.remove(held.interface, held.address)?;
        }
        if here.is_empty() {
            self.ask(&interface, task.host.settings.address_probe)?;
        }
        clearance.check()?;
        netlink.add(interface.index, self.address)?;
        self.announce(task, &interface)
    }

    fn stop(&self, task: &Task<'_>) -> Result<(), Trouble> {
        self.remove(task)
    }

    fn kill(&self, task: &Task<'_>) -> Result<(), Trouble> {
        self.remove(task)
    }

    fn probe(&self, _: &Task<'_>) -> Result<Activity, Trouble> {
        match Netlink::open()?.holders(self.address.address)?.is_empty() {
            true => Ok(Activity::Inactive),
            false => Ok(Activity::Active),
        }
    }

    fn monitor(&self, _: &Task<'_>) -> Result<(), Trouble> {
        let mut netlink = Netlink::open()?;
        let holders = netlink.holders(self.address.address)?;
        let interfaces = netlink.interfaces()?;
        let holds = |interface: &&Interface| holders.iter().any(|held| held.interface == interface.index);
        let its: Vec<&Interface> = interfaces.iter().filter(holds).collect();
        match its.iter().find(|interface| interface.carrier).or(its.first()) {
            Some(interface) if interface.carrier => Ok(()),
            Some(interface) => {
                Err(Trouble::Failed(format!("its interface {} has no carrier", interface.name)))
            }
            None => Err(Trouble::Failed(format!("{} is on no interface", self.address))),
        }
    }
}

impl From<NetlinkError> for Trouble {
    fn from(error: NetlinkError) -> Trouble {
        Trouble::failed(error)
    }
}
