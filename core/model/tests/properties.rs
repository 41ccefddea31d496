//! What holds for every cluster and every text: printing and reading are inverse, no text panics the parser, and a fault
//! always stands inside the text.
// A test that cannot go on says so by a panic; its helpers too.
#![allow(clippy::unwrap_used)]

use phalanx_model::*;
use phalanx_types::{
    GroupName, Monitoring, NetworkId, NodeId, ProofClass, ResourceName, Span, TieBreakerName, TimingProfile,
};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use std::collections::BTreeMap;
use std::net::IpAddr;

const DEMO: &str = include_str!("../../../examples/demo.toml");

/// Subnets `10.N.0.0/16`, `10.N+100.0.0/16` and so on, or `fd00:N::/64` and so on, so that every subnet and address is
/// valid by construction.
fn network(index: u8, v6: bool, service: bool, subnets: u8) -> (NetworkId, Network) {
    let subnet = |place| {
        let number = index + place * 100;
        let text = if v6 { format!("fd00:{number}::/64") } else { format!("10.{number}.0.0/16") };
        text.parse::<Address>().unwrap().subnet()
    };
    let (name, subnets) = (format!("net-{index}").parse().unwrap(), (0..subnets).map(subnet).collect());
    let targets = if service { vec![far(index, v6)] } else { Vec::new() };
    (NetworkId(index), Network { name, subnets, service, targets })
}

/// A host behind a network's router.
fn far(index: u8, v6: bool) -> IpAddr {
    let text = if v6 { format!("fd99:{index}::1") } else { format!("192.0.2.{index}") };
    text.parse().unwrap()
}

/// The `host`th address of a subnet.
fn host(subnet: Subnet, host: u16) -> IpAddr {
    match subnet.base {
        IpAddr::V4(base) => IpAddr::from((u32::from(base) + u32::from(host)).to_be_bytes()),
        IpAddr::V6(base) => IpAddr::from((u128::from(base) + u128::from(host)).to_be_bytes()),
    }
}

fn node(id: u16, networks: &BTreeMap<NetworkId, Network>, adapters: u16) -> (NodeId, Node) {
    let on = |network: &Network| {
        let subnet = network.subnets[usize::from(id) % network.subnets.len()];
        (1..=adapters).map(|adapter| host(subnet, id * 8 + adapter)).collect()
    };
    let addresses = networks.iter().map(|(id, network)| (*id, on(network))).collect();
    (NodeId(id), Node { name: format!("node-{id}").parse().unwrap(), addresses })
}

fn span() -> impl Strategy<Value = Span> {
    prop_oneof![1..1_000u64, Just(60_000), Just(3_600_000), 1..86_400_000u64].prop_map(Span::from_millis)
}

fn name() -> impl Strategy<Value = ResourceName> {
    "[a-z][a-z0-9_-]{0,8}|process|process-2".prop_map(|name| name.parse().unwrap())
}

fn command() -> impl Strategy<Value = Command> {
    ("/[a-z \"\\\\]{1,9}[a-z]|[a-z]{1,9}", vec("[^\\pC]{0,12}", 0..4)).prop_map(|(program, mut words)| {
        words.insert(0, program);
        Command(words)
    })
}

fn custom_monitor() -> impl Strategy<Value = CustomMonitor> {
    (command(), span(), span(), 1..=1_000u32).prop_map(|(command, one, other, failures)| CustomMonitor {
        command,
        every: one.max(other),
        limit: one.min(other),
        failures,
    })
}

fn application() -> impl Strategy<Value = ResourceKind> {
    let restart = (0..=1_000u32, span(), select(vec![Exhausted::Fallover, Exhausted::Notify]))
        .prop_map(|(count, within, then)| RestartPolicy { count, within, then });
    let monitors = (any::<bool>(), btree_map(name(), custom_monitor(), 0..3))
        .prop_map(|(process, custom)| Monitors { process, custom });
    (command(), proptest::option::of(command()), restart, monitors).prop_map(
        |(start, stop, restart, monitors)| {
            ResourceKind::Application(Box::new(Application { start, stop, restart, monitors }))
        },
    )
}

