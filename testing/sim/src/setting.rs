//! The cluster that a seed runs: its nodes, networks, timings and groups, and the cluster file that says the same.

use crate::net::NodeMask;
use crate::random::{Random, Stream};
use crate::resource::Kind;
use crate::wear::Wear;
use phalanx_model::Quorum;
use phalanx_oracle::Terms;
use phalanx_types::limits::CLAIM_LIMIT_DEFAULT;
use phalanx_types::{GroupName, Monitoring, NodeId, NodeSet, ResourceName, Span, TimingProfile, Timings};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::mem;

/// Fewest and most nodes.
pub const NODES: std::ops::RangeInclusive<usize> = 2..=7;
/// The same where the seed draws them: two nodes that both decide are no cluster yet.
const WIDE_NODES: std::ops::RangeInclusive<usize> = 3..=7;
/// Fewest and most networks.
pub const NETWORKS: std::ops::RangeInclusive<usize> = 1..=3;

/// The network that service addresses are on.
const SERVICE_NETWORK: usize = 0;

const GROUP_NAMES: [&str; 3] = ["shop", "mail", "news"];
/// Most subnets of one network.
const SUBNETS_MAX: u64 = 3;
/// A node's addresses on one network are so far apart.
const ADDRESSES_PER_ADAPTER: usize = 20;

/// What the command line fixes; the seed draws the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lite {
    /// How many nodes; drawn from 3 and 5 if not said.
    pub nodes: Option<usize>,
    /// How many networks; drawn from 1 and 2 if not said.
    pub networks: Option<usize>,
    /// The timing profile.
    pub timing: TimingProfile,
    /// How nodes watch each other.
    pub monitoring: Monitoring,
    /// Who decides.
    pub quorum: Quorum,
}

/// A resource group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: GroupName,
    /// Where it may run, best first.
    pub nodes: Vec<NodeId>,
    /// Whether it starts on its first node only.
    pub home_only: bool,
    /// Whether it returns to a better node.
    pub falls_back: bool,
    /// Its resources in starting order.
    pub resources: Vec<(ResourceName, Kind)>,
}

/// A cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// How many nodes; they are numbered from 1.
    pub nodes: usize,
    /// How many networks; they are numbered from 0.
    pub networks: usize,
    /// How many adapters each node has on each network.
    pub adapters: usize,
    /// What nodes are called, in the order of their numbers.
    pub node_names: Vec<String>,
    /// What networks are called.
    pub network_names: Vec<String>,
    /// Of networks of several subnets with routers between them: in which of those each node is, from 0.
    pub routed: BTreeMap<usize, Vec<u8>>,
    /// Whether each subnet has a router that its nodes may ask for an echo.
    pub targets: bool,
    /// The timing profile.
    pub timing: TimingProfile,
    /// How nodes watch each other.
    pub monitoring: Monitoring,
    /// How much longer than detection a silent node is waited for while its kernel answers echoes.
    pub grace: Option<Span>,
    /// Who decides.
    pub quorum: Quorum,
    /// Whether there is a tie-breaker.
    pub tie_breaker: bool,
    /// The resource groups.
    pub groups: Vec<Group>,
    /// What it has behind it.
    pub wear: Wear,
    /// Which kinds of faults there are.
    pub breadth: Breadth,
    /// Of which builds its daemons are.
    pub builds: Builds,
}

/// Of which builds the daemons of a cluster are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Builds {
    /// All of this one.
    Same,
    /// Each is of this one or of a later one whenever it starts, as in an upgrade that nobody finishes.
    Mixed,
}

/// Which kinds of faults a seed draws from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breadth {
    /// Those that there always were: seeds that once found something stay what they are.
    Usual,
    /// All.
    Wide,
}

impl Group {
    /// A group of an address, a file system and an application.
    pub fn new(name: &str, nodes: Vec<NodeId>, home_only: bool, falls_back: bool) -> Group {
        let named = |part: &str, kind| {
            let name = format!("{name}-{part}");
            (name.parse().expect("made of good parts"), kind)
        };
        let resources =
            vec![named("ip", Kind::Address), named("data", Kind::Disk), named("app", Kind::Application)];
        let name = name.parse().expect("our own names are good");
        Group { name, nodes, home_only, falls_back, resources }
    }

