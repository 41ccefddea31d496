//! Which models are searched, within which bounds, and which variants must fail.

use crate::charter::{self, Charters};
use crate::flush::{self, Flushing};
use crate::takeover::{self, Takeover};
use crate::voting::group::Vote;
use crate::voting::{self, Terms, Voting};
use crate::{Finding, search};

/// How long a search may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Size {
    /// Seconds: with every test.
    Small,
    /// Minutes: `make models`.
    Large,
}

/// One search of a model that must hold.
pub struct Course {
    /// The model, and what happens in it.
    pub name: &'static str,
    /// How long it takes.
    pub size: Size,
    run: Box<dyn Fn() -> Finding>,
}

/// One search of a model with a rule left out, which must fail.
pub struct Refutation {
    /// The model, and the rule that is left out.
    pub name: &'static str,
    /// A property that it then lacks.
    pub property: &'static str,
    run: Box<dyn Fn() -> Finding>,
}

impl Course {
    /// Searches.
    pub fn run(&self) -> Finding {
        (self.run)()
    }
}

impl Refutation {
    /// Searches until something fails.
    pub fn run(&self) -> Finding {
        (self.run)()
    }
}

/// Everything that must hold.
pub fn courses() -> Vec<Course> {
    voting_courses()
        .into_iter()
        .chain(flush_courses())
        .chain(charter_courses())
        .chain(takeover_courses())
        .collect()
}

/// Everything that must fail.
pub fn refutations() -> Vec<Refutation> {
    let all = voting_refutations().into_iter().chain(flush_refutations());
    all.chain(charter_refutations()).chain(takeover_refutations()).collect()
}

const PLAIN: Voting = Voting::PLAIN;
const APPROVING: Terms = Terms { default: Vote::Approve, ..PLAIN.terms };
const TIGHT: Terms = Terms { providers_max: 3, ..PLAIN.terms };

fn voting_courses() -> Vec<Course> {
    use Size::{Large, Small};
    let course =
        |name, size, model: Voting| Course { name, size, run: Box::new(move || search(model.clone())) };
    let two_phases = Voting { continues: Some(0), terms: APPROVING, ..PLAIN };
    vec![
        course("voting: join, node 2 lost", Small, Voting { node_dies: Some(2), ..PLAIN }),
        course("voting: join, node 0 lost", Small, Voting { node_dies: Some(0), ..PLAIN }),
        course("voting: join, two phases", Small, two_phases.clone()),
        course(
            "voting: join, client dead, no room",
            Small,
            Voting { terms: TIGHT, client_dies: Some(1), ..PLAIN },
        ),
        course(
            "voting: join, silence, rejection",
            Small,
            Voting { silent: Some(1), rejects: Some(2), ..PLAIN },
        ),
        course(
            "voting: racing proposal and message",
            Small,
            Voting { joins: false, proposes: Some(2), sends: Some(1), ..PLAIN },
        ),
        course(
            "voting: client dead, node 2 lost",
            Small,
            Voting { joins: false, client_dies: Some(1), node_dies: Some(2), ..PLAIN },
        ),
        course(
            "voting: join, two phases, node 2 lost",
            Large,
            Voting { node_dies: Some(2), ..two_phases.clone() },
        ),
        course(
            "voting: join, two phases, silence, node 0 lost",
            Large,
            Voting { continues: Some(1), silent: Some(1), node_dies: Some(0), ..two_phases.clone() },
        ),
        course(
            "voting: join, racing proposal, two phases",
            Large,
            Voting { proposes: Some(1), ..two_phases.clone() },
        ),
        course(
            "voting: join, racing proposal, node 0 lost",
            Large,
            Voting { proposes: Some(2), node_dies: Some(0), ..PLAIN },
        ),
        course(
            "voting: join, racing proposal and message",
            Large,
            Voting { proposes: Some(2), sends: Some(1), ..PLAIN },
        ),
        course(
            "voting: two phases, node 2 lost and back",
            Large,
            Voting { joins: false, node_dies: Some(2), returns: true, ..two_phases },
        ),
        course(
            "voting: message first, node 2 lost and back",
            Large,
            Voting { joins: false, message_first: true, node_dies: Some(2), returns: true, ..PLAIN },
        ),
        course(
            "voting: message, node 2 lost and back",
            Large,
            Voting { joins: false, sends: Some(2), node_dies: Some(2), returns: true, ..PLAIN },
        ),
        course(
            "voting: join, client dead, no room, node 2 lost",
            Large,
            Voting { terms: TIGHT, client_dies: Some(1), node_dies: Some(2), ..PLAIN },
        ),
    ]
}

fn voting_refutations() -> Vec<Refutation> {
    use voting::Rule;
    let without = |name, property, rule, model: Voting| {
        let model = Voting { terms: Terms { rule, ..model.terms }, ..model };
        Refutation { name, property, run: Box::new(move || search(model.clone())) }
    };
    let lost = || Voting { node_dies: Some(2), ..PLAIN };
    let tight = || Voting { terms: TIGHT, client_dies: Some(1), ..PLAIN };
    let back = || Voting { joins: false, message_first: true, node_dies: Some(2), returns: true, ..PLAIN };
    vec![
        without("voting: an end has no place", "V4 agreement", Rule::NoPlace, lost()),
        without("voting: nobody waits for votes", "V4 agreement", Rule::NoWait, lost()),
        without("voting: votes are not flushed", "L6 nobody is stuck", Rule::NoFlush, lost()),
        without("voting: votes are forgotten at the place", "V4 agreement", Rule::Forgotten, lost()),
        without("voting: own votes count at once", "L6 nobody is stuck", Rule::OwnAtOnce, lost()),
        without("voting: a join is judged when heard", "copies are the same", Rule::JudgedWhenHeard, tight()),
        without("voting: early votes outlive their view", "V8 votes of nobody", Rule::EarlyVotesKept, back()),
        without(
            "voting: the lost are counted before the words",
            "L6 nobody is stuck",
            Rule::LostBeforeWords,
            Voting { node_dies: Some(0), ..PLAIN },
        ),
        // What the design does not promise: that those who are lost have heard the same.
        without(
            "voting: also those that are lost",
            "V4 whoever is lost",
            Rule::Whole,
            Voting { uniform: true, ..lost() },
        ),
    ]
}

