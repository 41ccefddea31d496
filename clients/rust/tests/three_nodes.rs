//! Clients of three real daemons in three network namespaces: they join, vote, collide, fail, are asked and put out, and hear
//! of nodes and adapters.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::wildcard_enum_match_arm, reason = "whatever else is heard fails the story")]

#[path = "../../../apps/phalanxd/tests/hosts/mod.rs"]
mod hosts;

use hosts::{NODES, program, status, three_nodes};
use phalanx_client::{
    Adapter, Attributes, Change, Client, ClientError, Deactivation, Departed, Event, Executable, Flag, Gone,
    Interface, Message, Name, News, NodeId, Outcome, Phase, Phases, Providers, Refused, Responsiveness, Said,
    Seat, Settings, Span, StateValue, Vote, Wants, Wish,
};
use phalanx_exec::Cgroup;
use phalanx_sandbox::{CgroupGuard, SCRATCH, eventually, shell};
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::ExitCode;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);
const VOTED: Phases = Phases::Many { limit: Span::from_secs(10) };
const MEMBERS: Wants = Wants { state: false, members: true, joins: false, leaves: false };

fn main() -> ExitCode {
    program(story)
}

fn story() {
    let root = Cgroup::root(&format!("phalanx-test-{}", phalanx_host::now().0)).unwrap();
    let _guard = CgroupGuard(root.path());
    fs::create_dir_all(format!("{SCRATCH}/cyd")).unwrap();
    // The other daemons start no command, and a plain directory does.
    symlink(root.path(), format!("{SCRATCH}/cyd/cgroup")).unwrap();
    let (mut guards, mut daemons) = three_nodes();
    let mut hosts = connect("ada");
    hosts.subscribe(&name("HostMembership"), MEMBERS).unwrap();
    assert_eq!(nodes(&mut hosts), [1, 2, 3]);

    let mut clients = NODES.map(connect);
    let seats = join_one_after_the_other(&mut clients);
    change_the_state_in_two_phases(&mut clients, &seats);
    two_proposals_collide(&mut clients, &seats);
    who_does_not_answer_is_announced(&mut clients);
    who_is_expelled_is_deactivated(&mut clients, &seats);
    addresses_are_known();
    a_cable_is_pulled();
    the_asynchronous_client_does_the_same();
    a_flood_moves_nothing(&mut clients, &seats);
    the_example_counts();

    let [mut ada, mut bob, cyd] = clients;
    drop(cyd);
    for client in [&mut ada, &mut bob] {
        let phase = asked(client);
        let Change::FailureLeave(Departed(gone)) = &phase.proposal.change else { panic!("{phase:?}") };
        assert!(matches!(gone.as_slice(), [(provider, Gone::Failed)] if provider.life.node == NodeId(3)));
        client.vote(&phase, Vote::Approve, Said::default()).unwrap();
    }
    assert!([&mut ada, &mut bob].into_iter().all(|client| approved(client).standing.members.0.len() == 2));

    let mut left = connect("cyd");
    daemons[2].kill().and_then(|()| daemons[2].wait()).unwrap();
    assert_eq!(nodes(&mut hosts), [1, 2]);
    assert!(matches!(left.next_event(), Err(ClientError::Ended)));
    ada.quit().unwrap();
    let phase = asked(&mut bob);
    assert!(matches!(phase.proposal.change, Change::FailureLeave(_)));
    let everybody = guards.iter_mut().chain(&mut daemons[..2]);
    everybody.for_each(|child| child.kill().and_then(|()| child.wait().map(drop)).unwrap());
}

/// Each join is voted on by those who are there and by who joins.
fn join_one_after_the_other(clients: &mut [Client; 3]) -> [Seat; 3] {
    let attributes = Attributes { membership: VOTED, ..Attributes::default() };
    let mut seats = Vec::new();
    for count in 1..=3 {
        seats.push(clients[count - 1].join(&name("web"), 1, attributes.clone()).unwrap());
        for client in &mut clients[..count] {
            let phase = asked(client);
            assert!(matches!(&phase.proposal.change, Change::Join(Providers(joining)) if joining.len() == 1));
            client.vote(&phase, Vote::Approve, Said::default()).unwrap();
        }
        for client in &mut clients[..count] {
            let members: Vec<u16> =
                approved(client).standing.members.0.iter().map(|it| it.life.node.0).collect();
            assert_eq!(members, (1..=count as u16).collect::<Vec<_>>(), "who joined first comes first");
        }
    }
    let again = clients[0].join(&name("web"), 1, attributes).unwrap();
    let expected = Event::Refused { seat: again, why: Refused::DuplicateInstance };
    assert_eq!(next(&mut clients[0]), expected);
    seats.try_into().unwrap()
}

