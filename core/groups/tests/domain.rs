//! Stories of groups: what providers and subscribers hear when others join, propose, vote, fail and leave.

use phalanx_groups::Vote;
use phalanx_groups::domain::{
    Act, Attributes, Audience, Batch, Cast, Census, Change, DefaultVote, Domain, Flag, Gone, LocalName,
    Merge, Message, Name, Notice, Part, PhaseId, Phases, Proposal, ProviderId, Refused, Said, Service,
    StateValue, Tell, VoteWord, Word,
};
use phalanx_types::{Incarnation, NodeId, Span};
use std::collections::BTreeSet;

const VOTED: Phases = Phases::Many { limit: Span::from_secs(10) };

fn life(node: u16) -> Incarnation {
    Incarnation { node: NodeId(node), start: 1 }
}

fn provider(node: u16, instance: i16) -> ProviderId {
    ProviderId { life: life(node), instance }
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn value(text: &str) -> StateValue {
    StateValue::new(text.into()).expect("a value")
}

fn proposal(change: Change) -> Proposal {
    Proposal { change, state: None, message: None }
}

fn new_state(text: &str) -> Proposal {
    Proposal { state: Some(value(text)), ..proposal(Change::State) }
}

/// A domain and what it said since it was last asked. Who speaks here is as far as this domain is.
#[derive(Default)]
struct Bench {
    domain: Domain,
    told: Vec<Tell>,
}

impl Bench {
    fn act(&mut self, group: &str, from: u16, act: Act) {
        let seen = self.domain.seen(&name(group));
        self.act_having_seen(group, from, act, seen);
    }

    fn act_having_seen(&mut self, group: &str, from: u16, act: Act, seen: u64) {
        let word = Word { group: name(group), act, seen };
        let bytes = minicbor::to_vec(&word).expect("it can be written");
        assert_eq!(minicbor::decode::<Word>(&bytes).ok().as_ref(), Some(&word), "it survives the wire");
        self.told.extend(self.domain.hear(life(from), word));
    }

    fn cast(&mut self, who: ProviderId, phase: PhaseId, cast: Cast) {
        let word = VoteWord { phase, instance: who.instance, cast };
        assert_eq!(VoteWord::read(&word.write()).as_ref(), Some(&word), "it survives the wire");
        self.told.extend(self.domain.vote(who.life, word));
    }

    fn join(&mut self, group: &str, who: ProviderId, attributes: &Attributes) {
        let (attributes, local) = (attributes.clone(), LocalName::new("web").expect("a name"));
        self.act(group, who.life.node.0, Act::Join { instance: who.instance, local, attributes });
    }

    fn propose(&mut self, group: &str, who: ProviderId, proposal: Proposal, phases: Phases) {
        self.act(group, who.life.node.0, Act::Propose { instance: who.instance, proposal, phases });
    }

    /// In the phase that is under way.
    fn vote(&mut self, group: &str, who: ProviderId, vote: Vote, said: Said) {
        let phase = self.domain.phase(&name(group)).expect("a vote is under way");
        self.cast(who, phase, Cast::Vote { vote, said });
    }

    fn approve(&mut self, group: &str, voters: &[ProviderId]) {
        voters.iter().for_each(|who| self.vote(group, *who, Vote::Approve, Said::default()));
    }

    fn lose(&mut self, group: &str, who: ProviderId, how: Gone) {
        self.act(group, who.life.node.0, Act::Lost { instance: who.instance, how });
    }

    /// This provider has not voted in time, says its node.
    fn silent(&mut self, group: &str, who: ProviderId) {
        let phase = self.domain.phase(&name(group)).expect("a vote is under way");
        self.cast(who, phase, Cast::Silent);
    }

    /// The lowest member says that it has seen the end of the group's protocol.
    fn place(&mut self, group: &str) {
        self.act(group, 1, Act::Ended);
    }

    fn phase(&self, group: &str) -> Option<(u64, u32)> {
        self.domain.phase(&name(group)).map(|id| (id.protocol, id.phase))
    }

    fn members(&self, group: &str) -> Vec<ProviderId> {
        self.domain.group(&name(group)).map(|standing| standing.members).unwrap_or_default()
    }

    fn state(&self, group: &str) -> Vec<u8> {
        self.domain.group(&name(group)).map(|standing| standing.state.bytes().to_vec()).unwrap_or_default()
    }

    /// What was said since this was last asked, a word each.
    fn heard(&mut self) -> Vec<&'static str> {
        self.told.drain(..).map(|tell| word_for(&tell.notice)).collect()
    }
}

