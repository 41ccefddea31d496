//! The networks: for each, and each direction between two nodes, whether a frame arrives, when, and how often.
//!
//! Troubles are laid over the networks and taken off again in any order; what a link does is the worst of them. A link
//! keeps the order of its frames unless a trouble says otherwise.

use crate::random::{Random, Stream};

/// Nodes by bit: node 1 is bit 0.
pub type NodeMask = u8;

/// Names a trouble, so that it can be taken off.
pub type TroubleId = u32;

/// What one direction of one link does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Nothing passes.
    pub cut: bool,
    /// Frames lost of a million.
    pub loss: u32,
    /// Frames that arrive twice of a million.
    pub duplicate: u32,
    /// The shortest way, in nanoseconds.
    pub delay: u64,
    /// What may be added to that.
    pub jitter: u64,
    /// Whether frames may overtake each other.
    pub reorder: bool,
    /// The largest frame that passes, in bytes.
    pub largest: u32,
    /// Nothing arrives before this: what is sent meanwhile is held and comes all at once.
    pub held_until: u64,
}

/// A quiet switch.
pub const QUIET: Link = Link {
    cut: false,
    loss: 0,
    duplicate: 0,
    delay: 60_000,
    jitter: 140_000,
    reorder: false,
    largest: u32::MAX,
    held_until: 0,
};

/// A trouble of all links on some networks from some nodes to some nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Networks by bit.
    pub networks: u8,
    /// The senders.
    pub from: NodeMask,
    /// The receivers.
    pub to: NodeMask,
    /// What the links do at least.
    pub link: Link,
}

/// When a frame arrives: never, once or twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// The first arrival.
    pub first: Option<u64>,
    /// The duplicate's.
    pub second: Option<u64>,
}

/// All networks.
pub struct Net {
    nodes: usize,
    links: Vec<Link>,
    /// When the last frame on each link arrives, to keep the order.
    last: Vec<u64>,
    troubles: Vec<(TroubleId, Trouble)>,
    random: Random,
}

impl Link {
    /// Nothing passes.
    pub const CUT: Link = Link { cut: true, ..QUIET };

    /// Whether what it carries is lost, late or out of order now and then.
    fn is_noisy(self) -> bool {
        let held = self.held_until > 0;
        held || self.loss > 0 || self.reorder || (self.delay, self.jitter) != (QUIET.delay, QUIET.jitter)
    }

    fn worst(self, other: Link) -> Link {
        Link {
            cut: self.cut | other.cut,
            loss: self.loss.max(other.loss),
            duplicate: self.duplicate.max(other.duplicate),
            delay: self.delay.max(other.delay),
            jitter: self.jitter.max(other.jitter),
            reorder: self.reorder | other.reorder,
            largest: self.largest.min(other.largest),
            held_until: self.held_until.max(other.held_until),
        }
    }
}

impl Trouble {
    fn concerns(&self, network: usize, from: usize, to: usize) -> bool {
        self.networks >> network & 1 == 1 && self.from >> from & 1 == 1 && self.to >> to & 1 == 1
    }
}

impl Net {
    /// Quiet networks between all nodes.
    pub fn new(seed: u64, nodes: usize, networks: usize) -> Net {
        let count = networks * nodes * nodes;
        let random = Random::new(seed, Stream::Net);
        Net { nodes, links: vec![QUIET; count], last: vec![0; count], troubles: Vec::new(), random }
    }

    fn index(&self, network: usize, from: usize, to: usize) -> usize {
        (network * self.nodes + from) * self.nodes + to
    }

    /// What becomes of a frame of so many bytes sent now. Nodes count from 0 here.
    pub fn fate(&mut self, network: usize, from: usize, to: usize, bytes: usize, now: u64) -> Fate {
        let index = self.index(network, from, to);
        let link = self.links[index];
        if link.cut || bytes > link.largest as usize || self.random.chance(link.loss) {
            return Fate::default();
        }
        let mut arrival = now.max(link.held_until) + link.delay + self.random.below(link.jitter);
        if !link.reorder {
            arrival = arrival.max(self.last[index] + 1);
            self.last[index] = arrival;
        }
        let duplicate = self.random.chance(link.duplicate);
        Fate { first: Some(arrival), second: duplicate.then_some(arrival + link.delay) }
    }

    /// When a router on a network answers a frame of so many bytes from a node: it hangs on the switch, so it is reached as
    /// well as any other node is, alive or not.
    pub fn echo(&mut self, network: usize, node: usize, bytes: usize, now: u64) -> Option<u64> {
        let whole = |net: &Net, one: usize, other: usize| !net.links[net.index(network, one, other)].cut;
        let others = (0..self.nodes).filter(|other| *other != node);
        let like = { others }.find(|other| whole(self, node, *other) && whole(self, *other, node))?;
        let there = self.fate(network, node, like, bytes, now).first?;
        self.fate(network, like, node, bytes, there).first
    }

