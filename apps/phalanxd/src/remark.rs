//! What the daemon itself has to say, beside the notes of its core.

use phalanx_api::Level;
use phalanx_drivers::{Contest, Key};
use phalanx_providers::Deactivated;
use phalanx_types::{GroupName, Incarnation, ResourceName, Span};
use serde::Serialize;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// A remark of the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "note", rename_all = "kebab-case")]
pub enum Remark {
    /// A life began.
    Started {
        /// Which.
        life: Incarnation,
        /// The program's version.
        version: &'static str,
    },
    /// The main thread is not real-time.
    NotRealtime {
        /// What the kernel said.
        why: String,
    },
    /// The process is not locked in memory.
    NotLocked {
        /// What the kernel said.
        why: String,
    },
    /// The daemon stood still; a note of its core said so before.
    StoodStill {
        /// For how long, beyond what was due.
        gap: Span,
        /// How much of that the hypervisor may have stolen, if the kernel says.
        stolen: Option<Span>,
    },
    /// No deadman guards this node.
    Unguarded {
        /// Why.
        why: String,
    },
    /// The deadman guards this node.
    Guarded,
    /// Half of the nodes could not claim at the tie-breaker that it goes on.
    TieBreakerAils {
        /// Why.
        why: String,
    },
    /// It could again.
    TieBreakerWell,
    /// An own address is not on this host yet.
    AddressMissing {
        /// The address.
        address: SocketAddr,
    },
    /// An own address has come.
    AddressThere {
        /// The address.
        address: SocketAddr,
    },
    /// A host that is not of this cluster has a service address.
    AddressConflict {
        /// The group.
        group: GroupName,
        /// The address's name.
        resource: ResourceName,
        /// The address.
        address: IpAddr,
        /// Where it was heard.
        interface: String,
        /// Its hardware address.
        mac: String,
    },
    /// A node that provably has no right to a service address any more still answers for it.
    AddressContested {
        /// The group.
        group: GroupName,
        /// The address's name.
        resource: ResourceName,
        /// The address.
        address: IpAddr,
        /// Where it was heard.
        interface: String,
        /// Its hardware address.
        mac: String,
        /// The node.
        node: String,
    },
    /// Two daemons have one identity.
    Twin {
        /// The node that exists twice.
        node: String,
    },
    /// Somebody asks for a change.
    Asked {
        /// Who.
        by: String,
        /// What.
        ask: String,
    },
    /// The order to stop came.
    Stopping {
        /// From where.
        by: String,
    },
    /// This life is over.
    Ended {
        /// Why.
        why: String,
    },
    /// A client of Group Services was dropped, and its providers fail.
    ClientDropped {
        /// Which.
        client: String,
        /// What it did.
        why: &'static str,
    },
    /// A client's providers were expelled from a group or failed there, and its deactivate command was to run.
    Deactivated {
        /// The group.
        group: String,
        /// The client.
        client: String,
        /// Whether the command exited with 0 in time.
        well: bool,
        /// How it went.
        how: String,
    },
    /// The event file system is not mounted.
    NoEventFs {
        /// Where it was to be.
        place: PathBuf,
        /// Why not.
        why: String,
    },
    /// Events came faster than they could be written.
    EventsLost {
        /// How many are missing.
        count: u64,
    },
}

impl Remark {
    /// Another host has a service address.
    pub fn contested(key: Key, contest: Contest) -> Remark {
        let Key { group, resource } = key;
        let Contest { address, interface, mac, node } = contest;
        let mac = mac.to_string();
        match node {
            Some(node) => Remark::AddressContested { group, resource, address, interface, mac, node },
            None => Remark::AddressConflict { group, resource, address, interface, mac },
        }
    }

    /// A deactivate command ended.
    pub fn deactivated(how: Deactivated) -> Remark {
        let Deactivated { group, client, well, how } = how;
        Remark::Deactivated { group: group.to_string(), client, well, how }
    }

