//! Makers of everything that can be said: by chance, and one example of each.

#![allow(dead_code, reason = "each test takes some of it")]

use phalanx_groups::Vote;
use phalanx_groups::domain::{
    Attributes, Batch, Deactivation, DefaultVote, Flag, Gone, LocalName, Merge, Message, Name, Phases,
    ProviderId, Refused, Said, Service, StateValue, Summary,
};
use phalanx_session::{
    Adapter, Against, Change, Departed, Executable, Greeting, Hello, Interface, News, Notice, Proposal,
    Providers, Request, Responsiveness, Standing, Told, Turned, VERSION, Wants, Welcome, Wish,
};
use phalanx_types::{Incarnation, NodeId, Span};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub fn names() -> BoxedStrategy<Name> {
    "[!-~]{1,32}".prop_map(|text| Name::new(&text).unwrap()).boxed()
}

fn locals() -> BoxedStrategy<LocalName> {
    "[!-~]{0,16}".prop_map(|text| LocalName::new(&text).unwrap()).boxed()
}

fn states() -> BoxedStrategy<StateValue> {
    vec(any::<u8>(), 1..=256).prop_map(|bytes| StateValue::new(bytes).unwrap()).boxed()
}

fn messages() -> BoxedStrategy<Message> {
    vec(any::<u8>(), 0..=2_048).prop_map(|bytes| Message::new(bytes).unwrap()).boxed()
}

fn spans() -> impl Strategy<Value = Span> {
    any::<u64>().prop_map(Span)
}

fn phases() -> BoxedStrategy<Phases> {
    prop_oneof![Just(Phases::One), spans().prop_map(|limit| Phases::Many { limit })].boxed()
}

fn default_votes() -> impl Strategy<Value = DefaultVote> {
    prop_oneof![Just(DefaultVote::Reject), Just(DefaultVote::Approve)]
}

fn votes() -> impl Strategy<Value = Vote> {
    prop_oneof![Just(Vote::Approve), Just(Vote::Continue), Just(Vote::Reject)]
}

fn providers() -> BoxedStrategy<ProviderId> {
    (any::<u16>(), any::<u64>(), any::<i16>())
        .prop_map(|(node, start, instance)| ProviderId {
            life: Incarnation { node: NodeId(node), start },
            instance,
        })
        .boxed()
}

fn lists() -> BoxedStrategy<Providers> {
    vec(providers(), 0..=512).prop_map(Providers).boxed()
}

fn departed() -> BoxedStrategy<Departed> {
    let gone = prop_oneof![Just(Gone::Goodbye), Just(Gone::Failed), Just(Gone::NodeLost)];
    vec((providers(), gone), 0..=512).prop_map(Departed).boxed()
}

fn attributes() -> BoxedStrategy<Attributes> {
    let batch = prop_oneof![Just(Batch::None), Just(Batch::Joins), Just(Batch::Leaves), Just(Batch::Both)];
    let merge =
        prop_oneof![Just(Merge::DontCare), Just(Merge::Larger), Just(Merge::Smaller), Just(Merge::Dissolve)];
    let fields =
        (any::<u16>(), batch, any::<bool>(), phases(), phases(), default_votes(), merge, of(names()));
    fields
        .prop_map(
            |(
                client_version,
                batch,
                deactivate_on_failure,
                membership,
                reflection,
                default_vote,
                merge,
                source,
            )| Attributes {
                client_version,
                batch,
                deactivate_on_failure,
                membership,
                reflection,
                default_vote,
                merge,
                source,
            },
        )
        .boxed()
}

fn deactivations() -> BoxedStrategy<Deactivation> {
    ("[!-~]{0,256}", spans())
        .prop_map(|(flag, limit)| Deactivation { flag: Flag::new(&flag).unwrap(), limit })
        .boxed()
}

fn said() -> BoxedStrategy<Said> {
    (of(states()), of(messages()), of(default_votes()))
        .prop_map(|(state, message, default)| Said { state, message, default })
        .boxed()
}

fn wishes() -> BoxedStrategy<Wish> {
    prop_oneof![
        any::<u32>().prop_map(|code| Wish::Leave { code }),
        (lists(), of(deactivations()))
            .prop_map(|(providers, deactivate)| Wish::Expel { providers, deactivate }),
        states().prop_map(Wish::State),
        attributes().prop_map(Wish::Attributes),
        Just(Wish::Message(Service::Agreed)),
        Just(Wish::Message(Service::Safe)),
    ]
    .boxed()
}

