//! Group Services as one node sees it, for people and programs that look.

use crate::domain::{Attributes, ProviderId};
use phalanx_types::{NodeId, Span};
use serde::Serialize;
use std::collections::BTreeMap;

/// The domain, and every group in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DomainOutlook {
    /// The node that answers.
    pub node: NodeId,
    /// Whether its copy of the domain is everybody's; if not it waits for that of another.
    pub in_step: bool,
    /// The lowest member whose domain went on into this view: all others have it from there. None without a view.
    pub established_by: Option<NodeId>,
    /// Clients of this node that are providers or subscribers.
    pub clients: usize,
    /// Every group, by name.
    pub groups: BTreeMap<String, GroupOutlook>,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupOutlook {
    /// Its providers, who joined first first.
    pub providers: Vec<ProviderOutlook>,
    /// How many of them are on the node that answers.
    pub local_providers: usize,
    /// How many clients of that node are subscribed to it.
    pub local_subscribers: usize,
    /// The group state value, as hexadecimal digits.
    pub state: String,
    /// Its attributes.
    pub attributes: Attributes,
    /// The number of its last protocol.
    pub protocols: u64,
    /// The protocol under way, if there is one.
    pub protocol: Option<ProtocolOutlook>,
    /// Membership changes whose turn has not come.
    pub waiting: usize,
}

/// One provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProviderOutlook {
    /// Its instance number, unique in the group on its node.
    pub instance: i16,
    /// Its node.
    pub node: NodeId,
    /// What it calls itself.
    pub name: String,
}

/// A protocol that is voted on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProtocolOutlook {
    /// Its number.
    pub number: u64,
    /// What it changes, in a word: `join`, `failure-leave`, `leave`, `expel`, `cast-out`, `state`, `attributes`, `message`,
    /// `reflection`.
    pub kind: &'static str,
    /// Which phase, from 1.
    pub phase: u32,
    /// How long a phase may last.
    pub limit: Span,
    /// Whose votes are here.
    pub voted: Vec<ProviderId>,
    /// Whose are not.
    pub missing: Vec<ProviderId>,
}