fn word_for(notice: &Notice) -> &'static str {
    match notice {
        Notice::Phase { .. } => "phase",
        Notice::Approved { .. } => "approved",
        Notice::Rejected { .. } => "rejected",
        Notice::Silent { .. } => "silent",
        Notice::Refused(Refused::Collide) => "collide",
        Notice::Refused(_) => "refused",
        Notice::Changed { .. } => "changed",
        Notice::Deactivate(_) => "deactivate",
        Notice::Responsiveness { .. } => "responsiveness",
        Notice::Dissolved => "dissolved",
    }
}

/// A group `web` with these providers, whose membership is not voted on.
fn group_of(members: &[ProviderId]) -> Bench {
    group_with(members, &Attributes::default())
}

fn group_with(members: &[ProviderId], attributes: &Attributes) -> Bench {
    let mut bench = Bench::default();
    members.iter().for_each(|who| bench.join("web", *who, attributes));
    assert_eq!(bench.members("web"), members);
    bench.told.clear();
    bench
}

#[test]
fn the_first_join_makes_the_group_and_those_that_differ_are_refused() {
    let mut bench = Bench::default();
    let attributes = Attributes::default();
    bench.join("web", provider(1, 1), &attributes);
    assert_eq!(bench.heard(), ["approved", "changed"]);
    bench.join("web", provider(1, 1), &attributes);
    let other = Attributes { client_version: 2, ..attributes.clone() };
    bench.join("web", provider(2, 1), &other);
    let why: Vec<Notice> = bench.told.drain(..).map(|tell| tell.notice).collect();
    let refused = [Refused::DuplicateInstance, Refused::BadAttributes].map(Notice::Refused);
    assert_eq!(why, refused);
    bench.join("web", provider(1, 2), &attributes);
    assert_eq!(bench.members("web"), [provider(1, 1), provider(1, 2)], "two of one node");
}

#[test]
fn a_join_that_is_voted_on_asks_those_that_are_there_and_the_newcomer() {
    let attributes = Attributes { membership: VOTED, ..Attributes::default() };
    let (a, b) = (provider(1, 1), provider(2, 1));
    let mut bench = Bench::default();
    bench.join("web", a, &attributes);
    bench.approve("web", &[a]);
    bench.join("web", b, &attributes);
    assert_eq!(bench.told.last().map(|tell| &tell.to), Some(&Audience::Providers(BTreeSet::from([a, b]))));
    bench.vote("web", a, Vote::Reject, Said::default());
    bench.vote("web", b, Vote::Approve, Said::default());
    assert_eq!(bench.members("web"), [a], "not let in");
}

#[test]
fn a_state_goes_through_as_many_phases_as_somebody_wants() {
    let (a, b) = (provider(1, 1), provider(2, 1));
    let mut bench = group_of(&[a, b]);
    bench.propose("web", a, new_state("half"), VOTED);
    for _ in 1..5 {
        bench.vote("web", a, Vote::Approve, Said::default());
        assert_eq!(bench.state("web"), [0], "nothing is in force before the end");
        bench.vote("web", b, Vote::Continue, Said::default());
    }
    let amended = Said { state: Some(value("whole")), ..Said::default() };
    bench.vote("web", b, Vote::Approve, amended);
    bench.vote("web", a, Vote::Approve, Said::default());
    assert_eq!(bench.state("web"), b"whole");
    assert_eq!(bench.heard(), ["phase", "phase", "phase", "phase", "phase", "approved", "changed"]);
}

