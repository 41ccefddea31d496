//! An adapter membership group: the lives whose adapters on one path are in one ring, in the order of their addresses.

use phalanx_types::{Incarnation, NodeId, NodeSet, Seat};
use phalanx_wire::RingId;

/// A group. Its last member, the one with the highest address, leads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    id: RingId,
    members: Vec<Incarnation>,
}

impl Group {
    /// The group of one.
    pub fn alone(me: Incarnation, instance: u64) -> Group {
        Group { id: RingId { leader: me, instance }, members: vec![me] }
    }

    /// The group of these, if they stand in the order of `order` and the leader is the last of them.
    pub fn of(id: RingId, members: Vec<Incarnation>, order: &[Seat]) -> Option<Group> {
        let places: Option<Vec<usize>> = members.iter().map(|life| place(order, life.node)).collect();
        let in_order = places.is_some_and(|places| places.is_sorted_by(|one, next| one < next));
        (in_order && members.last() == Some(&id.leader)).then_some(Group { id, members })
    }

    /// Its name.
    pub fn id(&self) -> RingId {
        self.id
    }

    /// Who leads it.
    pub fn leader(&self) -> Incarnation {
        self.id.leader
    }

    /// Its members by address.
    pub fn members(&self) -> &[Incarnation] {
        &self.members
    }

    /// The nodes of its members.
    pub fn nodes(&self) -> NodeSet {
        self.members.iter().map(|life| life.node).collect()
    }

    /// Whether this very life is a member.
    pub fn has(&self, life: Incarnation) -> bool {
        self.members.contains(&life)
    }

    /// The member that this node is in.
    pub fn life_of(&self, node: NodeId) -> Option<Incarnation> {
        self.members.iter().copied().find(|life| life.node == node)
    }

    /// Whether it is a group of one.
    pub fn is_alone(&self) -> bool {
        self.members.len() == 1
    }

    /// Those above `me`, the leader first and the crown prince next.
    pub fn above(&self, me: Incarnation) -> impl Iterator<Item = Incarnation> {
        self.members.iter().rev().copied().take_while(move |life| *life != me)
    }

    /// The member that `me` watches: the next lower address; of the lowest, the leader.
    pub fn watched_by(&self, me: Incarnation) -> Option<Incarnation> {
        self.neighbour(me, self.members.len() - 1)
    }

    /// The member that `me` sends heartbeats to: the one that watches it.
    pub fn watcher_of(&self, me: Incarnation) -> Option<Incarnation> {
        self.neighbour(me, 1)
    }

    fn neighbour(&self, me: Incarnation, step: usize) -> Option<Incarnation> {
        let own = self.members.iter().position(|life| *life == me)?;
        let next = self.members[(own + step) % self.members.len()];
        (next != me).then_some(next)
    }

    /// Its members without those of `nodes`.
    pub fn without(&self, nodes: NodeSet) -> Vec<Incarnation> {
        self.members.iter().copied().filter(|life| !nodes.has(life.node)).collect()
    }
}

/// Where a node's address stands among those of its path.
pub(crate) fn place(order: &[Seat], node: NodeId) -> Option<usize> {
    order.iter().position(|other| other.node == node)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use phalanx_types::Segment;

    /// Nodes in the order of their addresses, all in one subnet.
    pub fn seats(nodes: impl IntoIterator<Item = NodeId>) -> Vec<Seat> {
        nodes.into_iter().map(|node| Seat { node, segment: Segment(0) }).collect()
    }

    pub fn life(node: u16) -> Incarnation {
        Incarnation { node: NodeId(node), start: 1 }
    }

    fn group(nodes: &[u16]) -> Option<Group> {
        let order = seats([3, 1, 2].map(NodeId));
        let id = RingId { leader: life(2), instance: 1 };
        Group::of(id, nodes.iter().map(|node| life(*node)).collect(), &order)
    }

    #[test]
    fn it_stands_in_the_order_of_addresses_and_its_last_member_leads() {
        assert!(group(&[3, 1, 2]).is_some());
        for wrong in [&[1, 3, 2][..], &[3, 1], &[3, 3, 2], &[4, 2], &[]] {
            assert_eq!(group(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn each_watches_the_next_lower_and_the_lowest_the_leader() {
        let group = group(&[3, 1, 2]).unwrap();
        for (watcher, watched) in [(1, 3), (2, 1), (3, 2)] {
            assert_eq!(group.watched_by(life(watcher)), Some(life(watched)));
            assert_eq!(group.watcher_of(life(watched)), Some(life(watcher)));
        }
        assert_eq!(Group::alone(life(1), 1).watched_by(life(1)), None);
        assert_eq!(group.above(life(3)).collect::<Vec<_>>(), [life(2), life(1)]);
    }
}