    /// Lays troubles over the networks.
    pub fn lay(&mut self, id: TroubleId, troubles: &[Trouble]) {
        self.troubles.extend(troubles.iter().map(|trouble| (id, *trouble)));
        self.recompute();
    }

    /// Takes them off again.
    pub fn lift(&mut self, id: TroubleId) {
        self.troubles.retain(|(laid, _)| *laid != id);
        self.recompute();
    }

    /// From now on every frame takes so long and none is lost, until a trouble is laid or lifted.
    pub fn pace(&mut self, delay: u64) {
        self.links.fill(Link { delay, jitter: 0, ..QUIET });
    }

    /// Takes all off.
    pub fn calm(&mut self) {
        self.troubles.clear();
        self.recompute();
    }

    /// Whether chance decides of any link what passes, and when.
    pub fn is_noisy(&self) -> bool {
        self.links.iter().any(|link| !link.cut && link.is_noisy())
    }

    fn recompute(&mut self) {
        for index in 0..self.links.len() {
            let (to, rest) = (index % self.nodes, index / self.nodes);
            let (from, network) = (rest % self.nodes, rest / self.nodes);
            let concerned = self.troubles.iter().filter(|(_, trouble)| trouble.concerns(network, from, to));
            self.links[index] = concerned.fold(QUIET, |link, (_, trouble)| link.worst(trouble.link));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::MILLION;

    fn net(link: Link) -> Net {
        let mut net = Net::new(1, 3, 2);
        net.lay(1, &[Trouble { networks: 1, from: 0b001, to: 0b010, link }]);
        net
    }

    fn fates(net: &mut Net, network: usize, from: usize, to: usize) -> Vec<Fate> {
        (0..1_000).map(|tick| net.fate(network, from, to, 100, tick * 1_000)).collect()
    }

    #[test]
    fn full_loss_and_cuts_deliver_nothing_in_that_direction_only() {
        for link in [Link { loss: MILLION, ..QUIET }, Link::CUT] {
            let mut net = net(link);
            assert!(fates(&mut net, 0, 0, 1).iter().all(|fate| fate.first.is_none()));
            assert!(fates(&mut net, 0, 1, 0).iter().all(|fate| fate.first.is_some()));
            assert!(fates(&mut net, 1, 0, 1).iter().all(|fate| fate.first.is_some()));
        }
    }

    #[test]
    fn a_hole_swallows_large_frames_only() {
        let mut net = net(Link { largest: 600, ..QUIET });
        assert!(net.fate(0, 0, 1, 601, 0).first.is_none());
        assert!(net.fate(0, 0, 1, 600, 0).first.is_some());
        assert!(net.fate(0, 1, 0, 601, 0).first.is_some());
        assert!(!net.is_noisy(), "what passes is no matter of chance");
    }

    #[test]
    fn what_is_held_comes_all_at_once_and_in_order() {
        let mut net = net(Link { held_until: 5_000_000, ..QUIET });
        let fates = fates(&mut net, 0, 0, 1);
        assert!(fates.iter().all(|fate| fate.first.is_some_and(|at| (5_000_000..6_000_000).contains(&at))));
        assert!(fates.is_sorted_by_key(|fate| fate.first));
        assert!(net.is_noisy());
    }

    #[test]
    fn duplicates_come_after_the_first() {
        let fates = fates(&mut net(Link { duplicate: MILLION, ..QUIET }), 0, 0, 1);
        assert!(fates.iter().all(|fate| fate.second > fate.first));
    }

    #[test]
    fn order_is_kept_unless_trouble_says_otherwise() {
        let in_order = |fates: &[Fate]| fates.is_sorted_by_key(|fate| fate.first);
        assert!(in_order(&fates(&mut net(QUIET), 0, 0, 1)));
        assert!(!in_order(&fates(&mut net(Link { reorder: true, ..QUIET }), 0, 0, 1)));
    }

    #[test]
    fn a_router_answers_whose_adapter_carries_both_ways() {
        let mut net = net(Link::CUT);
        assert!(net.echo(0, 0, 100, 0).is_some_and(|at| at >= 2 * QUIET.delay));
        let deaf = Trouble { networks: 1, from: 0b110, to: 0b001, link: Link::CUT };
        net.lay(2, &[deaf]);
        assert_eq!(net.echo(0, 0, 100, 0), None);
        assert!(net.echo(0, 2, 100, 0).is_some() && net.echo(1, 0, 100, 0).is_some());
    }

    #[test]
    fn troubles_add_up_and_come_off_in_any_order() {
        let mut net = net(Link::CUT);
        net.lay(2, &[Trouble { networks: 3, from: 7, to: 7, link: Link { delay: 9_000_000, ..QUIET } }]);
        net.lift(1);
        assert!(net.fate(0, 0, 1, 100, 0).first.is_some_and(|at| at >= 9_000_000));
        net.lift(2);
        assert_eq!(net.links, vec![QUIET; 18]);
    }
}