fn file_system() -> impl Strategy<Value = ResourceKind> {
    let options = btree_set("[a-z=\"0-9]{1,8}", 0..4).prop_map(|options| options.into_iter().collect());
    (select(vec![Format::Ext4, Format::Xfs, Format::Btrfs]), options).prop_map(|(format, options)| {
        // Device and mount point are made unique when the resource gets its place.
        ResourceKind::FileSystem(FileSystem { device: String::new(), mount: String::new(), format, options })
    })
}

fn service_address() -> impl Strategy<Value = ResourceKind> {
    // Network 0 always takes service addresses; the host is made unique when the resource gets its place.
    let address = "10.0.0.0/16".parse().unwrap();
    Just(ResourceKind::ServiceAddress(ServiceAddress { network: NetworkId(0), address }))
}

/// Resources, each of which may come after any that stand before it.
fn resources() -> impl Strategy<Value = Vec<Resource>> {
    let kind = prop_oneof![application(), file_system(), service_address()];
    let limits =
        (span(), span(), span()).prop_map(|(start, stop, probe)| OperationLimits { start, stop, probe });
    btree_map(name(), (kind, limits, vec(any::<Index>(), 0..3)), 0..5).prop_map(|drafts| {
        let names: Vec<ResourceName> = drafts.keys().cloned().collect();
        let resource = |(place, (name, (kind, limits, picks))): (usize, (_, (_, _, Vec<Index>)))| {
            let mut after: Vec<ResourceName> = Vec::new();
            for pick in picks.iter().filter(|_| place > 0) {
                let earlier = names[pick.index(place)].clone();
                if !after.contains(&earlier) {
                    after.push(earlier);
                }
            }
            Resource { name, after, limits, kind }
        };
        drafts.into_iter().enumerate().map(resource).collect()
    })
}

fn group(nodes: u16) -> impl Strategy<Value = Group> {
    let members =
        subsequence((1..=nodes).map(NodeId).collect::<Vec<_>>(), 1..=usize::from(nodes)).prop_shuffle();
    let policies = (
        select(vec![Startup::HomeNode, Startup::FirstAvailable]),
        select(vec![Fallback::HigherPriority, Fallback::Never]),
        select(vec![ProofClass::Process, ProofClass::Kernel, ProofClass::Hardware, ProofClass::Fenced]),
    );
    (members, policies, resources()).prop_map(|(nodes, (startup, fallback, takeover_needs), resources)| {
        Group {
            name: "unplaced".parse().unwrap(),
            nodes,
            startup,
            fallover: Fallover::NextPriority,
            fallback,
            takeover_needs,
            resources,
        }
    })
}

/// Gives a group its name, and its resources what no other may have.
fn placed(index: usize, mut group: Group, networks: &BTreeMap<NetworkId, Network>) -> (GroupName, Group) {
    group.name = format!("group-{index}").parse().unwrap();
    for (place, resource) in group.resources.iter_mut().enumerate() {
        match &mut resource.kind {
            ResourceKind::FileSystem(file_system) => {
                file_system.device = format!("/dev/\"{index}\"/{place}");
                file_system.mount = format!("/srv/\\{index}/{place}");
            }
            ResourceKind::ServiceAddress(service) => {
                let unique = 1_024 + u16::try_from(index * 64 + place).unwrap();
                service.address.address = host(networks[&NetworkId(0)].subnets[0], unique);
            }
            ResourceKind::Application(_) => {}
        }
    }
    (group.name.clone(), group)
}

fn tie_breakers() -> BTreeMap<TieBreakerName, TieBreaker> {
    let breaker = |directory: &str, limit| {
        let kind = TieBreakerKind::Nfs { directory: directory.into() };
        TieBreaker { kind, limit: Span::from_millis(limit) }
    };
    let named = |name: &str| name.parse().unwrap();
    [(named("dc3"), breaker("/net/dc3/demo", 250)), (named("spare"), breaker("/net/sp are", 30_000))].into()
}

