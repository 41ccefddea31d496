//! What people see, as golden files beside this one: `BLESS=1 cargo test -p phalanx` rewrites them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use clap::{Command, CommandFactory};
use phalanx::cli::Cli;
use phalanx::paint::Paint;
use phalanx::view::StatusView;
use phalanx::{explain, form, replay, repository_page, status, topology};
use phalanx_flight::{Broken, Choice, End, Entry, Head, Kind, Record};
use phalanx_ledger::Ledger;
use phalanx_repository as repository;
use phalanx_types::{ClusterId, Incarnation, NodeId, NodeSet, RepositoryId, ViewId};
use repository::{Act, Area, Ballot, Block, Claim, Hand, Header, Layout, SECTOR_BYTES, Whose};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

fn check(name: &str, shown: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, shown).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(golden, shown, "{} is another; BLESS=1 rewrites it", path.display());
}

#[test]
fn help_of_every_command() {
    let mut page = String::new();
    let mut command = Cli::command().term_width(100);
    command.build();
    help(&mut command, "phalanx", &mut page);
    check("help.txt", &page);
}

fn help(command: &mut Command, name: &str, page: &mut String) {
    let shown = command.clone().bin_name(name).render_help().to_string();
    *page += &format!("==== {name}\n{}\n\n", shown.trim_end());
    for sub in command.get_subcommands_mut() {
        let name = format!("{name} {}", sub.get_name());
        help(sub, &name, page);
    }
}

fn status_of(change: impl FnOnce(&mut Value)) -> StatusView {
    let member = |start: u64| json!({ "member": true, "counts": true, "start": start });
    let mut status = json!({
        "cluster": "demo", "timing": "auto", "node": "ada", "start": 3, "view": "12/1", "primary": true,
        "in_step": true, "quorum": "quorum: 3 of 3", "lease_left": 412_000_000, "takeover_wait": 531_000_000,
        "timings": { "configured": { "detect": 400_000_000, "lease": 540_000_000 },
            "in_force": { "detect": 400_000_000, "lease": 540_000_000 }, "stall": null },
        "class": { "name": "process", "does_not_cover": "a host that is frozen as a whole and thawed" },
        "config_version": 1, "leaving": false,
        "daemon": { "deadman": "guarded", "realtime": true },
        "nodes": { "ada": member(3), "bob": member(1), "cyd": member(7) },
        "groups": { "shop": {
            "state": "online", "node": "ada", "epoch": 786_432, "placed": null,
            "reason": "it runs where its policies want it", "awaiting": [],
        } },
    });
    change(&mut status);
    status::view(status).unwrap()
}

fn check_status(name: &str, change: impl FnOnce(&mut Value)) {
    let status = status_of(change);
    check(&format!("status-{name}.txt"), &status::render(&status, Paint::Plain));
    check(&format!("explain-{name}.txt"), &explain::render(&status));
}

#[test]
fn all_is_well() {
    check_status("well", |_| {});
}

#[test]
fn timings_are_stretched() {
    check_status("stretched", |status| {
        status["takeover_wait"] = 1_101_000_000.into();
        status["timings"]["in_force"] = json!({ "detect": 800_000_000, "lease": 1_080_000_000 });
        status["timings"]["stall"] = json!({ "node": "cyd", "length": 520_000_000 });
    });
}

#[test]
fn a_takeover_waits_for_its_proof() {
    check_status("takeover", |status| {
        status["quorum"] = "quorum: 2 of 3".into();
        status["nodes"]["cyd"] = json!({ "member": false, "counts": false, "start": null });
        status["groups"]["shop"] = json!({
            "state": "acquiring", "node": "ada", "epoch": 851_968, "placed": "cyd",
            "reason": "its node cyd was lost", "awaiting": ["cyd"],
        });
    });
}