/// Two groups that follow each other would let each other go on for ever, in one step of every node.
#[test]
fn a_group_made_anew_does_not_follow_one_that_follows_it() {
    let (disk, web) = (provider(1, 1), provider(1, 2));
    let follower = Attributes { source: Some(name("disk")), ..Attributes::default() };
    let mut bench = Bench::default();
    bench.join("disk", disk, &Attributes::default());
    bench.join("web", web, &follower);
    bench.propose("web", web, new_state("new"), VOTED);
    bench.lose("disk", disk, Gone::Goodbye);
    assert_eq!((bench.members("disk"), bench.members("web")), (vec![], vec![web]), "it still votes");
    bench.told.clear();
    let other_way = Attributes { source: Some(name("web")), ..Attributes::default() };
    bench.join("disk", disk, &other_way);
    let itself = Attributes { source: Some(name("mail")), ..Attributes::default() };
    bench.join("mail", disk, &itself);
    assert_eq!(bench.heard(), ["refused", "refused"]);
    bench.approve("web", &[web]);
    bench.place("web");
    assert_eq!(bench.domain.groups().count(), 0, "the follower is cast out as ever");
}

#[test]
fn a_rejection_changes_nothing_and_outweighs_everything() {
    let (a, b, c) = (provider(1, 1), provider(2, 1), provider(3, 1));
    let mut bench = group_of(&[a, b, c]);
    bench.propose("web", a, new_state("new"), VOTED);
    bench.vote("web", a, Vote::Continue, Said::default());
    bench.vote("web", b, Vote::Reject, Said::default());
    bench.vote("web", c, Vote::Approve, Said::default());
    assert_eq!(bench.state("web"), [0]);
    assert_eq!(bench.heard(), ["phase", "rejected"]);
}

#[test]
fn two_proposals_at_once_collide_and_a_vote_that_nobody_asked_for_is_nothing() {
    let (a, b) = (provider(1, 1), provider(2, 1));
    let mut bench = group_of(&[a, b]);
    bench.propose("web", a, new_state("first"), VOTED);
    bench.propose("web", b, new_state("second"), VOTED);
    bench.approve("web", &[b]);
    let before = bench.domain.clone();
    let reject = || Cast::Vote { vote: Vote::Reject, said: Said::default() };
    let in_phase = |protocol, phase| PhaseId { group: name("web"), protocol, phase };
    bench.cast(a, in_phase(2, 1), reject());
    bench.cast(provider(3, 1), in_phase(3, 1), reject());
    bench.cast(b, in_phase(3, 1), reject());
    assert_eq!(bench.domain, before, "of a protocol that is over, of a stranger, and a second one");
    bench.approve("web", &[a]);
    assert_eq!(bench.state("web"), b"first");
    assert_eq!(bench.heard(), ["phase", "collide", "approved", "changed"]);
}

#[test]
fn a_vote_that_comes_before_its_phase_is_counted_there() {
    let (a, b) = (provider(1, 1), provider(2, 1));
    let mut bench = group_of(&[a, b]);
    let early = |protocol, phase, vote| {
        (PhaseId { group: name("web"), protocol, phase }, Cast::Vote { vote, said: Said::default() })
    };
    let (phase, vote) = early(3, 1, Vote::Continue);
    bench.cast(b, phase, vote);
    let (phase, vote) = early(3, 2, Vote::Approve);
    bench.cast(b, phase, vote);
    bench.propose("web", a, new_state("new"), VOTED);
    bench.approve("web", &[a]);
    bench.approve("web", &[a]);
    assert_eq!(bench.state("web"), b"new");
    assert_eq!(bench.heard(), ["phase", "phase", "approved", "changed"]);
}

