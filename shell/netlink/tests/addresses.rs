//! Addresses against the real kernel: this host is the story's network namespace, its neighbour another one.
#![allow(clippy::unwrap_used, reason = "a test may")]

use phalanx_model::Address;
use phalanx_netlink::echo::Echoes;
use phalanx_netlink::{
    Adapters, Announcement, Change, Claim, Interface, Mac, Netlink, NetlinkError, Owners, Watch, ask,
};
use phalanx_sandbox::{alone, eventually, shell};
use phalanx_types::{NetworkId, Span};
use std::collections::BTreeSet;
use std::iter;
use std::net::{IpAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};

const SHOP: &str = "10.11.0.100/24";
/// In a namespace of our own any port is free.
const PORT: u16 = 80;
const SHOP6: &str = "fd00:11::100/64";

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn only(service: &str) -> BTreeSet<IpAddr> {
    BTreeSet::from([address(service).address])
}

/// A link to a neighbour that has 10.11.0.2 and fd00:11::2; we have the same with a 1.
fn with_neighbour(story: impl FnOnce(&mut Netlink, &Interface)) {
    alone(|| {
        shell("ip netns add bob && ip link add client type veth peer name client netns bob");
        for (host, last) in [("", 1), ("-n bob", 2)] {
            shell(&format!("ip {host} address add 10.11.0.{last}/24 dev client"));
            shell(&format!("ip {host} address add fd00:11::{last}/64 dev client nodad"));
            shell(&format!("ip {host} link set client up"));
        }
        let mut netlink = Netlink::open().unwrap();
        eventually("the link is up", || netlink.interfaces().unwrap().iter().all(|one| one.carrier));
        let subnet = address(SHOP).subnet();
        let interface = netlink.interfaces_on(subnet, &only(SHOP)).unwrap().remove(0);
        assert_eq!(interface.name, "client");
        story(&mut netlink, &interface);
    });
}

fn check_added_and_removed(text: &str) {
    with_neighbour(|netlink, interface| {
        let service = address(text);
        assert!(netlink.holders(service.address).unwrap().is_empty());
        for _ in 0..2 {
            netlink.add(interface.index, service).unwrap();
            let holders = netlink.holders(service.address).unwrap();
            assert_eq!(holders.len(), 1);
            assert_eq!((holders[0].interface, holders[0].address), (interface.index, service));
        }
        let shown = shell(&format!("ip address show to {}", service.address));
        assert!(!shown.contains("tentative"), "it is usable at once: {shown}");
        let listener = TcpListener::bind((service.address, PORT)).unwrap();
        shell(&format!("ip netns exec bob timeout 9 bash -c ': > /dev/tcp/{}/{PORT}'", service.address));
        drop(listener);
        for _ in 0..2 {
            netlink.remove(interface.index, service).unwrap();
            assert!(netlink.holders(service.address).unwrap().is_empty());
        }
    });
}

#[test]
fn an_ipv4_address_comes_and_goes() {
    check_added_and_removed(SHOP);
}

#[test]
fn an_ipv6_address_comes_and_goes() {
    check_added_and_removed(SHOP6);
}

#[test]
fn a_host_address_comes_and_goes() {
    check_added_and_removed("10.11.0.100/32");
}

#[test]
fn interfaces_are_found_by_subnet_those_with_a_carrier_first() {
    with_neighbour(|netlink, _| {
        shell("ip link add spare type veth peer name spare netns bob; ip address add 10.11.0.9/24 dev spare");
        let subnet = address(SHOP).subnet();
        let names = |netlink: &mut Netlink, but: &str| -> Vec<String> {
            let found = netlink.interfaces_on(subnet, &only(but)).unwrap();
            found.into_iter().map(|interface| interface.name).collect()
        };
        assert_eq!(names(netlink, SHOP), ["client", "spare"]);
        shell("ip link set spare up; ip -n bob link set spare up; ip -n bob link set client down");
        eventually("the carrier is lost", || names(netlink, SHOP) == ["spare", "client"]);
        assert_eq!(names(netlink, "10.11.0.9/24"), ["client"], "the service address does not count");
        let elsewhere = address("10.99.0.0/16").subnet();
        let error = netlink.interfaces_on(elsewhere, &only("10.99.0.1/16")).unwrap_err();
        assert_eq!(error, NetlinkError::NoInterface(elsewhere));
        assert_eq!(error.to_string(), "no interface has an address of 10.99.0.0/16");
    });
}

#[test]
fn a_request_that_fails_says_what_and_why() {
    with_neighbour(|netlink, _| {
        let error = netlink.add(9_999, address(SHOP)).unwrap_err().to_string();
        assert!(error.starts_with("cannot add 10.11.0.100/24: No such device"), "{error}");
    });
}