    /// Half of the groups lack one kind of resource: what one tells of the others has to be told otherwise.
    fn lose_some(&mut self, random: &mut Random) {
        let lost = match random.below(6) {
            0 => Some(Kind::Address),
            1 => Some(Kind::Disk),
            2 => Some(Kind::Application),
            _ => None,
        };
        self.resources.retain(|(_, kind)| Some(*kind) != lost);
    }
}

impl Lite {
    /// Nothing is fixed but what stands in a cluster file that says nothing.
    pub const DEFAULT: Lite = Lite {
        nodes: None,
        networks: None,
        timing: TimingProfile::Auto,
        monitoring: Monitoring::Mesh,
        quorum: Quorum::Majority,
    };
}

impl Setting {
    /// The cluster of this seed.
    pub fn draw(seed: u64, lite: Lite) -> Setting {
        let mut random = Random::new(seed, Stream::Shape);
        let nodes = lite.nodes.unwrap_or(if random.coin() { 3 } else { 5 });
        let networks = lite.networks.unwrap_or(1 + random.below(2) as usize);
        let count = random.between(1, GROUP_NAMES.len() as u64) as usize;
        let mut groups = Vec::new();
        for name in &GROUP_NAMES[..count] {
            let (first, some) = (random.below(nodes as u64), random.between(2, nodes as u64) as usize);
            let order = (0..nodes as u64).map(|step| NodeId(((first + step) % nodes as u64) as u16 + 1));
            let order = order.take(some).collect();
            groups.push(Group::new(name, order, random.coin(), random.coin()));
        }
        Setting {
            targets: random.coin(),
            timing: lite.timing,
            monitoring: lite.monitoring,
            quorum: lite.quorum,
            groups,
            ..Setting::numbered(nodes, networks)
        }
    }

    /// The same of any size and age, watching itself in either way, and with every kind of fault.
    pub fn draw_wide(seed: u64, lite: Lite) -> Setting {
        let mut random = Random::new(seed, Stream::Breadth);
        let wear = Wear::draw(&mut random);
        let mut any = |range: &std::ops::RangeInclusive<usize>| {
            let count = random.between(*range.start() as u64, *range.end() as u64) as usize;
            random.coin().then_some(count)
        };
        let (nodes, networks) = (lite.nodes.or(any(&WIDE_NODES)), lite.networks.or(any(&NETWORKS)));
        let mut ties = Random::new(seed, Stream::Ties);
        let tied = ties.below(4) == 0;
        let nodes = if tied && lite.nodes.is_none() && ties.coin() { Some(2) } else { nodes };
        let monitoring = if random.below(4) == 0 { Monitoring::Ring } else { lite.monitoring };
        let lite = Lite { nodes, networks, monitoring, ..lite };
        let mut setting =
            Setting { wear, breadth: Breadth::Wide, tie_breaker: tied, ..Setting::draw(seed, lite) };
        setting.groups.iter_mut().for_each(|group| group.lose_some(&mut random));
        if random.below(4) == 0 {
            setting.builds = Builds::Mixed;
        }
        setting.draw_routers(&mut random);
        if random.below(8) == 0 {
            setting.grace = Some(setting.timings().detect() / 2 * random.between(1, 8));
        }
        setting
    }

