//! Service addresses and file systems, and drivers that hang.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod common;

use common::{EPOCH, Host, permitted, with_host};
use phalanx_host::now;
use phalanx_sandbox::{Disk, eventually, shell};
use phalanx_types::{OperationResult, Span, Verb};

const ADDRESS: &str =
    "resource.ip = { type = \"service-address\", network = \"client\", address = \"10.11.0.100/24\" }";
const ADDRESS6: &str =
    "resource.ip = { type = \"service-address\", network = \"back\", address = \"fd00:11::100/64\" }";
/// A link instead of a device: the disk is made inside the story.
const DISK: &str = "resource.data = { type = \"file-system\", device = \"/mnt/disk\", mount = \"/mnt/shop\", format = \"ext4\" }";

fn with_disk(story: impl FnOnce(&Host)) {
    with_host(DISK, |host| {
        let disk = Disk::ext4("shop", 8);
        std::os::unix::fs::symlink(disk.device(), "/mnt/disk").unwrap();
        story(&host);
        assert_eq!(host.run("data", Verb::Kill), OperationResult::Done);
    });
}

fn placed_on(interface: &str) -> OperationResult {
    OperationResult::Placed { interface: interface.into() }
}

#[test]
fn an_ipv4_address_comes_and_goes() {
    with_host(ADDRESS, |host| host.check_comes_and_goes("ip"));
}

#[test]
fn an_ipv6_address_comes_and_goes() {
    with_host(ADDRESS6, |host| host.check_comes_and_goes("ip"));
}

#[test]
fn an_address_needs_a_permit() {
    with_host(ADDRESS, |host| host.check_needs_a_permit("ip"));
}

#[test]
fn an_address_is_not_put_where_no_carrier_is() {
    with_host(ADDRESS, |host| {
        shell("ip link set wire down && until ip link show client | grep -q NO-CARRIER; do :; done");
        let why = "no interface of network client has a carrier; client is the first without";
        assert_eq!(host.start("ip"), OperationResult::Failed(why.into()));
        assert_eq!(host.drivers.verify(&"shop".parse().unwrap(), &host.cluster), [format!("ip: {why}")]);
        assert_eq!(host.run("ip", Verb::Probe), OperationResult::Inactive);
    });
}

#[test]
fn an_address_moves_to_the_adapter_that_has_a_carrier() {
    with_host(ADDRESS, |host| {
        assert_eq!(host.start("ip"), placed_on("client"));
        shell("ip link add spare type veth peer name cable && ip link set spare up && ip link set cable up");
        shell(
            "ip address add 10.11.0.9/24 dev spare && until ip link show spare | grep -q LOWER_UP; do :; done",
        );
        shell("ip link set wire down && until ip link show client | grep -q NO-CARRIER; do :; done");
        let why = "its interface client has no carrier";
        assert_eq!(host.run("ip", Verb::Monitor), OperationResult::Failed(why.into()));
        assert_eq!(host.start("ip"), placed_on("spare"));
        assert_eq!(host.run("ip", Verb::Monitor), OperationResult::Done);
        let shown = shell("ip -br address show to 10.11.0.100");
        assert!(shown.starts_with("spare") && shown.lines().count() == 1, "{shown}");
    });
}

/// A neighbour on the other end of the wire that has these addresses.
fn neighbour(addresses: &[&str]) {
    shell("ip netns add other && ip link set wire netns other && ip -n other link set wire up");
    for address in addresses {
        let nodad = if address.contains(':') { "nodad" } else { "" };
        shell(&format!("ip -n other address add {address} dev wire {nodad}"));
    }
    shell("until ip link show client | grep -q LOWER_UP; do :; done");
}

/// A host that nobody knows has the address: the group does not start, and it is told who has it.
fn check_stranger(resource: &str, taken: &str) {
    with_host(resource, |host| {
        assert_eq!(host.run("ip", Verb::Scout), OperationResult::Done, "nobody has it");
        neighbour(&[taken]);
        let mut result = OperationResult::Done;
        // A link that has just come up loses frames.
        eventually("it is found", || {
            result = host.run("ip", Verb::Scout);
            result != OperationResult::Done
        });
        let OperationResult::Failed(why) = result else { panic!("{result:?}") };
        assert!(why.contains("is in use by a host that is not of this cluster"), "{why}");
        let contest = host.contested();
        let mac = shell("ip netns exec other ip -o link show wire");
        assert!(mac.contains(&contest.mac.to_string()), "{contest:?}, {mac}");
        assert_eq!((contest.interface.as_str(), contest.node), ("client", None));
    });
}

#[test]
fn a_strangers_ipv4_address_is_a_conflict() {
    check_stranger(ADDRESS, "10.11.0.100/24");
}

#[test]
fn a_strangers_ipv6_address_is_a_conflict() {
    check_stranger(ADDRESS6, "fd00:11::100/64");
}

/// A node of the cluster still has the address, though this one has every proof that it may not: it is taken, and told.
fn check_overruled(resource: &str, ada: &str, bob: &str, taken: &str) {
    with_host(resource, |host| {
        neighbour(&[bob, taken]);
        let call = format!("ip netns exec other bash -c ': > /dev/tcp/{ada}/9'");
        shell(&format!("until {call} 2>&1 | grep -q refused; do :; done"));
        assert_eq!(host.run("ip", Verb::Scout), OperationResult::Done);
        assert_eq!(host.start("ip"), placed_on("client"));
        assert_eq!(host.contested().node.as_deref(), Some("bob"));
        assert_eq!(host.run("ip", Verb::Monitor), OperationResult::Done);
    });
}