fn addresses() -> impl Strategy<Value = IpAddr> {
    prop_oneof![any::<Ipv4Addr>().prop_map(IpAddr::V4), any::<Ipv6Addr>().prop_map(IpAddr::V6)]
}

pub fn hellos() -> BoxedStrategy<Hello> {
    let responsiveness = (spans(), spans()).prop_map(|(interval, limit)| Responsiveness { interval, limit });
    let executable = "/[a-z/]{0,60}".prop_map(|path| Executable::new(&path).unwrap());
    (locals(), of(executable), of(responsiveness))
        .prop_map(|(name, deactivate, responsiveness)| Hello { name, deactivate, responsiveness })
        .boxed()
}

pub fn greetings() -> BoxedStrategy<Greeting> {
    let turned = prop_oneof![Just(Turned::Foreign), Just(Turned::Full), Just(Turned::Forbidden)];
    prop_oneof![
        any::<u64>().prop_map(|client| Greeting::Welcome(Welcome { client, ..welcome() })),
        turned.prop_map(Greeting::Turned),
    ]
    .boxed()
}

pub fn requests() -> BoxedStrategy<Request> {
    let seat = || (names(), any::<i16>());
    let wants = any::<[bool; 4]>().prop_map(|[state, members, joins, leaves]| Wants {
        state,
        members,
        joins,
        leaves,
    });
    prop_oneof![
        (seat(), locals(), attributes()).prop_map(|((group, instance), local, attributes)| Request::Join {
            group,
            instance,
            local,
            attributes
        }),
        (seat(), wishes(), of(messages()), phases()).prop_map(
            |((group, instance), wish, message, phases)| {
                Request::Propose { group, instance, wish, message, phases }
            }
        ),
        (seat(), any::<u64>(), any::<u32>(), votes(), said()).prop_map(
            |((group, instance), protocol, phase, vote, said)| Request::Vote {
                group,
                instance,
                protocol,
                phase,
                vote,
                said
            }
        ),
        seat().prop_map(|(group, instance)| Request::Goodbye { group, instance }),
        (names(), wants).prop_map(|(group, wants)| Request::Subscribe { group, wants }),
        names().prop_map(|group| Request::Unsubscribe { group }),
        Just(Request::Quit),
        (any::<u64>(), addresses()).prop_map(|(number, address)| Request::Adapter { number, address }),
        (any::<u64>(), any::<bool>()).prop_map(|(number, well)| Request::Pong { number, well }),
    ]
    .boxed()
}

fn changes() -> BoxedStrategy<Change> {
    prop_oneof![
        lists().prop_map(Change::Join),
        departed().prop_map(Change::FailureLeave),
        (providers(), any::<u32>()).prop_map(|(provider, code)| Change::Leave { provider, code }),
        (lists(), of(deactivations()))
            .prop_map(|(providers, deactivate)| Change::Expel { providers, deactivate }),
        lists().prop_map(Change::CastOut),
        Just(Change::State),
        attributes().prop_map(Change::Attributes),
        Just(Change::Message),
        (names(), states()).prop_map(|(source, value)| Change::Reflection { source, value }),
    ]
    .boxed()
}

fn proposals() -> BoxedStrategy<Proposal> {
    (changes(), of(states()), of(messages()))
        .prop_map(|(change, state, message)| Proposal { change, state, message })
        .boxed()
}

fn summaries() -> BoxedStrategy<Summary> {
    any::<[bool; 3]>()
        .prop_map(|[default_vote, time_limit_exceeded, provider_failed]| Summary {
            default_vote,
            time_limit_exceeded,
            provider_failed,
        })
        .boxed()
}

fn standings() -> BoxedStrategy<Standing> {
    (lists(), states()).prop_map(|(members, state)| Standing { members, state }).boxed()
}

fn refusals() -> BoxedStrategy<Refused> {
    prop_oneof![
        Just(Refused::Collide),
        Just(Refused::BadAttributes),
        Just(Refused::DuplicateInstance),
        Just(Refused::NoSourceProvider),
        Just(Refused::UnknownGroup),
        Just(Refused::NotAMember),
        Just(Refused::VoteNotExpected),
        Just(Refused::Full),
        Just(Refused::Reserved),
    ]
    .boxed()
}