    /// In a quarter of the seeds some networks have two or three subnets. A group with an address stays in one of them.
    fn draw_routers(&mut self, random: &mut Random) {
        if random.below(4) > 0 {
            return;
        }
        let first = random.below(self.networks as u64) as usize;
        let networks: Vec<_> =
            (0..self.networks).filter(|network| *network == first || random.coin()).collect();
        for network in networks {
            let count = random.between(2, SUBNETS_MAX.min(self.nodes as u64));
            let shift = random.below(self.nodes as u64) as usize;
            let mut subnets: Vec<u8> = (0..self.nodes as u64)
                .map(|node| if node < count { node } else { random.below(count) } as u8)
                .collect();
            subnets.rotate_left(shift);
            self.routed.insert(network, subnets);
        }
        for mut group in mem::take(&mut self.groups) {
            if group.resources.iter().any(|(_, kind)| *kind == Kind::Address) {
                let home = self.subnet(SERVICE_NETWORK, group.nodes[0]);
                group.nodes.retain(|node| self.subnet(SERVICE_NETWORK, *node) == home);
            }
            self.groups.push(group);
        }
    }

    /// `nodes` nodes on `networks` networks at `auto`, with one group that may run anywhere.
    pub fn plain(nodes: usize, networks: usize) -> Setting {
        let order = (1..=nodes as u16).map(NodeId).collect();
        let groups = vec![Group::new(GROUP_NAMES[0], order, false, true)];
        Setting { groups, ..Setting::numbered(nodes, networks) }
    }

    /// The same without a group. Nodes and networks are called by their numbers.
    fn numbered(nodes: usize, networks: usize) -> Setting {
        let nodes_named = (1..=nodes).map(|node| format!("n{node}"));
        Setting::named(nodes_named.collect(), (0..networks).map(|network| format!("net{network}")).collect())
    }

    /// Nodes and networks of these names, at `auto`, without a group.
    pub fn named(node_names: Vec<String>, network_names: Vec<String>) -> Setting {
        Setting {
            nodes: node_names.len(),
            networks: network_names.len(),
            adapters: 1,
            node_names,
            network_names,
            routed: BTreeMap::new(),
            targets: false,
            timing: TimingProfile::Auto,
            monitoring: Monitoring::Mesh,
            grace: None,
            quorum: Quorum::Majority,
            tie_breaker: false,
            groups: Vec::new(),
            wear: Wear::default(),
            breadth: Breadth::Usual,
            builds: Builds::Same,
        }
    }

    /// How many ways there are for frames: each adapter of a node reaches those in the same place of the other nodes.
    pub fn lanes(&self) -> usize {
        self.networks * self.adapters
    }

    /// Which of them a network's adapter in this place is on.
    pub fn lane(&self, network: usize, adapter: usize) -> usize {
        network * self.adapters + adapter
    }

    /// Which of a network's subnets a node is in.
    pub fn subnet(&self, network: usize, node: NodeId) -> u8 {
        self.routed.get(&network).map_or(0, |subnets| subnets[usize::from(node.0) - 1])
    }

    /// The nodes in each subnet of a network.
    pub fn subnets(&self, network: usize) -> BTreeMap<u8, NodeSet> {
        let mut subnets: BTreeMap<u8, NodeSet> = BTreeMap::new();
        for node in self.node_ids() {
            let nodes = subnets.entry(self.subnet(network, node)).or_default();
            *nodes = nodes.with(node);
        }
        subnets
    }

    /// The same by bit, in a cluster that is small enough for that.
    pub fn sides(&self, network: usize) -> Vec<NodeMask> {
        let mask = |nodes: NodeSet| nodes.iter().fold(0, |mask, node| mask | 1 << (node.0 - 1));
        self.subnets(network).into_values().map(mask).collect()
    }

    /// What a node is called.
    pub fn name_of(&self, node: NodeId) -> &str {
        &self.node_names[usize::from(node.0) - 1]
    }

    /// Its timings.
    pub fn timings(&self) -> Timings {
        let timings = Timings::under(self.monitoring, self.timing);
        let timings = if self.tie_breaker { timings.with_tie_breaker(CLAIM_LIMIT_DEFAULT) } else { timings };
        timings.with_grace(self.grace.unwrap_or(Span::ZERO))
    }

    /// Its nodes.
    pub fn node_ids(&self) -> impl Iterator<Item = NodeId> {
        (1..=self.nodes as u16).map(NodeId)
    }