/// Here the protocol has ended when the second proposal and the join come; elsewhere it may not have.
#[test]
fn until_an_end_has_its_place_proposals_collide_and_joins_wait() {
    let (a, b, c) = (provider(1, 1), provider(2, 1), provider(3, 1));
    let mut bench = group_of(&[a, b]);
    bench.propose("web", a, new_state("first"), VOTED);
    bench.approve("web", &[a, b]);
    let second = Act::Propose { instance: 1, proposal: new_state("second"), phases: VOTED };
    bench.act_having_seen("web", 2, second, 2);
    let (local, attributes) = (LocalName::default(), Attributes::default());
    bench.act_having_seen("web", 3, Act::Join { instance: 1, local, attributes }, 0);
    assert_eq!(bench.members("web"), [a, b]);
    assert_eq!(bench.domain.unplaced().collect::<Vec<_>>(), [&name("web")]);
    bench.place("web");
    assert_eq!(bench.members("web"), [a, b, c]);
    let third = Act::Propose { instance: 1, proposal: new_state("third"), phases: Phases::One };
    bench.act_having_seen("web", 2, third, 3);
    assert_eq!(bench.state("web"), b"third", "a protocol without votes is in nobody's way");
}

#[test]
fn a_word_of_somebody_who_is_further_waits_for_the_votes_and_all_wait_behind_it() {
    let (a, b) = (provider(1, 1), provider(2, 1));
    let mut bench = group_of(&[a, b]);
    bench.propose("web", a, new_state("first"), VOTED);
    bench.approve("web", &[a]);
    let second = Act::Propose { instance: 1, proposal: new_state("second"), phases: Phases::One };
    bench.act_having_seen("web", 2, second, 3);
    bench.join("disk", a, &Attributes::default());
    assert_eq!((bench.state("web"), bench.members("disk")), (vec![0], vec![]));
    bench.approve("web", &[b]);
    assert_eq!((bench.state("web"), bench.members("disk")), (b"second".to_vec(), vec![a]));
}

#[test]
fn who_is_silent_is_counted_with_the_default_vote_and_named() {
    let check = |default_vote, state: &[u8], heard: &[&str]| {
        let (a, b) = (provider(1, 1), provider(2, 1));
        let mut bench = group_with(&[a, b], &Attributes { default_vote, ..Attributes::default() });
        bench.propose("web", a, new_state("new"), VOTED);
        bench.approve("web", &[a]);
        bench.silent("web", b);
        assert_eq!(bench.state("web"), state);
        assert_eq!(bench.heard(), heard);
    };
    check(DefaultVote::Reject, &[0], &["phase", "silent", "rejected"]);
    check(DefaultVote::Approve, b"new", &["phase", "silent", "approved", "changed"]);
}

#[test]
fn a_provider_that_fails_is_counted_once_and_leaves_afterwards() {
    let (a, b, c) = (provider(1, 1), provider(2, 1), provider(3, 1));
    let mut bench = group_of(&[a, b, c]);
    bench.propose("web", a, new_state("new"), VOTED);
    bench.lose("web", c, Gone::Failed);
    bench.lose("web", c, Gone::NodeLost);
    bench.approve("web", &[a, b]);
    assert_eq!(bench.phase("web"), Some((4, 1)), "its node has not voted for it yet");
    bench.cast(c, PhaseId { group: name("web"), protocol: 4, phase: 1 }, Cast::Failed);
    assert_eq!(bench.state("web"), [0], "its default vote rejects");
    assert_eq!(bench.members("web"), [a, b, c], "one protocol at a time");
    bench.place("web");
    assert_eq!(bench.members("web"), [a, b]);
    assert_eq!(bench.heard(), ["phase", "rejected", "approved", "changed"]);
}

#[test]
fn a_membership_that_was_rejected_does_not_bring_back_who_is_gone() {
    let attributes = Attributes { membership: VOTED, ..Attributes::default() };
    let (a, b) = (provider(1, 1), provider(2, 1));
    let mut bench = Bench::default();
    bench.join("web", a, &attributes);
    bench.approve("web", &[a]);
    bench.join("web", b, &attributes);
    bench.approve("web", &[a, b]);
    bench.lose("web", b, Gone::Goodbye);
    bench.vote("web", a, Vote::Reject, Said::default());
    assert_eq!(bench.members("web"), [a]);
    bench.propose("web", a, proposal(Change::Leave { provider: a, code: 3 }), VOTED);
    bench.vote("web", a, Vote::Reject, Said::default());
    assert_eq!(bench.members("web"), [a], "who only asked to leave is still there");
}