fn objections() -> BoxedStrategy<Against> {
    let objection = (providers(), of(vec(any::<u8>(), 0..20)));
    let message = |bytes: Vec<u8>| Message::new(bytes).unwrap();
    let said = move |(provider, words): (ProviderId, Option<Vec<u8>>)| (provider, words.map(message));
    vec(objection, 0..8).prop_map(move |all| Against::of(all.into_iter().map(said))).boxed()
}

fn notices() -> BoxedStrategy<Notice> {
    prop_oneof![
        (any::<u64>(), of(providers()), any::<u32>(), spans(), summaries(), proposals()).prop_map(
            |(protocol, from, phase, limit, summary, proposal)| Notice::Phase {
                protocol,
                from,
                phase,
                limit,
                summary,
                proposal
            }
        ),
        (any::<u64>(), of(providers()), summaries(), proposals(), standings()).prop_map(
            |(protocol, from, summary, proposal, standing)| {
                Notice::Approved { protocol, from, summary, proposal, standing }
            }
        ),
        (any::<u64>(), of(providers()), summaries(), proposals(), standings(), objections()).prop_map(
            |(protocol, from, summary, proposal, standing, against)| {
                Notice::Rejected { protocol, from, summary, proposal, standing, against }
            }
        ),
        (any::<u64>(), lists()).prop_map(|(protocol, providers)| Notice::Silent { protocol, providers }),
        refusals().prop_map(Notice::Refused),
        (providers(), any::<bool>())
            .prop_map(|(provider, responsive)| Notice::Responsiveness { provider, responsive }),
        Just(Notice::Dissolved),
    ]
    .boxed()
}

pub fn told() -> BoxedStrategy<Told> {
    let news = prop_oneof![
        (of(states()), of(lists()), lists(), lists())
            .prop_map(|(state, members, came, left)| News::Changed { state, members, came, left }),
        refusals().prop_map(News::Refused),
        Just(News::Dissolved),
    ];
    let interface = "[a-z0-9]{1,15}".prop_map(|name| Interface::new(&name).unwrap());
    let adapter =
        (any::<u16>(), "[a-z][a-z0-9-]{0,63}", of(interface)).prop_map(|(node, network, interface)| {
            Adapter { node: NodeId(node), network: network.parse().unwrap(), interface }
        });
    prop_oneof![
        (names(), providers(), notices()).prop_map(|(group, provider, notice)| Told::Provider {
            group,
            provider,
            notice
        }),
        (names(), news).prop_map(|(group, news)| Told::Subscriber { group, news }),
        (names(), any::<i16>()).prop_map(|(group, instance)| Told::NotYours { group, instance }),
        Just(Told::Dissolved),
        any::<u64>().prop_map(|number| Told::Ping { number }),
        (any::<u64>(), of(adapter)).prop_map(|(number, adapter)| Told::Adapter { number, adapter }),
    ]
    .boxed()
}

pub fn hello() -> Hello {
    let responsiveness = Responsiveness { interval: Span::from_secs(1), limit: Span::from_secs(5) };
    Hello {
        name: LocalName::new("counter").unwrap(),
        deactivate: Executable::new("/usr/bin/off"),
        responsiveness: Some(responsiveness),
    }
}

pub fn welcome() -> Welcome {
    Welcome { client: 4, life: life(2), node: "bob".parse().unwrap(), cluster: "demo".parse().unwrap() }
}

fn life(node: u16) -> Incarnation {
    Incarnation { node: NodeId(node), start: 7 }
}

