//! The groups that are always there, kept by Group Services itself: they are subscribed to and never joined.
//!
//! Their members are no clients: the nodes of the view, or those of them whose adapter on a network is up.

use super::name::{Name, ProviderId};
use phalanx_types::Incarnation;
use std::collections::BTreeSet;

const OWN: &str = "phalanx";
const HOSTS: &str = "HostMembership";
const ADAPTERS: &str = "AdapterMembership.";
/// The instance number of a node or of its adapter: each has one in such a group.
const INSTANCE: i16 = 0;

/// The group whose members are the nodes of the view.
pub fn host_membership() -> Name {
    Name::new(HOSTS).expect("it is a name")
}

/// The group whose members are the nodes whose adapter on `network` is up. None if that network's name is too long for the
/// name of a group.
pub fn adapter_membership(network: &str) -> Option<Name> {
    Name::new(&format!("{ADAPTERS}{network}")).ok()
}

/// The cluster manager's own group. No client sees it.
pub(crate) fn own_group() -> Name {
    Name::new(OWN).expect("it is a name")
}

/// Whether a group is one of these, so that nobody joins it.
pub(crate) fn is_reserved(group: &Name) -> bool {
    [HOSTS, OWN].contains(&group.as_str()) || group.as_str().starts_with(ADAPTERS)
}

/// These lives as members of such a group.
pub(crate) fn as_members(lives: &BTreeSet<Incarnation>) -> BTreeSet<ProviderId> {
    lives.iter().map(|life| ProviderId { life: *life, instance: INSTANCE }).collect()
}