#[test]
fn membership_goes_before_state_and_joins_may_share_a_protocol() {
    let attributes = Attributes { membership: VOTED, batch: Batch::Joins, ..Attributes::default() };
    let (a, b, c) = (provider(1, 1), provider(2, 1), provider(3, 1));
    let mut bench = Bench::default();
    bench.join("web", a, &attributes);
    bench.join("web", b, &attributes);
    bench.join("web", c, &attributes);
    bench.propose("web", a, new_state("too early"), Phases::One);
    bench.approve("web", &[a]);
    bench.propose("web", a, new_state("still too early"), Phases::One);
    bench.approve("web", &[a, b, c]);
    assert_eq!(bench.members("web"), [a, b, c]);
    assert_eq!(bench.state("web"), [0]);
    bench.propose("web", a, new_state("now"), Phases::One);
    assert_eq!(bench.state("web"), b"now");
}

#[test]
fn the_expelled_do_not_vote_and_their_command_runs_on_their_node() {
    let (a, b) = (provider(1, 1), provider(2, 1));
    let mut bench = group_of(&[a, b]);
    let flag = Flag::new("7").expect("a flag");
    let deactivate = Some(phalanx_groups::domain::Deactivation { flag, limit: Span::from_secs(5) });
    let change = Change::Expel { providers: BTreeSet::from([b]), deactivate };
    bench.propose("web", a, proposal(change), VOTED);
    bench.approve("web", &[a]);
    assert_eq!(bench.members("web"), [a]);
    let to_b = |tell: &Tell| {
        matches!(tell.notice, Notice::Deactivate(_)) && tell.to == Audience::Providers(BTreeSet::from([b]))
    };
    assert!(bench.told.iter().any(to_b));
    bench.propose("web", b, new_state("from outside"), Phases::One);
    assert_eq!(bench.told.last().map(|tell| &tell.notice), Some(&Notice::Refused(Refused::NotAMember)));
}

#[test]
fn the_command_of_who_fails_runs_if_the_group_wants_it() {
    for wanted in [true, false] {
        let (a, b, c) = (provider(1, 1), provider(2, 1), provider(2, 2));
        let attributes =
            Attributes { deactivate_on_failure: wanted, membership: Phases::One, ..Attributes::default() };
        let mut bench = Bench::default();
        [a, b, c].into_iter().for_each(|provider| bench.join("web", provider, &attributes));
        bench.act("web", 2, Act::Lost { instance: 1, how: Gone::Failed });
        bench.act("web", 2, Act::Lost { instance: 2, how: Gone::Goodbye });
        assert_eq!(bench.members("web"), [a]);
        let deactivated: Vec<_> = bench
            .told
            .iter()
            .filter(|tell| matches!(tell.notice, Notice::Deactivate(_)))
            .map(|tell| tell.to.clone())
            .collect();
        let expected = if wanted { vec![Audience::Providers(BTreeSet::from([b]))] } else { Vec::new() };
        assert_eq!(deactivated, expected);
    }
}

#[test]
fn who_stops_to_answer_is_announced_to_all_after_what_is_under_way_and_stays() {
    let (a, b) = (provider(1, 1), provider(2, 1));
    let mut bench = group_of(&[a, b]);
    bench.propose("web", a, new_state("under way"), VOTED);
    let told = bench.told.len();
    bench.act("web", 2, Act::Responsive { instance: 1, responsive: false });
    assert_eq!(bench.told.len(), told, "nothing comes between");
    bench.approve("web", &[a, b]);
    let expected = |responsive| Tell {
        group: name("web"),
        to: Audience::Providers(BTreeSet::from([a, b])),
        notice: Notice::Responsiveness { provider: b, responsive },
    };
    bench.act("web", 1, Act::Ended);
    assert_eq!(bench.told.pop(), Some(expected(false)));
    bench.act("web", 2, Act::Responsive { instance: 1, responsive: true });
    assert_eq!(bench.told.pop(), Some(expected(true)));
    assert_eq!(bench.members("web"), [a, b]);
    let told = bench.told.len();
    bench.act("web", 3, Act::Responsive { instance: 1, responsive: false });
    assert_eq!(bench.told.len(), told, "nothing is said of who is no provider");
}