    /// What the oracle needs to know of it.
    pub fn terms(&self) -> Terms {
        let groups = self.groups.iter().map(|group| (group.name.clone(), group.nodes.clone())).collect();
        Terms { nodes: self.node_ids().collect(), timings: self.timings(), in_force: BTreeMap::new(), groups }
    }

    /// Its cluster file.
    pub fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text).expect("a string takes all that is written to it");
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let monitoring = match self.monitoring {
            Monitoring::Mesh => "",
            Monitoring::Ring => "monitoring = \"ring\", ",
        };
        let grace =
            self.grace.map(|grace| format!("grace = \"{}ms\", ", grace.as_millis())).unwrap_or_default();
        let tie = if self.tie_breaker { "tie-breaker = \"dc3\", " } else { "" };
        let (timing, quorum) = (self.timing, Setting::quorum_word(self.quorum));
        writeln!(
            out,
            "schema = 1\ncluster = {{ name = \"sim\", timing = \"{timing}\", {monitoring}{grace}{tie}quorum = \"{quorum}\" }}"
        )?;
        writeln!(out, "\n[node]")?;
        for node in self.node_ids() {
            let address =
                |network| format!("{} = {}", self.network_names[network], self.addresses(network, node));
            let addresses: Vec<_> = (0..self.networks).map(address).collect();
            writeln!(out, "{} = {{ address = {{ {} }} }}", self.name_of(node), addresses.join(", "))?;
        }
        writeln!(out, "\n[network]")?;
        for (network, name) in self.network_names.iter().enumerate() {
            let places = || self.subnets(network).into_keys();
            let listed = |texts: Vec<String>| format!("[{}]", texts.join(", "));
            let subnets: Vec<_> = places().map(|subnet| format!("\"10.{network}.{subnet}.0/24\"")).collect();
            let subnet = if let [one] = subnets.as_slice() { one.clone() } else { listed(subnets) };
            let routers = || places().map(|subnet| format!("\"10.{network}.{subnet}.254\"")).collect();
            let targets =
                if self.targets { format!(", targets = {}", listed(routers())) } else { String::new() };
            writeln!(out, "{name} = {{ subnet = {subnet}{targets} }}")?;
        }
        if self.tie_breaker {
            writeln!(out, "\n[tie-breaker]\ndc3 = {{ type = \"nfs\", directory = \"/net/dc3/sim\" }}")?;
        }
        self.groups.iter().enumerate().try_for_each(|(index, group)| self.write_group(out, index, group))
    }

    /// The addresses of a node on a network, one for each adapter.
    fn addresses(&self, network: usize, node: NodeId) -> String {
        let subnet = self.subnet(network, node);
        let address = |adapter| {
            let host = usize::from(node.0) + adapter * ADDRESSES_PER_ADAPTER;
            format!("\"10.{network}.{subnet}.{host}\"")
        };
        match (0..self.adapters).map(address).collect::<Vec<_>>().as_slice() {
            [one] => one.clone(),
            several => format!("[{}]", several.join(", ")),
        }
    }

    /// As the cluster file has it.
    fn quorum_word(quorum: Quorum) -> &'static str {
        match quorum {
            Quorum::Majority => "majority",
            Quorum::Dynamic => "dynamic",
        }
    }

    fn write_group(&self, out: &mut String, index: usize, group: &Group) -> std::fmt::Result {
        let (name, network) = (&group.name, &self.network_names[SERVICE_NETWORK]);
        let subnet = self.subnet(SERVICE_NETWORK, group.nodes[0]);
        let nodes: Vec<_> = group.nodes.iter().map(|node| format!("\"{}\"", self.name_of(*node))).collect();
        let startup = if group.home_only { "home-node" } else { "first-available" };
        let fallback = if group.falls_back { "higher-priority" } else { "never" };
        writeln!(out, "\n[group.{name}]\nnodes = [{}]\nstartup = \"{startup}\"", nodes.join(", "))?;
        writeln!(
            out,
            "fallover = \"next-priority\"\nfallback = \"{fallback}\"\ntakeover-needs = \"process\""
        )?;
        writeln!(out, "\n[group.{name}.resource]")?;
        let limits = "limits = { start = \"3s\", stop = \"2s\", probe = \"1s\" }";
        for (resource, kind) in &group.resources {
            match kind {
                Kind::Address => {
                    let host = 100 + index;
                    writeln!(
                        out,
                        "{resource} = {{ type = \"service-address\", network = \"{network}\", address = \"10.{SERVICE_NETWORK}.{subnet}.{host}/24\", {limits} }}"
                    )?;
                }
                Kind::Disk => {
                    let disk =
                        format!("device = \"/dev/sim/{name}\", mount = \"/srv/{name}\", format = \"ext4\"");
                    writeln!(out, "{resource} = {{ type = \"file-system\", {disk}, {limits} }}")?;
                }
                Kind::Application => {
                    writeln!(
                        out,
                        "\n[group.{name}.resource.{resource}]\ntype = \"application\"\nstart = [\"/usr/bin/{name}\"]"
                    )?;
                    writeln!(out, "{limits}")?;
                    writeln!(out, "restart = {{ count = 2, within = \"60s\", then = \"fallover\" }}")?;
                    writeln!(
                        out,
                        "[group.{name}.resource.{resource}.monitor]\nalive = {{ type = \"process\" }}"
                    )?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_draw_clusters_within_what_was_fixed() {
        let lite = Lite { nodes: Some(4), timing: TimingProfile::Fast, ..Lite::DEFAULT };
        for seed in 0..100 {
            let setting = Setting::draw(seed, lite);
            assert_eq!((setting.nodes, setting.timing), (4, TimingProfile::Fast));
            assert!(setting.groups.iter().all(|group| (2..=4).contains(&group.nodes.len())));
            assert_eq!(setting, Setting::draw(seed, lite));
        }
    }

    #[test]
    fn wide_seeds_draw_all_sizes_and_both_ways_of_watching_within_what_was_fixed() {
        let settings: Vec<_> = (0..300).map(|seed| Setting::draw_wide(seed, Lite::DEFAULT)).collect();
        for nodes in WIDE_NODES {
            assert!(settings.iter().any(|setting| setting.nodes == nodes), "{nodes}");
        }
        for networks in NETWORKS {
            assert!(settings.iter().any(|setting| setting.networks == networks), "{networks}");
        }
        let rings = settings.iter().filter(|setting| setting.monitoring == Monitoring::Ring).count();
        assert!((40..120).contains(&rings), "{rings}");
        let fixed = Lite { nodes: Some(4), networks: Some(2), ..Lite::DEFAULT };
        let sizes = |seed| Setting::draw_wide(seed, fixed);
        assert!((0..50).map(sizes).all(|setting| (setting.nodes, setting.networks) == (4, 2)));
    }

    #[test]
    fn some_wide_seeds_have_networks_of_several_subnets_and_their_cluster_files_hold() {
        let settings: Vec<_> = (0..300).map(|seed| Setting::draw_wide(seed, Lite::DEFAULT)).collect();
        for setting in &settings {
            assert!(phalanx_model::parse("seed", &setting.text()).is_ok(), "{}", setting.text());
        }
        for monitoring in [Monitoring::Mesh, Monitoring::Ring] {
            let routed = |setting: &&Setting| setting.monitoring == monitoring && !setting.routed.is_empty();
            let routed: Vec<_> = settings.iter().filter(routed).collect();
            for count in 2..=3 {
                let has = |setting: &&Setting| {
                    setting.routed.keys().any(|network| setting.subnets(*network).len() == count)
                };
                assert!(routed.iter().any(has), "{monitoring:?} {count}");
            }
        }
    }

    #[test]
    fn the_cluster_file_says_the_same() {
        let text = Setting::plain(2, 1).text();
        assert!(text.contains("n2 = { address = { net0 = \"10.0.0.2\" } }"), "{text}");
        assert!(text.contains("nodes = [\"n1\", \"n2\"]\nstartup = \"first-available\""), "{text}");
        assert!(text.contains("shop-data = { type = \"file-system\", device = \"/dev/sim/shop\""), "{text}");
    }
}