/// One example of each thing that can be said, with its bytes.
pub fn examples() -> Vec<(String, Vec<u8>)> {
    let (group, instance) = (Name::new("web").unwrap(), 3);
    let provider = ProviderId { life: life(2), instance };
    let list = || Providers(vec![provider, ProviderId { life: life(1), instance: -1 }]);
    let (state, message) = (StateValue::new(vec![1, 2]).unwrap(), Message::new(vec![9]).unwrap());
    let flag = Flag::new("off").unwrap();
    let deactivate = Some(Deactivation { flag, limit: Span::from_secs(2) });
    let attributes = Attributes { source: Some(Name::new("disk").unwrap()), ..Attributes::default() };
    let said = Said {
        state: Some(state.clone()),
        message: Some(message.clone()),
        default: Some(DefaultVote::Approve),
    };
    let wants = Wants { state: true, members: false, joins: true, leaves: false };
    let phases = Phases::Many { limit: Span::from_secs(1) };
    let propose = |wish: Wish| {
        let (group, message) = (group.clone(), None);
        Request::Propose { group, instance, wish, message, phases }
    };
    let requests = vec![
        Request::Join {
            group: group.clone(),
            instance,
            local: LocalName::new("x").unwrap(),
            attributes: attributes.clone(),
        },
        propose(Wish::Leave { code: 5 }),
        propose(Wish::Expel { providers: list(), deactivate: deactivate.clone() }),
        propose(Wish::State(state.clone())),
        propose(Wish::Attributes(attributes.clone())),
        Request::Propose {
            group: group.clone(),
            instance,
            wish: Wish::Message(Service::Safe),
            message: Some(message.clone()),
            phases: Phases::One,
        },
        Request::Vote { group: group.clone(), instance, protocol: 8, phase: 2, vote: Vote::Continue, said },
        Request::Goodbye { group: group.clone(), instance },
        Request::Subscribe { group: group.clone(), wants },
        Request::Unsubscribe { group: group.clone() },
        Request::Quit,
        Request::Adapter { number: 1, address: IpAddr::V4(Ipv4Addr::new(10, 11, 0, 1)) },
        Request::Adapter { number: 2, address: IpAddr::V6(Ipv6Addr::LOCALHOST) },
        Request::Pong { number: 3, well: true },
    ];
    let summary = Summary { default_vote: true, time_limit_exceeded: false, provider_failed: true };
    let standing = || Standing { members: list(), state: state.clone() };
    let proposal = |change: Change| Proposal { change, state: None, message: Some(message.clone()) };
    let phase = |change: Change| {
        let (limit, proposal) = (Span::from_secs(1), proposal(change));
        Notice::Phase { protocol: 8, from: None, phase: 1, limit, summary, proposal }
    };
    let rejected = || Notice::Rejected {
        protocol: 8,
        from: None,
        summary,
        proposal: proposal(Change::State),
        standing: standing(),
        against: Against::of([(provider, None), (provider, Some(message.clone()))]),
    };
    let gone = Departed(vec![(provider, Gone::Failed)]);
    let notices = vec![
        phase(Change::Join(list())),
        phase(Change::FailureLeave(gone)),
        phase(Change::Leave { provider, code: 5 }),
        phase(Change::Expel { providers: list(), deactivate }),
        phase(Change::CastOut(list())),
        phase(Change::Attributes(attributes)),
        phase(Change::Message),
        phase(Change::Reflection { source: group.clone(), value: state.clone() }),
        Notice::Approved {
            protocol: 8,
            from: Some(provider),
            summary,
            proposal: proposal(Change::State),
            standing: standing(),
        },
        Notice::Rejected {
            protocol: 8,
            from: Some(provider),
            summary,
            proposal: proposal(Change::State),
            standing: standing(),
            against: Against::default(),
        },
        Notice::Silent { protocol: 8, providers: list() },
        Notice::Refused(Refused::Collide),
        Notice::Responsiveness { provider, responsive: false },
    ];
    let provided =
        notices.into_iter().map(|notice| Told::Provider { group: group.clone(), provider, notice });
    let news = |news: News| Told::Subscriber { group: group.clone(), news };
    let adapter =
        Adapter { node: NodeId(2), network: "client".parse().unwrap(), interface: Interface::new("eth0") };
    let others = vec![
        news(News::Changed { state: Some(state.clone()), members: Some(list()), came: list(), left: list() }),
        news(News::Refused(Refused::UnknownGroup)),
        news(News::Dissolved),
        Told::NotYours { group: group.clone(), instance },
        Told::Dissolved,
        Told::Ping { number: 3 },
        Told::Adapter { number: 1, adapter: Some(adapter) },
        Told::Adapter { number: 2, adapter: None },
        // Said since: behind what there was.
        Told::Provider { group: group.clone(), provider, notice: Notice::Dissolved },
        Told::Provider { group: group.clone(), provider, notice: rejected() },
    ];
    let hellos = [
        ("hello".to_owned(), hello().write(VERSION)),
        ("welcome".to_owned(), Greeting::Welcome(welcome()).write(VERSION.newest)),
        ("turned".to_owned(), Greeting::Turned(Turned::Full).write(VERSION.newest)),
    ];
    let requests = requests
        .iter()
        .map(Request::write)
        .zip(1..)
        .map(|(bytes, number)| (format!("request-{number}"), bytes));
    let told = provided.chain(others).map(|told| told.write()).zip(1..);
    let told = told.map(|(bytes, number)| (format!("told-{number}"), bytes));
    hellos.into_iter().chain(requests).chain(told).collect()
}