#[test]
fn whoever_hears_of_a_protocol_hears_whose_it_is() {
    let (a, b) = (provider(1, 1), provider(2, 1));
    let mut bench = group_of(&[a, b]);
    let from = |tell: &Tell| match &tell.notice {
        Notice::Phase { from, .. } | Notice::Approved { from, .. } | Notice::Rejected { from, .. } => {
            Some(*from)
        }
        Notice::Silent { .. }
        | Notice::Refused(_)
        | Notice::Changed { .. }
        | Notice::Deactivate(_)
        | Notice::Responsiveness { .. }
        | Notice::Dissolved => None,
    };
    assert!(
        bench.told.drain(..).filter_map(|tell| from(&tell)).all(|from| from.is_none()),
        "joins are nobody's"
    );
    bench.propose("web", b, new_state("mine"), VOTED);
    bench.approve("web", &[a, b]);
    bench.propose("web", a, proposal(Change::Leave { provider: a, code: 1 }), Phases::One);
    let heard: Vec<_> = bench.told.iter().filter_map(from).collect();
    assert_eq!(heard, [Some(b), Some(b), Some(a)]);
}

#[test]
fn the_groups_that_are_always_there_are_not_joined() {
    let mut bench = Bench::default();
    for group in ["HostMembership", "AdapterMembership.client"] {
        bench.join(group, provider(1, 1), &Attributes::default());
        assert_eq!(bench.told.pop().map(|tell| tell.notice), Some(Notice::Refused(Refused::Reserved)));
    }
    assert_eq!(bench.domain.groups().count(), 0);
}

#[test]
fn a_message_is_told_with_the_phase_that_it_comes_before() {
    let (a, b) = (provider(1, 1), provider(2, 1));
    let mut bench = group_of(&[a, b]);
    let message = |text: &str| Some(Message::new(text.into()).expect("a message"));
    let first = Proposal { message: message("hello"), ..proposal(Change::Message(Service::Agreed)) };
    bench.propose("web", a, first, VOTED);
    bench.vote("web", b, Vote::Continue, Said { message: message("hello to you"), ..Said::default() });
    bench.approve("web", &[a]);
    bench.approve("web", &[a, b]);
    let said = |tell: &Tell| {
        let (Notice::Phase { proposal, .. } | Notice::Approved { proposal, .. }) = &tell.notice else {
            return None;
        };
        proposal.message.clone()
    };
    let told: Vec<_> = bench.told.iter().map(said).collect();
    assert_eq!(told, [message("hello"), message("hello to you"), None]);
}

#[test]
fn a_target_follows_its_source_and_is_cast_out_after_it() {
    let (s1, s2, t1, t2) = (provider(1, 1), provider(2, 1), provider(1, 9), provider(2, 9));
    let mut bench = Bench::default();
    let target = Attributes { source: Some(name("disk")), ..Attributes::default() };
    bench.join("web", t1, &target);
    assert_eq!(bench.told.last().map(|tell| &tell.notice), Some(&Notice::Refused(Refused::NoSourceProvider)));
    [s1, s2].iter().for_each(|who| bench.join("disk", *who, &Attributes::default()));
    [t1, t2].iter().for_each(|who| bench.join("web", *who, &target));
    bench.propose("disk", s1, new_state("degraded"), Phases::One);
    let reflected = |tell: &Tell| {
        matches!(&tell.notice, Notice::Approved { proposal, .. }
            if matches!(&proposal.change, Change::Reflection { value: seen, .. } if *seen == value("degraded")))
    };
    assert!(bench.told.iter().any(reflected));
    bench.told.clear();
    bench.lose("disk", s2, Gone::Failed);
    assert_eq!(bench.members("web"), [t1]);
    let groups: Vec<&str> = bench.told.iter().map(|tell| tell.group.as_str()).collect();
    assert_eq!(groups, ["disk", "disk", "web", "web"], "the source first");
}