/// Any cluster that a file may declare.
fn cluster() -> impl Strategy<Value = Cluster> {
    let networks = vec((any::<bool>(), any::<bool>(), 1..=2u8), 0..4).prop_map(|others| {
        let others = others
            .into_iter()
            .zip(1..)
            .map(|((v6, service, subnets), index)| network(index, v6, service, subnets));
        std::iter::once(network(0, false, true, 1)).chain(others).collect::<BTreeMap<_, _>>()
    });
    let sizes = prop_oneof![Just(1u16), 3..=9u16];
    let timings = select(vec![TimingProfile::Fast, TimingProfile::Auto, TimingProfile::Relaxed]);
    let monitorings = select(vec![Monitoring::Mesh, Monitoring::Ring]);
    let graces = select(vec![None, Some(Span::from_millis(1_500)), Some(Span::from_secs(30))]);
    let shape = (networks, sizes, 1..=3u16, timings, monitorings, graces, any::<bool>());
    shape.prop_flat_map(|(networks, size, adapters, timing, monitoring, grace, tied)| {
        vec(group(size), 0..4).prop_map(move |groups| Cluster {
            name: "generated".parse().unwrap(),
            timing,
            monitoring,
            grace,
            quorum: Quorum::Majority,
            tie_breaker: tied.then(|| "dc3".parse().unwrap()),
            tie_breakers: if tied { tie_breakers() } else { BTreeMap::new() },
            nodes: (1..=size).map(|id| node(id, &networks, adapters)).collect(),
            networks: networks.clone(),
            groups: groups
                .into_iter()
                .enumerate()
                .map(|(index, group)| placed(index, group, &networks))
                .collect(),
        })
    })
}

/// Reads `text`, which must not panic, and checks what is said about it.
fn check_told(text: &str) {
    let told = match parse("any.toml", text) {
        Ok(parsed) => parsed.warnings,
        Err(faults) => {
            assert!(!faults.is_empty() && faults.iter().all(|fault| !fault.id.is_warning()));
            faults
        }
    };
    assert!(told.is_sorted_by_key(|fault| (fault.line, fault.column)));
    // Of very many a sample is enough.
    told.iter().step_by(1 + told.len() / 100).for_each(|fault| check_place(text, fault));
}

/// A fault stands on a line of the text, at a character of it or right after the last, and is told in one line.
fn check_place(text: &str, fault: &Fault) {
    let line = text.split('\n').nth(fault.line - 1).expect("the line is there");
    assert!((1..=line.chars().count() + 1).contains(&fault.column), "{fault}");
    assert!(text.get(fault.span.clone()).is_some(), "{fault}");
    assert_eq!(text[..fault.span.start].matches('\n').count() + 1, fault.line, "{fault}");
    assert!(!fault.to_string().contains(char::is_control), "{fault:?}");
    assert!(!fault.what.is_empty() && !fault.remedy.is_empty(), "{fault:?}");
}

/// The demo with `count` of its characters replaced, removed or doubled.
fn mutated() -> impl Strategy<Value = String> {
    let mutation = (
        any::<Index>(),
        prop_oneof![
            Just(None),
            any::<char>().prop_map(Some),
            "[\\[\\]{}=\".,0-9a-z-]".prop_map(|text| text.chars().next())
        ],
    );
    vec((mutation, any::<bool>()), 1..6).prop_map(|mutations| {
        let mut text: Vec<char> = DEMO.chars().collect();
        for ((at, character), keep) in mutations {
            let at = at.index(text.len());
            let end = if keep { at } else { at + 1 };
            text.splice(at..end, character);
        }
        text.into_iter().collect()
    })
}

/// The demo with lines swapped, removed and doubled.
fn shuffled() -> impl Strategy<Value = String> {
    vec((any::<Index>(), any::<Index>(), 0..3u8), 1..8).prop_map(|moves| {
        let mut lines: Vec<&str> = DEMO.lines().collect();
        for (from, to, what) in &moves {
            let (from, to) = (from.index(lines.len()), to.index(lines.len()));
            match what {
                0 => lines.swap(from, to),
                1 => lines.insert(to, lines[from]),
                _ if lines.len() > 1 => drop(lines.remove(from)),
                _ => {}
            }
        }
        lines.join("\n")
    })
}