    /// How urgent it is.
    pub fn level(&self) -> Level {
        match self {
            Remark::Started { .. }
            | Remark::Guarded
            | Remark::TieBreakerWell
            | Remark::AddressThere { .. }
            | Remark::Asked { .. }
            | Remark::Stopping { .. }
            | Remark::Deactivated { well: true, .. }
            | Remark::Ended { .. } => Level::Info,
            Remark::NotRealtime { .. }
            | Remark::NotLocked { .. }
            | Remark::StoodStill { .. }
            | Remark::AddressMissing { .. }
            | Remark::ClientDropped { .. }
            | Remark::Deactivated { well: false, .. }
            | Remark::EventsLost { .. } => Level::Warn,
            Remark::Unguarded { .. }
            | Remark::TieBreakerAils { .. }
            | Remark::NoEventFs { .. }
            | Remark::Twin { .. }
            | Remark::AddressConflict { .. }
            | Remark::AddressContested { .. } => Level::Error,
        }
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Remark::Started { version, .. } => write!(f, "phalanxd {version} started"),
            Remark::NotRealtime { why } => {
                write!(f, "not real-time ({why}): beats may be late when this host is busy")
            }
            Remark::NotLocked { why } => {
                write!(f, "not locked in memory ({why}): beats may be late when memory is short")
            }
            Remark::StoodStill { gap, stolen: Some(Span::ZERO) } => {
                write!(f, "none of the {gap} was stolen by a hypervisor: look for what kept this host busy")
            }
            Remark::StoodStill { gap, stolen: Some(stolen) } => {
                write!(f, "of the {gap} the hypervisor stole up to {stolen}: its host is overcommitted")
            }
            Remark::StoodStill { gap, stolen: None } => {
                write!(f, "the kernel does not say whether a hypervisor stole the {gap}")
            }
            Remark::Unguarded { why } => write!(f, "{why}: without it this node takes no lease and no group"),
            Remark::Guarded => write!(f, "the deadman guards this node"),
            Remark::TieBreakerAils { why } => {
                write!(f, "PHX-E013 the tie-breaker ails: {why}: as it is, half of the nodes could not go on")
            }
            Remark::TieBreakerWell => write!(f, "the tie-breaker is well again"),
            Remark::AddressMissing { address } => write!(f, "own address {address} is not on this host yet"),
            Remark::AddressThere { address } => write!(f, "own address {address} is there now"),
            Remark::AddressConflict { group, resource, address, interface, mac } => write!(
                f,
                "PHX-E005 {group}: {resource} ({address}) is in use on {interface} by {mac}, which is no node of this cluster: take it off there"
            ),
            Remark::AddressContested { group, resource, address, interface, mac, node } => write!(
                f,
                "PHX-E006 {group}: {resource} ({address}) is still held by {node} ({mac} on {interface}), whose time is over: taken over by announcing; switch {node} off"
            ),
            Remark::Twin { node } => write!(
                f,
                "two hosts have the identity of {node}: one of them runs a copy of its state directory; stop that one and remove its state directory, then restart phalanxd on the other one"
            ),
            Remark::Asked { by, ask } => write!(f, "{by} asks: {ask}"),
            Remark::Stopping { by } => write!(f, "told to stop by {by}: groups move away first"),
            Remark::Ended { why } => write!(f, "ended: {why}"),
            Remark::ClientDropped { client, why } => {
                write!(f, "the client {client} of Group Services {why}: dropped, and its providers fail")
            }
            Remark::Deactivated { group, client, how, .. } => {
                write!(f, "{client} is out of {group}; its deactivate command: {how}")
            }
            Remark::NoEventFs { place, why } => {
                write!(f, "PHX-E014 no event file system at {}: {why}", place.display())
            }
            Remark::EventsLost { count } => write!(f, "{count} events were not written: too many at once"),
        }
    }
}
