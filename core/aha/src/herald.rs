//! What happens in the cluster, as records of event producers tell it: which nodes are members, whether they have the quorum, what becomes
//! of groups on this node. It reads the notes that everybody reads.

use crate::producer::Producer;
use crate::record::{Moment, Occurrence};
use crate::tree::Object;
use phalanx_events::{ManagerNote, MembershipNote, Note};
use phalanx_types::{ClusterId, GroupName, Incarnation, NodeId, View};
use std::collections::BTreeSet;

/// Hears notes, and says what programs are told.
#[derive(Clone, Debug)]
pub struct Herald {
    cluster: ClusterId,
    me: NodeId,
    /// The members of the last view.
    members: BTreeSet<Incarnation>,
    /// Whether that was primary; at first nobody knows.
    primary: Option<bool>,
}

impl Herald {
    /// One that has heard nothing yet.
    pub fn new(cluster: ClusterId, me: NodeId) -> Herald {
        Herald { cluster, me, members: BTreeSet::new(), primary: None }
    }

    /// What a note means for programs that wait for the cluster's events, in order.
    pub fn hear(&mut self, note: &Note, at: Moment) -> Vec<(Object, Occurrence)> {
        let told = match note {
            Note::Membership(MembershipNote::ViewInstalled { view, .. }) => self.view(view),
            Note::Manager(ManagerNote::GroupChanged { group, to, .. }) => vec![self.group(group, to)],
            // All else is in the event log.
            Note::Membership(_) | Note::Manager(_) => Vec::new(),
        };
        let occurrence = |info| Occurrence { at, code: crate::code::CLUSTER_EVENT, cause: None, info };
        told.into_iter().map(|(producer, info)| (producer.event(), occurrence(info))).collect()
    }

    /// Who went is told before who came: a node that is back in another life did both.
    fn view(&mut self, view: &View) -> Vec<(Producer, Vec<String>)> {
        let members: BTreeSet<Incarnation> = view.members.values().map(|member| member.incarnation).collect();
        let mut told = Vec::new();
        let node = |life: &Incarnation, what| (Producer::NodeState, self.info(what, None, life.node));
        told.extend(self.members.difference(&members).map(|life| node(life, "NODE_DOWN")));
        told.extend(members.difference(&self.members).map(|life| node(life, "NODE_UP")));
        if self.primary != Some(view.primary) {
            let what = if view.primary { "QUORUM_UP" } else { "QUORUM_DOWN" };
            told.push((Producer::QuorumState, self.info(what, None, self.me)));
        }
        (self.members, self.primary) = (members, Some(view.primary));
        told
    }

    fn group(&self, group: &GroupName, to: &str) -> (Producer, Vec<String>) {
        let what = format!("RG_{}", to.to_uppercase());
        (Producer::GroupState, self.info(&what, Some(format!("GROUP_NAME={group}")), self.me))
    }

    /// The lines of a record, in the order of AIX: what, further keys, and always which node of which cluster.
    fn info(&self, what: &str, further: Option<String>, node: NodeId) -> Vec<String> {
        let mut info = vec![format!("EVENT_TYPE={what}")];
        info.extend(further);
        let cluster: String = self.cluster.0.iter().map(|byte| format!("{byte:02X}")).collect();
        let NodeId(number) = node;
        info.extend([
            format!("NODE_NUMBER={number}"),
            format!("NODE_ID=0x{number:X}"),
            format!("CLUSTER_ID=0x{cluster}"),
        ]);
        info
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_types::{BootId, Member, OwnershipEpoch, ViewId};

    fn life((node, start): (u16, u64)) -> Incarnation {
        Incarnation { node: NodeId(node), start }
    }

    fn view(lives: &[(u16, u64)], primary: bool) -> Note {
        let member = |one| Member { incarnation: life(one), boot: BootId([0; 16]), counts: true };
        let members = lives.iter().map(|one| (NodeId(one.0), member(*one))).collect();
        let view = View { id: ViewId::NONE, members, primary };
        MembershipNote::ViewInstalled { view, previous: ViewId::NONE, transitional: BTreeSet::new() }.into()
    }

    fn check(herald: &mut Herald, note: &Note, expected: &[&str]) {
        let told = herald.hear(note, Moment::default());
        let short = |(object, what): &(Object, Occurrence)| {
            format!("{} {}", object.producer.name(), what.info[..what.info.len() - 2].join(" "))
        };
        assert_eq!(told.iter().map(short).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn nodes_come_and_go_with_views_and_a_new_life_is_both() {
        let mut herald = Herald::new(ClusterId([0xab; 16]), NodeId(1));
        let up = |node| format!("nodeState EVENT_TYPE=NODE_UP NODE_NUMBER={node}");
        let down = |node| format!("nodeState EVENT_TYPE=NODE_DOWN NODE_NUMBER={node}");
        let quorum = |what| format!("quorumState EVENT_TYPE=QUORUM_{what} NODE_NUMBER=1");
        check(&mut herald, &view(&[(1, 1)], false), &[&up(1), &quorum("DOWN")]);
        check(&mut herald, &view(&[(1, 1), (2, 5), (3, 1)], true), &[&up(2), &up(3), &quorum("UP")]);
        check(&mut herald, &view(&[(1, 1), (2, 6), (3, 1)], true), &[&down(2), &up(2)]);
        check(&mut herald, &view(&[(1, 1), (2, 6), (3, 1)], true), &[]);
        check(&mut herald, &view(&[(1, 1)], false), &[&down(2), &down(3), &quorum("DOWN")]);
    }

    #[test]
    fn a_group_is_told_by_its_name_and_every_record_names_node_and_cluster() {
        let mut herald = Herald::new(ClusterId([0xab; 16]), NodeId(26));
        let changed = ManagerNote::GroupChanged {
            group: "shop".parse().unwrap(),
            epoch: OwnershipEpoch(4),
            from: "acquiring",
            to: "online",
            cause: String::new(),
        };
        let [(object, what)] = &herald.hear(&changed.into(), Moment::default())[..] else {
            panic!("one record")
        };
        assert_eq!(object, &Producer::GroupState.event());
        let cluster = format!("CLUSTER_ID=0x{}", "AB".repeat(16));
        let expected =
            ["EVENT_TYPE=RG_ONLINE", "GROUP_NAME=shop", "NODE_NUMBER=26", "NODE_ID=0x1A", cluster.as_str()];
        assert_eq!(what.info, expected);
    }
}