fn flush_courses() -> Vec<Course> {
    use Size::{Large, Small};
    let course =
        |name, size, model: Flushing| Course { name, size, run: Box::new(move || search(model.clone())) };
    vec![
        course("flush: one round, a crash", Small, flushing(2, 1, 1, 0)),
        course("flush: one round, a cut", Small, flushing(2, 1, 0, 1)),
        course("flush: two rounds, one message", Small, flushing(1, 2, 0, 0)),
        course("flush: two rounds", Large, flushing(2, 2, 0, 0)),
        course("flush: two rounds, one message, a crash", Large, flushing(1, 2, 1, 0)),
    ]
}

fn flushing(messages: usize, rounds: u8, crashes: u8, cuts: u8) -> Flushing {
    let sends = [(1, 0), (2, 1)][..messages].to_vec();
    Flushing { rule: flush::Rule::Whole, sends, rounds, crashes, cuts }
}

fn flush_refutations() -> Vec<Refutation> {
    use flush::Rule;
    let without = |name, property, rule, model: Flushing| {
        let model = Flushing { rule, ..model };
        Refutation { name, property, run: Box::new(move || search(model.clone())) }
    };
    vec![
        without("flush: not frozen", "G4 virtual synchrony", Rule::NotFrozen, flushing(2, 1, 1, 0)),
        without(
            "flush: nothing missing is brought",
            "G4 virtual synchrony",
            Rule::NothingMissing,
            flushing(2, 1, 1, 0),
        ),
        without(
            "flush: older rounds are accepted",
            "M2 local monotonicity",
            Rule::OldRounds,
            flushing(1, 2, 0, 0),
        ),
        without("flush: safe like agreed", "G9 safe delivery", Rule::SafeAtOnce, flushing(2, 1, 1, 0)),
        without(
            "flush: a frozen view numbers on",
            "G4 virtual synchrony",
            Rule::NumbersOn,
            flushing(2, 1, 1, 0),
        ),
    ]
}

fn charter_courses() -> Vec<Course> {
    use Size::{Large, Small};
    let course =
        |name, size, model: Charters| Course { name, size, run: Box::new(move || search(model.clone())) };
    vec![
        course("charter: four nodes, one by one", Small, Charters { at_once: false, ..charters(4, 2, 3, 0) }),
        course("charter: four nodes, a crash", Small, charters(4, 2, 3, 1)),
        course("charter: five nodes", Large, charters(5, 2, 4, 0)),
    ]
}

fn charters(nodes: usize, changes: u8, views: u8, crashes: u8) -> Charters {
    Charters { rule: charter::Rule::Whole, nodes, first_view: nodes, changes, views, crashes, at_once: true }
}

fn charter_refutations() -> Vec<Refutation> {
    use charter::Rule;
    let without = |name, rule, crashes| {
        let model = Charters { rule, first_view: 3, ..charters(5, 1, 3, crashes) };
        Refutation { name, property: "ONE-PRIMARY", run: Box::new(move || search(model.clone())) }
    };
    vec![
        without("charter: said before it is on disk", Rule::SaidBeforeStored, 1),
        without("charter: settled alone", Rule::SettledAlone, 0),
        without("charter: nothing passes", Rule::AtOnce, 0),
        without("charter: a step that broke off is forgotten", Rule::BrokenOffForgotten, 0),
        without("charter: while it passes one majority is enough", Rule::OneMajority, 0),
    ]
}

fn takeover_courses() -> Vec<Course> {
    use Size::{Large, Small};
    let course =
        |name, size, model: Takeover| Course { name, size, run: Box::new(move || search(model.clone())) };
    vec![
        course("takeover: nothing else", Small, takeover(6, 0, 0)),
        course("takeover: a pause", Large, takeover(6, 1, 0)),
        course("takeover: a restart", Large, takeover(6, 0, 1)),
        course("takeover: a pause and a restart", Large, takeover(6, 1, 1)),
    ]
}

fn takeover(ticks: u8, pauses: u8, restarts: u8) -> Takeover {
    Takeover { rule: takeover::Rule::Whole, ticks, pauses, restarts }
}

fn takeover_refutations() -> Vec<Refutation> {
    use takeover::Rule;
    let without = |name, property, rule| Refutation {
        name,
        property,
        run: Box::new(move || {
            search(Takeover { rule, ..takeover(6, 0, u8::from(rule == Rule::NoQuarantine)) })
        }),
    };
    let one_owner = "R1 one owner";
    vec![
        without("takeover: the lease counts from receipt", one_owner, Rule::FromReceipt),
        without("takeover: no allowance for drift", one_owner, Rule::NoDrift),
        without("takeover: no allowance for the deadman", one_owner, Rule::NoMargin),
        without("takeover: no quarantine", one_owner, Rule::NoQuarantine),
        without("takeover: before the deadman knows", "F3 the deadman is in time", Rule::BeforeDeadman),
        without("takeover: grants go on", one_owner, Rule::GrantsGoOn),
        without("takeover: only the own promise", one_owner, Rule::OwnPromise),
    ]
}