#[test]
fn no_quorum_says_who_is_waited_for() {
    check_status("no-quorum", |status| {
        for node in ["bob", "cyd"] {
            status["nodes"][node] = json!({ "member": false, "counts": false, "start": null });
        }
        let quorum = "no quorum: 1 of 3, waiting for bob, cyd";
        status["primary"] = false.into();
        status["in_step"] = false.into();
        status["lease_left"] = 0.into();
        status["quorum"] = quorum.into();
        let reason = format!("stopped here 12 s ago, before its lease was over; {quorum}");
        status["groups"]["shop"] = json!({ "state": "unknown", "node": null, "epoch": 0, "placed": null, "reason": reason, "awaiting": [] });
    });
}

#[test]
fn the_word_of_an_operator_is_asked_for_with_all_that_it_means() {
    let status = status_of(|status| {
        for node in ["bob", "cyd"] {
            status["nodes"][node] = json!({ "member": false, "counts": false, "start": null });
        }
        status["quorum"] = "no quorum: 1 of 3, waiting for bob, cyd".into();
    });
    check("form-alone.txt", &form::warning(&status));
}

#[test]
fn no_deadman_no_lease() {
    check_status("no-deadman", |status| {
        status["lease_left"] = 0.into();
        status["daemon"] = json!({
            "deadman": "the deadman is not running (/run/phalanx/deadman.sock)", "realtime": false,
        });
        status["nodes"]["bob"]["counts"] = false.into();
        status["leaving"] = true.into();
    });
}

#[test]
fn a_deadman_that_hangs_is_told_while_the_lease_still_runs() {
    check_status("deadman-hangs", |status| {
        status["lease_left"] = 180_000_000.into();
        status["daemon"]["deadman"] = "the deadman has not answered for 251 ms".into();
    });
}

#[test]
fn a_flight_record_is_told_from_its_cause_to_its_end() {
    let entry = |n: u64, millis: u64, node, kind, from, say: &str| Entry {
        n,
        at: millis * 1_000_000,
        node,
        life: 1,
        kind,
        say: say.into(),
        from,
    };
    let entries = vec![
        entry(1, 3_075, 1, Kind::Fault, None, "FAULT partition: cut (190 ms)"),
        entry(2, 9_738, 2, Kind::Path, Some(1), "ada is down: all its paths silent for 400 ms"),
        entry(
            3,
            9_739,
            2,
            Kind::Plan,
            Some(2),
            "plan agreed\nbob: start data — because ada is lost\nbob: start ip",
        ),
        entry(4, 9_739, 2, Kind::Routine, Some(3), "lease renewed"),
        entry(5, 9_740, 2, Kind::Group, Some(3), "HOLDS shop (epoch 720896)"),
    ];
    let say = "node 2 acquires shop, which node 1 still holds".to_owned();
    let broken = Broken { property: "ONE-OWNER".into(), say, at: 9_740_000_000 };
    let (command, nodes) = ("phalanx-sim --seeds 1 --from 7".to_owned(), vec!["ada".into(), "bob".into()]);
    let head = Head { flight: phalanx_flight::SCHEMA, seed: 7, command, nodes, cluster: String::new() };
    let record = Record { head, entries, end: End { entries: 5, at: 9_740_000_000, broken: Some(broken) } };
    let choice = Choice::last(&record, phalanx_types::Span::from_secs(5));
    let shown: Vec<&Entry> = choice.pick(&record).collect();
    check("replay.txt", &replay::tell(&record, &shown, Paint::Plain));
    check("replay.jsonl", &replay::json(&record, &shown));
}

#[test]
fn every_message_is_explained() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let explained = fs::read_to_string(root.join("docs/admin/messages.md")).unwrap();
    for folder in ["apps/phalanx/src", "apps/phalanxd/src"] {
        for file in fs::read_dir(root.join(folder)).unwrap() {
            let source = fs::read_to_string(file.unwrap().path()).unwrap();
            let ids = source.match_indices("PHX-").filter_map(|(at, _)| source.get(at..at + 8));
            ids.for_each(|id| {
                assert!(explained.contains(&format!("| {id} |")), "{id} is not in messages.md")
            });
        }
    }
}