/// Real-time priority of a thread as `/proc` has it; 0 for an ordinary one.
fn realtime_priority(stat: &str) -> u32 {
    let (_, after_name) = stat.rsplit_once(')').unwrap();
    after_name.split_whitespace().nth(37).unwrap().parse().unwrap()
}

#[test]
fn no_ordinary_program_comes_between_the_daemon_and_its_helpers() {
    with_neighbour(|netlink, interface| {
        let allowed = std::thread::spawn(|| phalanx_realtime::make_helper().is_ok()).join().unwrap();
        if !allowed {
            return eprintln!("skipped: no real-time scheduling here");
        }
        let (sender, stats) = mpsc::channel();
        let stat = || std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let _watch = Watch::begin(move |_| drop(sender.send(stat()))).unwrap();
        netlink.add(interface.index, address(SHOP)).unwrap();
        assert!(realtime_priority(&stats.recv().unwrap()) > 0, "the watch");
        assert_eq!(realtime_priority(&stat()), 0, "whoever asked for it");
    });
}

#[test]
fn carriers_and_addresses_are_watched_although_we_change_them_ourselves() {
    with_neighbour(|netlink, interface| {
        let (sender, changes) = mpsc::channel();
        let watch = Watch::begin(move |change| drop(sender.send(change))).unwrap();
        let expect = |what: &str, wanted: &dyn Fn(&Change) -> bool| {
            eventually(what, || changes.try_iter().any(|change| wanted(&change)));
        };
        let held = phalanx_netlink::Held { interface: interface.index, address: address(SHOP) };
        netlink.add(interface.index, held.address).unwrap();
        expect("it is added", &|change| *change == Change::Added(held));
        netlink.remove(interface.index, held.address).unwrap();
        expect("it is removed", &|change| *change == Change::Removed(held));
        let carrier = |change: &Change, up| matches!(change, Change::Interface(one) if one.index == interface.index && one.carrier == up);
        shell("ip -n bob link set client down");
        expect("the carrier is lost", &|change| carrier(change, false));
        shell("ip -n bob link set client up");
        expect("the carrier is back", &|change| carrier(change, true));
        shell("ip link delete client");
        expect(
            "the interface is gone",
            &|change| matches!(change, Change::InterfaceGone(one) if one.name == "client"),
        );
        drop(watch);
    });
}

/// Asks who has `free` and `taken`: the neighbour has the second.
fn check_asked(free: &str, taken: &str) {
    with_neighbour(|_, interface| {
        let (free, taken): (IpAddr, IpAddr) = (free.parse().unwrap(), taken.parse().unwrap());
        let mac = shell("ip netns exec bob cat /sys/class/net/client/address").trim().to_owned();
        let millis = Span::from_millis;
        let ask = |own: &BTreeSet<Mac>, addresses: &[IpAddr], patience| {
            ask(interface, own, addresses, patience).unwrap()
        };
        assert_eq!(ask(&BTreeSet::new(), &[free], millis(50)).len(), 0);
        let mut owners = Owners::new();
        // A link that has just come up loses frames.
        eventually("the neighbour answers", || {
            owners = ask(&BTreeSet::new(), &[taken], millis(200));
            !owners.is_empty()
        });
        assert_eq!(owners[&taken].to_string(), mac);
        assert_eq!(ask(&BTreeSet::new(), &[free, taken], millis(500)), owners);
        let own = owners.values().copied().collect();
        assert_eq!(ask(&own, &[taken], millis(50)).len(), 0, "what we say ourselves is no answer");
    });
}

#[test]
fn an_arp_probe_tells_who_has_an_address() {
    check_asked("10.11.0.100", "10.11.0.2");
}

#[test]
fn a_neighbour_solicitation_tells_who_has_an_address() {
    check_asked("fd00:11::100", "fd00:11::2");
}

