//! Addresses against the real kernel: this host is the story's network namespace, its neighbour another one.
#![allow(clippy::unwrap_used, reason = "a test may")]

use phalanx_model::Address;
use phalanx_netlink::{Announcement, Answer, Change, Interface, Netlink, NetlinkError, Watch, probe};
use phalanx_sandbox::{alone, eventually, shell};
use phalanx_types::Span;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};

const SHOP: &str = "10.11.0.100/24";
/// In a namespace of our own any port is free.
const PORT: u16 = 80;
const SHOP6: &str = "fd00:11::100/64";

fn address(text: &str) -> Address {
    text.parse().unwrap()
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
        let interface = netlink.interfaces_on(subnet, address(SHOP).address).unwrap().remove(0);
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
            let found = netlink.interfaces_on(subnet, but.parse().unwrap()).unwrap();
            found.into_iter().map(|interface| interface.name).collect()
        };
        assert_eq!(names(netlink, "10.11.0.100"), ["client", "spare"]);
        shell("ip link set spare up; ip -n bob link set spare up; ip -n bob link set client down");
        eventually("the carrier is lost", || names(netlink, "10.11.0.100") == ["spare", "client"]);
        assert_eq!(names(netlink, "10.11.0.9"), ["client"], "the service address does not count");
        let elsewhere = address("10.99.0.0/16").subnet();
        let error = netlink.interfaces_on(elsewhere, "10.99.0.1".parse().unwrap()).unwrap_err();
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

#[test]
fn a_probe_tells_who_has_an_address() {
    with_neighbour(|_, interface| {
        let ask =
            |text: &str, millis| probe(interface, text.parse().unwrap(), Span::from_millis(millis)).unwrap();
        assert_eq!(ask("10.11.0.100", 50), Answer::Free);
        let mac = shell("ip netns exec bob cat /sys/class/net/client/address");
        match ask("10.11.0.2", 5_000) {
            Answer::Taken(owner) => assert_eq!(owner.to_string(), mac.trim()),
            Answer::Free => panic!("the neighbour did not answer"),
        }
    });
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
        let counted = Arc::clone(&repeats);
        let is_ours = move || counted.fetch_add(1, SeqCst) < 9;
        let announcement = Announcement::begin(interface, service.address, is_ours).unwrap();
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
        assert_eq!(probe(&lo, "127.0.0.1".parse().unwrap(), Span::from_secs(9)).unwrap(), Answer::Free);
        Announcement::begin(&lo, "127.0.0.1".parse().unwrap(), || true).unwrap();
    });
}