fn check_topology(name: &str, monitoring: &str, ring: &Value) {
    let member = |node: &str, host: u8, state: &str, heard: Value, watches: Value| {
        let address = format!("10.11.0.{host}");
        json!({ "node": node, "address": address, "state": state, "heard": heard, "watches": watches })
    };
    let members = [
        member("ada", 1, "up", Value::Null, json!(["bob", "cyd"])),
        member("bob", 2, "unstable", 31_000_000.into(), json!(["ada"])),
        member("cyd", 3, "down", Value::Null, json!([])),
    ];
    let mut network = json!({ "network": "lan", "index": 0, "members": members });
    network.as_object_mut().unwrap().extend(ring.as_object().unwrap().clone());
    let told = json!({ "pid": 7, "node": "ada", "monitoring": monitoring, "beat": 40_000_000, "detect": 400_000_000,
        "networks": [network] });
    check(&format!("topology-{name}.txt"), &topology::render(&topology::read(told).unwrap(), Paint::Plain));
}

#[test]
fn the_networks_and_who_watches_whom() {
    check_topology("mesh", "mesh", &json!({}));
    check_topology("ring", "ring", &json!({ "leader": "bob", "crown_prince": "ada", "instance": 4 }));
}

const CLUSTER_FILE: &str = r#"
schema = 1
cluster = { name = "demo" }
[node]
ada = { address = { lan = "10.11.0.1" } }
bob = { address = { lan = "10.11.0.2" } }
cyd = { address = { lan = "10.11.0.3" } }
[network]
lan = { subnet = "10.11.0.0/24" }
"#;

/// A repository in use: ada has claimed it after bob was cut off, bob's beat is damaged, cyd was never there.
fn repository_in_use() -> repository::Survey {
    let ledger = Ledger::begin(CLUSTER_FILE.into());
    let (stamp, bytes) = (ledger.head().stamp(), ledger.to_image());
    let whose = Whose { cluster: ClusterId([0x11; 16]), repository: RepositoryId([0xa5; 16]) };
    let layout = Layout::new(4).unwrap();
    let maker = Hand::maker(whose, 1);
    let header = Header { number: 2, layout, name: "demo".into() };
    let mut acts: Vec<Act> = maker.create(header, stamp, &bytes).collect();
    let view = |counter| ViewId { counter, coordinator: NodeId(1) };
    let both: NodeSet = [1, 2].map(NodeId).into_iter().collect();
    for node in [1, 2] {
        let hand = Hand { writer: Incarnation { node: NodeId(node), start: 3 }, ..maker };
        let record = repository::Record { view: view(12), members: both, generation: 1 };
        acts.extend(hand.pair(layout, Area::Record, 1, &record.encode()));
        let beat = layout.own(Area::Beat, repository::Copy::First, NodeId(node), 0).unwrap();
        acts.push(Act::Write(beat.place, Box::new(hand.sector(&beat, 4_711, b"beat".to_vec()).encode())));
    }
    let ada = Hand { writer: Incarnation { node: NodeId(1), start: 3 }, ..maker };
    let claim =
        Claim { predecessor: view(12), generation: 1, epoch: 13, holders: NodeSet::EMPTY.with(NodeId(1)) };
    let ballot = Ballot { number: 1, node: NodeId(1) };
    let block = Block { round: 1, tried: ballot, accepted: Some((ballot, claim)) };
    acts.extend(ada.pair(layout, Area::Claim, 1, &block.encode()));
    let mut image = vec![0; layout.bytes() as usize];
    for act in acts {
        if let Act::Write(place, bytes) = act {
            image[place as usize * SECTOR_BYTES..][..SECTOR_BYTES].copy_from_slice(&bytes[..]);
        }
    }
    let beat = layout.own(Area::Beat, repository::Copy::First, NodeId(2), 0).unwrap().place as usize;
    image[beat * SECTOR_BYTES + 9] ^= 1;
    repository::survey(&mut &image[..], &mut [], &repository::Expected::default())
}

#[test]
fn what_a_repository_has() {
    let found = repository_in_use();
    let disk = repository_page::Disk {
        path: "/dev/sdx".into(),
        bytes: 512 << 20,
        block_bytes: 4_096,
        is_cached: true,
    };
    check("repository-show.txt", &repository_page::show(&disk, &found, Paint::Plain));
    check("repository-show.json", &format!("{:#}\n", repository_page::json(&disk, &found)));
}