#[test]
fn adapters_are_told_when_something_is_lost_or_found_and_not_for_what_comes() {
    with_neighbour(|netlink, interface| {
        let file = r#"
            schema = 1
            cluster = { name = "demo" }
            [node]
            ada = { address = { client = "10.11.0.1", spare = "10.12.0.1" } }
            bob = { address = { client = "10.11.0.2", spare = "10.12.0.2" } }
            cyd = { address = { client = "10.11.0.3", spare = "10.12.0.3" } }
            [network]
            client = { subnet = "10.11.0.0/24" }
            spare = { subnet = "10.12.0.0/24" }
            [group.shop]
            nodes = ["ada", "bob"]
            resource.ip = { type = "service-address", network = "client", address = "10.11.0.100/24" }
        "#;
        let cluster = phalanx_model::parse("test", file).unwrap().cluster;
        let (sender, told) = mpsc::channel();
        let adapters = Adapters::begin(&cluster, move |network, up| {
            let _ = sender.send((network, up));
        })
        .unwrap();
        let (client, spare) = (NetworkId(0), NetworkId(1));
        let next = || told.recv_timeout(std::time::Duration::from_secs(20)).unwrap();
        assert_eq!(next(), (spare, false), "the one without an adapter is told at once");
        netlink.add(interface.index, address(SHOP)).unwrap();
        shell("ip -n bob link set client down");
        assert_eq!(next(), (client, false));
        shell("ip -n bob link set client up");
        assert_eq!(next(), (client, true));
        netlink.remove(interface.index, address(SHOP)).unwrap();
        assert_eq!(next(), (client, true), "an address went");
        shell("ip address add 10.12.0.1/24 dev client");
        assert_eq!(next(), (spare, true));
        netlink.add(interface.index, address(SHOP)).unwrap();
        shell("ip address del 10.11.0.1/24 dev client");
        assert_eq!(next(), (client, false), "a service address makes no adapter");
        drop(adapters);
    });
}

/// An address that is ours for so many announcements, and that nobody contests.
struct Ours(Arc<AtomicUsize>);

impl Claim for Ours {
    fn is_ours(&self) -> bool {
        self.0.fetch_add(1, SeqCst) < 9
    }

    fn is_contested(&self) -> bool {
        false
    }
}

fn check_announced(text: &str) {
    with_neighbour(|netlink, interface| {
        let service = address(text);
        let neighbours = || shell(&format!("ip -n bob neighbour show {}", service.address));
        shell(&format!(
            "ip -n bob neighbour add {} lladdr 02:00:00:00:00:99 dev client nud stale",
            service.address
        ));
        netlink.add(interface.index, service).unwrap();
        assert!(neighbours().contains("02:00:00:00:00:99"));
        let repeats = Arc::new(AtomicUsize::new(0));
        let announcement =
            Announcement::begin(interface, service.address, Ours(Arc::clone(&repeats))).unwrap();
        eventually("the neighbour knows", || neighbours().contains(&interface.mac.unwrap().to_string()));
        eventually("it is said twice more", || repeats.load(SeqCst) == 2);
        drop(announcement);
    });
}

#[test]
fn a_gratuitous_arp_moves_an_address() {
    check_announced(SHOP);
}

#[test]
fn an_unsolicited_advertisement_moves_an_address() {
    check_announced(SHOP6);
}

#[test]
fn loopback_has_nobody_to_ask_or_tell() {
    alone(|| {
        let mut netlink = Netlink::open().unwrap();
        let lo = netlink.interfaces().unwrap().into_iter().find(|one| one.name == "lo").unwrap();
        let here: IpAddr = "127.0.0.1".parse().unwrap();
        assert!(ask(&lo, &BTreeSet::new(), &[here], Span::from_secs(9)).unwrap().is_empty());
        Announcement::begin(&lo, here, Ours(Arc::default())).unwrap();
    });
}

#[test]
fn hosts_answer_that_this_adapter_reaches() {
    with_neighbour(|netlink, interface| {
        let asks = |source: &str, targets: &[&str]| {
            let targets: Vec<IpAddr> = targets.iter().map(|target| target.parse().unwrap()).collect();
            let patience = Span::from_millis(300);
            let mut echoes =
                Echoes::ask(&interface.name, source.parse().unwrap(), &targets, patience).unwrap();
            iter::from_fn(|| echoes.next_answer().unwrap()).collect::<BTreeSet<usize>>()
        };
        let nodes: [IpAddr; 2] = ["10.11.0.1".parse().unwrap(), "10.11.0.9".parse().unwrap()];
        let plugged = netlink.plugged(nodes.iter()).unwrap();
        assert_eq!(plugged, [(interface.clone(), nodes[0])]);
        eventually("IPv4 works", || {
            asks("10.11.0.1", &["10.11.0.9", "192.0.2.1", "10.11.0.2", "10.11.0.2"]) == [2, 3].into()
        });
        eventually("IPv6 works", || asks("fd00:11::1", &["fd00:11::9", "fd00:11::2"]) == [1].into());
        assert!(asks("10.11.0.1", &["10.11.0.9", "192.0.2.1"]).is_empty(), "nobody there, and no way there");
        // A target behind a router is reached by the interface's own route only.
        shell("ip -n bob address add 192.0.2.1/32 dev lo && ip route add 192.0.2.1 via 10.11.0.2");
        eventually("the way is there", || asks("10.11.0.1", &["192.0.2.1"]) == [0].into());
        shell("ip -n bob link set client down");
        assert!(asks("10.11.0.1", &["10.11.0.2"]).is_empty());
        assert!(asks("fd00:11::1", &["fd00:11::2"]).is_empty());
    });
}