fn change_the_state_in_two_phases(clients: &mut [Client; 3], seats: &[Seat; 3]) {
    clients[1].propose(&seats[1], Wish::State(value("first")), None, VOTED).unwrap();
    for (number, vote) in [(1, Vote::Continue), (2, Vote::Approve)] {
        for client in clients.iter_mut() {
            let phase = asked(client);
            assert_eq!(phase.phase, number);
            assert_eq!(phase.from.map(|from| from.life.node), Some(NodeId(2)), "bob proposed it");
            let state = Some(value("second")).filter(|_| number == 1);
            client.vote(&phase, vote, Said { state, ..Said::default() }).unwrap();
        }
    }
    for client in clients {
        assert_eq!(approved(client).standing.state, value("second"), "a vote brought another one");
    }
}

fn two_proposals_collide(clients: &mut [Client; 3], seats: &[Seat; 3]) {
    for (client, seat) in clients.iter_mut().zip(seats).take(2) {
        client.propose(seat, Wish::State(value("mine")), None, VOTED).unwrap();
    }
    let mut refused = 0;
    for client in clients.iter_mut() {
        let phase = loop {
            match next(client) {
                Event::Phase(phase) => break phase,
                Event::Refused { why: Refused::Collide, .. } => refused += 1,
                event => panic!("{event:?}"),
            }
        };
        let message = Message::new(b"no".to_vec()).ok();
        client.vote(&phase, Vote::Reject, Said { message, ..Said::default() }).unwrap();
    }
    for client in clients.iter_mut() {
        loop {
            match next(client) {
                Event::Rejected(Outcome { standing, against, .. }) => {
                    assert_eq!(
                        against.iter().filter(|one| one.words == Some(b"no")).count(),
                        3,
                        "all say so"
                    );
                    break assert_eq!(standing.state, value("second"));
                }
                Event::Refused { why: Refused::Collide, .. } => refused += 1,
                event => panic!("{event:?}"),
            }
        }
    }
    assert_eq!(refused, 1, "one began, the other collided");
}

/// It joins and hears nothing more, for it does not listen.
fn who_does_not_answer_is_announced(clients: &mut [Client; 3]) {
    let often = Responsiveness { interval: Span::from_millis(100), limit: Span::from_secs(1) };
    let mut deaf = Client::connect(&Settings { responsiveness: Some(often), ..settings("bob") }).unwrap();
    let seat = deaf.join(&name("web"), 2, Attributes { membership: VOTED, ..Attributes::default() }).unwrap();
    let phase = asked(&mut deaf);
    deaf.vote(&phase, Vote::Approve, Said::default()).unwrap();
    for client in clients.iter_mut() {
        let phase = asked(client);
        client.vote(&phase, Vote::Approve, Said::default()).unwrap();
    }
    for client in clients.iter_mut() {
        assert_eq!(approved(client).standing.members.0.len(), 4);
        assert!(
            matches!(next(client), Event::Responsiveness { provider, responsive: false, .. } if provider.instance == 2)
        );
    }
    loop {
        if matches!(next(&mut deaf), Event::Responsiveness { responsive: true, .. }) {
            break;
        }
    }
    deaf.goodbye(&seat).unwrap();
    for client in clients.iter_mut() {
        let phase = loop {
            match next(client) {
                Event::Phase(phase) => break phase,
                Event::Responsiveness { .. } => {}
                event => panic!("{event:?}"),
            }
        };
        assert!(
            matches!(&phase.proposal.change, Change::FailureLeave(Departed(gone)) if gone[0].1 == Gone::Goodbye)
        );
        client.vote(&phase, Vote::Approve, Said::default()).unwrap();
    }
    clients.iter_mut().for_each(|client| assert_eq!(approved(client).standing.members.0.len(), 3));
}