/// The demo with values replaced by values of other types.
fn retyped() -> impl Strategy<Value = String> {
    let values = [
        "1",
        "-1",
        "\"\"",
        "\"x\"",
        "[]",
        "[1]",
        "[\"a\", \"a\"]",
        "{}",
        "{ a = 1 }",
        "true",
        "1.5",
        "1979-05-27",
        "\"10s\"",
        "[[]]",
    ];
    vec((any::<Index>(), select(values.to_vec())), 1..6).prop_map(|changes| {
        let mut lines: Vec<String> = DEMO.lines().map(str::to_owned).collect();
        for (at, value) in changes {
            let line = at.get_mut(&mut lines);
            if let Some((key, _)) = line.split_once('=') {
                *line = format!("{key}= {value}");
            }
        }
        lines.join("\n")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_printed_cluster_reads_back_as_itself(cluster in cluster()) {
        let text = cluster.to_toml();
        let parsed = parse("printed.toml", &text).map_err(|faults| format!("{text}\n{faults:#?}"));
        let read = parsed.map_err(TestCaseError::fail)?.cluster;
        prop_assert_eq!(&read, &cluster, "{}", text);
        prop_assert_eq!(read.to_toml(), text);
        prop_assert_eq!(read.digest(), cluster.digest());
    }

    #[test]
    fn clusters_that_differ_have_texts_that_differ(one in cluster(), other in cluster()) {
        prop_assert_eq!(one == other, one.to_toml() == other.to_toml());
        prop_assert_eq!(one == other, one.digest() == other.digest());
    }

    #[test]
    fn no_bytes_panic(bytes in vec(any::<u8>(), 0..200)) {
        check_told(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_text_made_of_toml_panics(words in vec(select(vec![
        "schema", "cluster", "node", "group", "resource", "address", ".", "=", "[", "]", "{", "}", ",", "\"", "'", "\n", " ",
        "1", "\"10.0.0.1\"", "\"10s\"", "ü", "\r\n", "#", "\"\"\"",
    ]), 0..60)) {
        check_told(&words.concat());
    }

    #[test]
    fn no_slip_in_a_good_file_panics(text in mutated()) {
        check_told(&text);
    }

    #[test]
    fn no_order_of_lines_panics(text in shuffled()) {
        check_told(&text);
    }

    #[test]
    fn no_value_of_another_type_panics(text in retyped()) {
        check_told(&text);
    }
}

#[test]
fn a_file_that_is_read_from_its_canonical_text_declares_the_same() {
    let cluster = parse("demo.toml", DEMO).unwrap().cluster;
    let text = cluster.to_toml();
    assert_eq!(parse("demo.toml", &text).unwrap().cluster, cluster, "{text}");
}

#[test]
fn depth_and_size_do_not_overflow() {
    let deep = |open: &str, count| format!("a = {}", open.repeat(count));
    let wide = |entry: fn(usize) -> String, count| (0..count).map(entry).collect::<String>();
    check_told(&deep("[", 500_000));
    check_told(&deep("{ a = ", 150_000));
    check_told(&format!("{}a = 1", "a.".repeat(500_000)));
    check_told(&wide(|n| format!("k{n} = 1\n"), 80_000));
    check_told(&format!("[node]\n{}", wide(|n| format!("n{n} = {{}}\n"), 80_000)));
    check_told(&format!("[network]\n{}", wide(|n| format!("n{n} = {{}}\n"), 80_000)));
    check_told(&format!("[group]\n{}", wide(|n| format!("g{n}={{nodes=[\"x\"]}}\n"), 40_000)));
    check_told(&format!(
        "[group.g.resource]\n{}",
        wide(|n| format!("r{n}={{after=[\"r{}\"]}}\n", n + 1), 30_000)
    ));
}
