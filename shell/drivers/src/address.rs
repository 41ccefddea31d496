//! Service addresses: an alias on an interface of their network, announced to the neighbours.

use crate::contest::Question;
use crate::driver::{Activity, Driver, Task, Trouble};
use crate::host::{Key, Report, Reporter};
use phalanx_exec::{Clearance, Permits};
use phalanx_host::now;
use phalanx_model::{Address, Cluster, Network, ServiceAddress};
use phalanx_netlink::{Announcement, Claim, Interface, Netlink, NetlinkError, services};
use phalanx_types::{OperationResult, Span};
use std::sync::Arc;

/// How long the network is listened to once the address is up: nobody waits for this.
const CONTEST_PATIENCE: Span = Span::from_millis(300);

/// The driver of one service address.
pub(crate) struct ServiceAddressDriver<'a> {
    service: &'a ServiceAddress,
    address: Address,
    network: &'a Network,
    cluster: &'a Cluster,
}

/// An address that is up, as its announcement sees it.
struct Held {
    question: Question,
    key: Key,
    permits: Arc<Permits>,
    report: Reporter,
}

impl Claim for Held {
    /// A host that was frozen must not draw traffic once its lease is over.
    fn is_ours(&self) -> bool {
        now() < self.permits.standing().1
    }

    /// A node that has lost its right is contradicted for as long as it takes; a stranger is told of.
    fn is_contested(&self) -> bool {
        let Ok(Some(contest)) = self.question.ask(CONTEST_PATIENCE) else { return false };
        let is_node = contest.node.is_some();
        (self.report)(Report::Contested { key: self.key.clone(), contest });
        is_node
    }
}

impl<'a> ServiceAddressDriver<'a> {
    pub(crate) fn new(service: &'a ServiceAddress, cluster: &'a Cluster) -> ServiceAddressDriver<'a> {
        let network = cluster.networks.get(&service.network).expect("a cluster's references resolve");
        ServiceAddressDriver { service, address: service.address, network, cluster }
    }

    /// The interface it belongs on: one of its network, with a carrier.
    fn interface(&self, netlink: &mut Netlink) -> Result<Interface, Trouble> {
        let mut interfaces = netlink.interfaces_on(self.address.subnet(), &services(self.cluster))?;
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

    fn announce(&self, task: &Task<'_>, netlink: &mut Netlink, interface: &Interface) -> Result<(), Trouble> {
        let question = Question::new(netlink, interface, self.service, self.cluster)?;
        let (permits, report) = (Arc::clone(&task.host.permits), Arc::clone(&task.host.report));
        let held = Held { question, key: task.key.clone(), permits, report };
        let announcement = Announcement::begin(interface, self.address.address, held);
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

impl Driver for ServiceAddressDriver<'_> {
    fn verify(&self) -> Vec<String> {
        let interface =
            Netlink::open().map_err(Trouble::from).and_then(|mut netlink| self.interface(&mut netlink));
        match interface {
            Ok(_) => Vec::new(),
            Err(Trouble::Failed(why)) => vec![why],
            Err(Trouble::Stale | Trouble::TimedOut) => Vec::new(),
        }
    }

    /// Asks the network whether a stranger has it. A node of the cluster that still has it is no obstacle: it lets go, or
    /// has lost its right before this is started.
    fn scout(&self, task: &Task<'_>) -> Result<(), Trouble> {
        let mut netlink = Netlink::open()?;
        let patience = task.host.settings.address_probe;
        // Where it cannot be put, or is already, there is nothing to ask: the start says what is wrong.
        let Ok(interface) = self.interface(&mut netlink) else { return Ok(()) };
        if patience == Span::ZERO || !netlink.holders(self.address.address)?.is_empty() {
            return Ok(());
        }
        let question = Question::new(&mut netlink, &interface, self.service, self.cluster)?;
        match question.ask(patience).map_err(Trouble::failed)? {
            Some(contest) if contest.node.is_none() => {
                let why = contest.to_string();
                (task.host.report)(Report::Contested { key: task.key.clone(), contest });
                Err(Trouble::Failed(why))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn start(&self, task: &Task<'_>, clearance: &Clearance) -> Result<OperationResult, Trouble> {
        let mut netlink = Netlink::open()?;
        let interface = self.interface(&mut netlink)?;
        let mut elsewhere = netlink.holders(self.address.address)?;
        elsewhere.retain(|held| held.interface != interface.index);
        for held in elsewhere {
            netlink.remove(held.interface, held.address)?;
        }
        clearance.check()?;
        netlink.add(interface.index, self.address)?;
        self.announce(task, &mut netlink, &interface)?;
        Ok(OperationResult::Placed { interface: interface.name })
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