fn who_is_expelled_is_deactivated(clients: &mut [Client; 3], seats: &[Seat; 3]) {
    let script = format!("{SCRATCH}/off");
    fs::write(&script, format!("#!/bin/sh\necho $@ > {SCRATCH}/off.said\n")).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let mut victim =
        Client::connect(&Settings { deactivate: Executable::new(&script), ..settings("cyd") }).unwrap();
    let life = victim.place().life;
    victim.join(&name("web"), 9, Attributes { membership: VOTED, ..Attributes::default() }).unwrap();
    let phase = asked(&mut victim);
    victim.vote(&phase, Vote::Approve, Said::default()).unwrap();
    for client in clients.iter_mut() {
        let phase = asked(client);
        client.vote(&phase, Vote::Approve, Said::default()).unwrap();
    }
    let joined: Vec<Outcome> = clients.iter_mut().map(approved).collect();
    let member = joined[0].standing.members.0[3];
    assert_eq!((member.life, member.instance), (life, 9));
    let deactivate = Some(Deactivation { flag: Flag::new("now").unwrap(), limit: Span::from_secs(5) });
    let wish = Wish::Expel { providers: Providers(vec![member]), deactivate };
    clients[0].propose(&seats[0], wish, None, Phases::One).unwrap();
    clients.iter_mut().for_each(|client| assert_eq!(approved(client).standing.members.0.len(), 3));
    approved(&mut victim);
    assert!(matches!(approved(&mut victim).proposal.change, Change::Expel { .. }), "it hears of it");
    let said = || fs::read_to_string(format!("{SCRATCH}/off.said")).unwrap_or_default();
    let expected = format!("{} 5 now 9\n", std::process::id());
    eventually("its command has run", || said() == expected);
}

fn addresses_are_known() {
    let mut client = connect("bob");
    let adapter = |node, network: &str, interface| {
        Some(Adapter { node: NodeId(node), network: network.parse().unwrap(), interface })
    };
    let mut ask = |address: &str| client.adapter(address.parse::<IpAddr>().unwrap()).unwrap();
    assert_eq!(ask("10.11.0.2"), adapter(2, "client", Interface::new("eth0")));
    assert_eq!(ask("fd00:11::3"), adapter(3, "back", None));
    assert_eq!(ask("10.11.0.77"), None);
    let place = client.place();
    assert_eq!((place.life.node, place.node.as_str(), place.cluster.as_str()), (NodeId(2), "bob", "demo"));
}

fn a_cable_is_pulled() {
    let mut client = connect("ada");
    client.subscribe(&name("AdapterMembership.client"), MEMBERS).unwrap();
    while nodes(&mut client) != [1, 2, 3] {}
    shell("ip link set client-bob down");
    assert_eq!(nodes(&mut client), [1, 3]);
    shell("ip link set client-bob up");
    assert_eq!(nodes(&mut client), [1, 2, 3]);
    client.subscribe(&name("AdapterMembership.moon"), MEMBERS).unwrap();
    let unknown = News::Refused(Refused::UnknownGroup);
    assert_eq!(next(&mut client), Event::News { group: name("AdapterMembership.moon"), news: unknown });
    let seat = client.join(&name("HostMembership"), 1, Attributes::default()).unwrap();
    assert_eq!(next(&mut client), Event::Refused { seat, why: Refused::Reserved });
}

/// Three counters on three nodes count together, and two go on when one is killed.
fn the_example_counts() {
    let example = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("examples/counter");
    let heard = |node: &str| format!("{SCRATCH}/{node}/counted");
    let start = |node: &str| {
        let said = fs::File::create(heard(node)).unwrap();
        let run_dir = format!("{SCRATCH}/{node}/run");
        std::process::Command::new(&example).args(["1", &run_dir]).stdout(said).spawn().unwrap()
    };
    let mut counters = NODES.map(start);
    let counts = |node: &str, providers: usize| {
        let with = format!(" with {providers} providers");
        let said = fs::read_to_string(heard(node)).unwrap();
        said.lines().filter_map(|line| line.strip_suffix(&with)?.parse().ok()).max().unwrap_or(0u64)
    };
    eventually("all count", || NODES.iter().all(|node| counts(node, 3) >= 1));
    counters[0].kill().and_then(|()| counters[0].wait()).unwrap();
    eventually("two go on", || NODES[1..].iter().all(|node| counts(node, 2) >= 3));
    counters[1..].iter_mut().for_each(|it| it.kill().and_then(|()| it.wait().map(drop)).unwrap());
}