#[test]
fn when_one_failure_hits_both_the_source_ends_its_protocol_before_the_target_begins() {
    let voted = Attributes { membership: VOTED, ..Attributes::default() };
    let (s1, s2, t1, t2) = (provider(1, 1), provider(2, 1), provider(1, 9), provider(2, 9));
    let mut bench = Bench::default();
    bench.join("disk", s1, &voted);
    bench.approve("disk", &[s1]);
    bench.join("disk", s2, &voted);
    bench.approve("disk", &[s1, s2]);
    let target = Attributes { source: Some(name("disk")), ..voted.clone() };
    bench.join("web", t1, &target);
    assert_eq!(bench.phase("web"), None, "whether it has a source beside it is not decided everywhere");
    bench.place("disk");
    bench.approve("web", &[t1]);
    bench.join("web", t2, &target);
    bench.approve("web", &[t1, t2]);
    bench.told.extend(bench.domain.keep(&BTreeSet::from([life(1)])));
    assert!(bench.phase("disk").is_some() && bench.phase("web").is_none());
    bench.approve("disk", &[s1]);
    bench.place("disk");
    assert!(bench.phase("disk").is_none() && bench.phase("web").is_some());
    bench.approve("web", &[t1]);
    assert_eq!(bench.members("web"), [t1]);
}

#[test]
fn who_fails_and_is_to_be_cast_out_leaves_once() {
    let (s1, s2) = (provider(1, 1), provider(2, 1));
    let (t1, t2, t3) = (provider(1, 9), provider(2, 8), provider(2, 9));
    let mut bench = Bench::default();
    [s1, s2].iter().for_each(|who| bench.join("disk", *who, &Attributes::default()));
    let target = Attributes { source: Some(name("disk")), membership: VOTED, ..Attributes::default() };
    for count in 1..=3 {
        let there = [t1, t2, t3];
        bench.join("web", there[count - 1], &target);
        bench.approve("web", &there[..count]);
    }
    bench.place("web");
    // One after the other is cast out; while the first is, the second fails, and what their source comes to is open.
    bench.lose("disk", s2, Gone::Failed);
    bench.lose("web", t3, Gone::Failed);
    bench.propose("disk", s1, new_state("under way"), VOTED);
    bench.approve("web", &[t1, t3]);
    bench.place("web");
    assert_eq!(bench.members("web"), [t1, t3]);
    bench.approve("web", &[t1]);
    bench.place("web");
    assert_eq!((bench.members("web"), bench.phase("web")), (vec![t1], None));
}

#[test]
fn a_group_that_the_last_left_by_a_vote_is_none_once_that_has_its_place() {
    let a = provider(1, 1);
    let mut bench = group_of(&[a]);
    bench.propose("web", a, proposal(Change::Leave { provider: a, code: 0 }), VOTED);
    bench.approve("web", &[a]);
    assert_eq!(bench.domain.unplaced().collect::<Vec<_>>(), [&name("web")]);
    bench.place("web");
    assert_eq!(bench.heard(), ["phase", "approved", "changed", "dissolved"]);
}

#[test]
fn a_group_that_everybody_left_is_none_and_begins_anew() {
    let a = provider(1, 1);
    let mut bench = group_of(&[a]);
    bench.propose("web", a, new_state("old"), Phases::One);
    bench.lose("web", a, Gone::Goodbye);
    assert_eq!(bench.told.last().map(|tell| &tell.notice), Some(&Notice::Dissolved));
    assert_eq!(bench.domain.groups().count(), 0);
    bench.join("web", provider(2, 1), &Attributes { client_version: 9, ..Attributes::default() });
    assert_eq!(bench.state("web"), [0]);
}

#[test]
fn subscribers_hear_of_the_end_of_a_group_however_much_happened_in_others() {
    let (short, long) = (provider(1, 1), provider(1, 2));
    let mut bench = Bench::default();
    bench.join("short", short, &Attributes::default());
    bench.join("long", long, &Attributes::default());
    for state in ["a", "b", "c"] {
        bench.propose("long", long, new_state(state), Phases::One);
    }
    bench.lose("long", long, Gone::Goodbye);
    bench.told.clear();
    bench.lose("short", short, Gone::Goodbye);
    assert_eq!(bench.heard(), ["approved", "changed", "dissolved"]);
}