#[test]
fn a_node_that_still_has_an_ipv4_address_is_overruled() {
    check_overruled(ADDRESS, "10.11.0.1", "10.11.0.2/24", "10.11.0.100/24");
}

#[test]
fn a_node_that_still_has_an_ipv6_address_is_overruled() {
    check_overruled(ADDRESS6, "fd00:11::1", "fd00:11::2/64", "fd00:11::100/64");
}

#[test]
fn an_ipv6_address_moves_to_the_adapter_that_has_a_carrier() {
    with_host(ADDRESS6, |host| {
        assert_eq!(host.start("ip"), placed_on("client"));
        shell("ip link add spare type veth peer name cable && ip link set spare up && ip link set cable up");
        shell("ip address add fd00:11::9/64 dev spare nodad");
        shell("until ip link show spare | grep -q LOWER_UP; do :; done");
        shell("ip link set wire down && until ip link show client | grep -q NO-CARRIER; do :; done");
        assert!(matches!(host.run("ip", Verb::Monitor), OperationResult::Failed(_)));
        assert_eq!(host.start("ip"), placed_on("spare"));
        let shown = shell("ip -br address show to fd00:11::100");
        assert!(shown.starts_with("spare") && shown.lines().count() == 1, "{shown}");
    });
}

#[test]
fn a_file_system_comes_and_goes() {
    with_disk(|host| host.check_comes_and_goes("data"));
}

#[test]
fn a_file_system_needs_a_permit() {
    with_disk(|host| host.check_needs_a_permit("data"));
}

#[test]
fn a_file_system_in_use_is_let_go_of() {
    with_disk(|host| {
        assert_eq!(host.start("data"), OperationResult::Done);
        let mut user =
            std::process::Command::new("sleep").arg("1000").current_dir("/mnt/shop").spawn().unwrap();
        assert_eq!(host.run("data", Verb::Stop), OperationResult::Done);
        assert_eq!(host.run("data", Verb::Probe), OperationResult::Inactive);
        user.wait().unwrap();
    });
}

#[test]
fn what_a_restarted_daemon_finds_has_its_epoch() {
    with_host(ADDRESS, |host| {
        assert_eq!(host.start("ip"), placed_on("client"));
        let host = host.restarted();
        assert_eq!(host.run("ip", Verb::Probe), OperationResult::Active { epoch: Some(EPOCH) });
        std::fs::remove_dir_all("/mnt/run").unwrap();
        assert_eq!(host.run("ip", Verb::Probe), OperationResult::Active { epoch: None });
    });
}

/// A disk check that hangs, because its program does.
fn with_a_start_that_hangs(story: impl FnOnce(&Host)) {
    with_disk(|host| {
        shell("tune2fs -E force_fsck /mnt/disk");
        shell("printf '#!/bin/sh\\nexec sleep 1000\\n' > /mnt/hang && chmod +x /mnt/hang");
        shell("mount --bind /mnt/hang $(readlink -f $(command -v e2fsck))");
        story(host);
        shell("umount $(readlink -f $(command -v e2fsck)); tune2fs -f -E clear_mmp /mnt/disk || true");
    });
}

#[test]
fn a_start_under_way_counts_as_active_and_a_kill_ends_it() {
    with_a_start_that_hangs(|host| {
        let start = host.begin("data", permitted(), Span::from_secs(600));
        assert!(
            matches!(host.run("data", Verb::Probe), OperationResult::Active { .. }),
            "from the first moment on"
        );
        eventually("the start has written its epoch", || {
            host.run("data", Verb::Probe) == OperationResult::Active { epoch: Some(EPOCH) }
        });
        eventually("the start is ended", || {
            assert_eq!(host.run("data", Verb::Kill), OperationResult::Done);
            host.run("data", Verb::Probe) == OperationResult::Inactive
        });
        assert!(matches!(host.answer(start), OperationResult::Failed(_) | OperationResult::Stale));
    });
}

#[test]
fn a_check_that_hangs_is_ended_at_its_limit() {
    with_a_start_that_hangs(|host| {
        let since = now();
        let OperationResult::Failed(why) = host.run_within("data", permitted(), Span::from_millis(200))
        else {
            panic!("it cannot have started")
        };
        assert!(why.contains("did not end in time"), "{why}");
        assert!(now().since(since) >= Span::from_millis(200));
        assert_eq!(host.run("data", Verb::Probe), OperationResult::Inactive);
    });
}

#[test]
fn a_driver_that_hangs_is_abandoned_and_harms_nobody_when_it_wakes() {
    with_host(ADDRESS, |host| {
        // Writing to a pipe that nobody reads takes for ever.
        shell("mkdir -p /mnt/run/resources && mkfifo /mnt/run/resources/shop.ip.draft");
        let hanging = || host.run_within("ip", permitted(), Span::from_millis(20));
        assert_eq!(hanging(), OperationResult::TimedOut);
        assert_eq!(host.drivers.abandoned(), 1);
        assert_eq!(
            host.run("ip", Verb::Probe),
            OperationResult::Active { epoch: None },
            "it may wake and acquire"
        );
        (1..8).for_each(|_| assert_eq!(hanging(), OperationResult::TimedOut));
        let why = "earlier operations on shop/ip hang and have not come back";
        assert_eq!(host.run("ip", Verb::Monitor), OperationResult::Failed(why.into()));
        let _reader = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open("/mnt/run/resources/shop.ip.draft")
            .unwrap();
        eventually("all have come back", || host.drivers.abandoned() == 0);
        eventually("nothing is under way", || host.run("ip", Verb::Probe) == OperationResult::Inactive);
        assert!(!shell("ip address").contains("10.11.0.100"));
    });
}