/// One client asks for as much as it can, and begins anew when it is dropped; the daemons' beats go on, and so does the group.
fn a_flood_moves_nothing(clients: &mut [Client; 3], seats: &[Seat; 3]) {
    let view = || NODES.map(|node| status(node).unwrap()["view"].to_string());
    let before = view();
    let flood = std::thread::spawn(|| {
        let mut dropped = 0;
        while dropped < 2 {
            let mut floods = connect("ada");
            let seat = floods.join(&name("flood"), 7, Attributes::default()).unwrap();
            while floods.propose(&seat, Wish::State(value("more")), None, Phases::One).is_ok() {}
            dropped += 1;
        }
    });
    let mut rounds = 0;
    while !flood.is_finished() || rounds < 3 {
        rounds += 1;
        clients[1].propose(&seats[1], Wish::State(value(&rounds.to_string())), None, VOTED).unwrap();
        for client in clients.iter_mut() {
            let phase = asked(client);
            client.vote(&phase, Vote::Approve, Said::default()).unwrap();
        }
        clients.iter_mut().for_each(|client| drop(approved(client)));
    }
    flood.join().unwrap();
    assert_eq!(view(), before, "no node lost another");
}

fn the_asynchronous_client_does_the_same() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let patiently = |what: &'static str| move |_| panic!("{what}");
        let work = async {
            let mut client = phalanx_client::asynchronous::Client::connect(&settings("bob")).await.unwrap();
            client.subscribe(&name("HostMembership"), MEMBERS).await.unwrap();
            assert!(matches!(client.next_event().await.unwrap(), Event::News { .. }));
            let seat = client.join(&name("alone"), 1, Attributes::default()).await.unwrap();
            assert!(matches!(client.next_event().await.unwrap(), Event::Approved(_)));
            client.propose(&seat, Wish::State(value("mine")), None, VOTED).await.unwrap();
            let Event::Phase(phase) = client.next_event().await.unwrap() else {
                panic!("no vote is asked for")
            };
            client.vote(&phase, Vote::Approve, Said::default()).await.unwrap();
            let Event::Approved(outcome) = client.next_event().await.unwrap() else { panic!("not approved") };
            assert_eq!(outcome.standing.state, value("mine"));
            let adapter = client.adapter("10.11.0.1".parse().unwrap()).await.unwrap();
            assert_eq!(adapter.map(|adapter| adapter.node), Some(NodeId(1)));
            client.goodbye(&seat).await.unwrap();
            client.quit().await.unwrap();
        };
        tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(patiently("it takes too long"));
    });
}

fn settings(node: &str) -> Settings {
    Settings { run_dir: format!("{SCRATCH}/{node}/run").into(), ..Settings::new("story").unwrap() }
}

fn connect(node: &str) -> Client {
    Client::connect(&settings(node)).unwrap()
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn value(text: &str) -> StateValue {
    StateValue::new(text.into()).unwrap()
}

fn next(client: &mut Client) -> Event {
    client.next_event_within(PATIENCE).unwrap().expect("something happens in time")
}

fn asked(client: &mut Client) -> Phase {
    match next(client) {
        Event::Phase(phase) => phase,
        event => panic!("no vote is asked for: {event:?}"),
    }
}

fn approved(client: &mut Client) -> Outcome {
    match next(client) {
        Event::Approved(outcome) => outcome,
        event => panic!("it is not approved: {event:?}"),
    }
}

/// The nodes in a group that was subscribed to, as told next.
fn nodes(client: &mut Client) -> Vec<u16> {
    match next(client) {
        Event::News { news: News::Changed { members: Some(members), .. }, .. } => {
            members.0.iter().map(|member| member.life.node.0).collect()
        }
        event => panic!("no members are told: {event:?}"),
    }
}