#[test]
fn what_a_joiner_takes_over_is_all_there_is() {
    let (a, b) = (provider(1, 1), provider(2, 1));
    let mut bench = group_of(&[a, b]);
    bench.propose("web", a, new_state("new"), VOTED);
    bench.approve("web", &[a]);
    let bytes = minicbor::to_vec(&bench.domain).expect("it can be written");
    let mut other = Bench { domain: minicbor::decode(&bytes).expect("and read"), told: Vec::new() };
    assert_eq!(other.domain, bench.domain);
    other.approve("web", &[b]);
    assert_eq!(other.state("web"), b"new");
}

/// Each group of the first part has two providers, on nodes 1 and 2; the other part has one, on node 3.
#[test]
fn where_parts_meet_merge_control_says_which_groups_go_on() {
    let groups = [
        ("any", Merge::DontCare),
        ("large", Merge::Larger),
        ("small", Merge::Smaller),
        ("end", Merge::Dissolve),
    ];
    let part = |nodes: &[u16]| {
        let mut bench = Bench::default();
        for (group, merge) in groups {
            let attributes = Attributes { merge, ..Attributes::default() };
            nodes.iter().for_each(|node| bench.join(group, provider(*node, 1), &attributes));
        }
        let censuses: Vec<Census> = nodes.iter().map(|node| bench.domain.census(life(*node))).collect();
        let counted = Part::of(&censuses);
        (bench, counted)
    };
    let left = |(mut bench, own): (Bench, Part), other: Part| {
        bench.told = bench.domain.merge(&own, &[other]);
        let told: Vec<_> =
            bench.told.iter().map(|tell| (tell.group.as_str(), &tell.to, &tell.notice)).collect();
        assert!(told.iter().all(|(_, _, notice)| **notice == Notice::Dissolved), "{told:?}");
        bench.domain.groups().map(|(name, _)| name.to_string()).collect::<Vec<_>>()
    };
    let ((larger, two), (smaller, one)) = (part(&[1, 2]), part(&[3]));
    let (other, another) = (one.clone(), two.clone());
    assert_eq!(left((larger, two), other), ["any", "large"]);
    assert_eq!(left((smaller, one), another), ["any", "small"]);
    let (alone, own) = part(&[1, 2]);
    assert_eq!(left((alone, own), Part::default()), ["any", "end", "large", "small"], "nobody was elsewhere");
}

#[test]
fn a_group_that_merge_control_ends_ends_in_the_middle_of_anything_and_begins_anew() {
    let (a, b, c) = (provider(1, 1), provider(2, 1), provider(1, 2));
    let attributes = Attributes { merge: Merge::Dissolve, ..Attributes::default() };
    let mut bench = group_with(&[a, b], &attributes);
    let follower = Attributes { source: Some(name("web")), ..Attributes::default() };
    bench.join("mail", c, &follower);
    bench.propose("web", a, new_state("new"), VOTED);
    bench.join("web", provider(3, 1), &attributes);
    bench.told.clear();
    let (ours, theirs) = ([1, 2].map(|node| bench.domain.census(life(node))), group_with(&[a], &attributes));
    let theirs = Part::of([&theirs.domain.census(life(1))]);
    let told = bench.domain.merge(&Part::of(&ours), &[theirs]);
    let all = BTreeSet::from([a, b, provider(3, 1)]);
    assert_eq!(told[0].to, Audience::Providers(all), "who wanted to join, too");
    bench.told.extend(told);
    assert_eq!(bench.heard(), ["dissolved", "dissolved", "approved", "changed", "dissolved"]);
    assert_eq!(bench.domain.groups().count(), 0, "who follows it is cast out");

    let seen = bench.domain.seen(&name("web"));
    bench.join("web", b, &attributes);
    assert!(bench.domain.seen(&name("web")) > seen, "no number is used twice");
    assert_eq!((bench.members("web"), bench.state("web")), (vec![b], vec![0]));
}
