//! What must always hold of votes, and the rare cases that a search must have met to be worth something.

use super::group::{Ballot, Change, Group, Notice, Vote, each, only};
use super::{Node, Voting, World};
use stateright::Property;

/// All of them.
pub fn all(model: &Voting) -> Vec<Property<Voting>> {
    let uniform = always("V4 whoever is lost", |_, world| agree(world.nodes.iter()));
    let mut all = vec![
        always("V1 serial", |_, world| world.living().all(|node| is_serial(&node.group.told))),
        always("V2 phase barrier", |_, world| world.living().all(|node| has_voted(&node.group))),
        always("V3 outcome", |_, world| world.living().all(|node| follows(world, node))),
        always("V4 agreement", |_, world| agree(world.living())),
        always("V5 state value", |_, world| world.living().all(|node| value_follows(&node.group.told))),
        always("V6 membership first", |_, world| world.living().all(|node| goes_first(&node.group.told))),
        always("V7 failed providers leave", leave),
        always("V8 votes of nobody", |model, world| {
            world
                .living()
                .filter(|node| !node.frozen)
                .all(|node| is_meant(&node.group) && model.ignores(&node.group))
        }),
        always("L6 nobody is stuck", |model, world| !is_still(model, world) || is_quiet(world)),
        always("copies are the same", |model, world| !is_still(model, world) || same_copies(world)),
        sometimes("ended here and under way there", |_, world| {
            world.living().any(|node| world.living().any(|other| is_ahead(&node.group, &other.group)))
        }),
    ];
    all.extend(model.continues.map(|_| {
        sometimes("approved in a second phase", |_, world| {
            let second = |notice: &Notice| matches!(notice, Notice::Phase { phase: 2, .. });
            world.living().any(|node| node.group.told.iter().any(second) && node.group.value != 0)
        })
    }));
    all.extend(model.joins.then(|| {
        sometimes("a join waits for a place", |_, world| {
            let waits = |group: &Group| group.open && group.running.is_none() && !group.joining.is_empty();
            world.living().any(|node| waits(&node.group))
        })
    }));
    all.extend(model.joins.then(|| {
        sometimes("a word waits for votes", |_, world| {
            world.living().any(|node| !node.group.behind.is_empty())
        })
    }));
    all.extend(model.uniform.then_some(uniform));
    all
}

fn always(name: &'static str, holds: fn(&Voting, &World) -> bool) -> Property<Voting> {
    Property::always(name, holds)
}

fn sometimes(name: &'static str, happens: fn(&Voting, &World) -> bool) -> Property<Voting> {
    Property::sometimes(name, happens)
}

/// Nothing is under way that would happen by itself.
fn is_still(model: &Voting, world: &World) -> bool {
    let mut due = Vec::new();
    model.due(world, &mut due);
    due.is_empty()
}

fn is_quiet(world: &World) -> bool {
    world
        .living()
        .all(|Node { group, .. }| group.running.is_none() && !group.has_waiting() && group.behind.is_empty())
}

/// A group whose end has no place yet may wait for that in peace, if nothing waits for it.
fn same_copies(world: &World) -> bool {
    let mut copies = world.living().map(|node| &node.group);
    let Some(first) = copies.next() else { return true };
    copies.all(|copy| copy == first)
}

fn is_ahead(one: &Group, other: &Group) -> bool {
    one.number == other.number && one.running.is_none() && other.running.is_some()
}

/// Nodes that go on together hear the same; some are further than others.
fn agree<'a>(nodes: impl Iterator<Item = &'a Node>) -> bool {
    let told: Vec<&[Notice]> = nodes.map(|node| node.group.told.as_slice()).collect();
    told.iter().all(|one| told.iter().all(|other| one.starts_with(other) || other.starts_with(one)))
}

fn is_serial(told: &[Notice]) -> bool {
    let mut open = None;
    told.iter().all(|notice| match notice {
        Notice::Begin { number, .. } => open.replace(*number).is_none(),
        Notice::Phase { number, .. } => open == Some(*number),
        Notice::End { number, .. } => open.take() == Some(*number),
    })
}

/// Who is asked in a later phase has heard that all have voted in those before.
fn has_voted(group: &Group) -> bool {
    let Some(running) = &group.running else { return true };
    let known = |phase: u8| {
        each(running.voters & !group.lost)
            .all(|provider| group.votes.contains_key(&(group.number, phase, provider)))
    };
    (1..running.phase).all(known)
}

/// Nothing is approved that the provider of a node that goes on has rejected.
fn follows(world: &World, node: &Node) -> bool {
    node.group.told.iter().all(|notice| match notice {
        Notice::End { number, approved: true, .. } => {
            !world.rejected.iter().any(|(rejected, _)| rejected == number)
        }
        Notice::Begin { .. } | Notice::Phase { .. } | Notice::End { .. } => true,
    })
}

fn value_follows(told: &[Notice]) -> bool {
    let (mut value, mut proposed) = (0, None);
    told.iter().all(|notice| match notice {
        Notice::Begin { change, .. } => {
            proposed = if let Change::State(state) = change { Some(*state) } else { None };
            true
        }
        Notice::Phase { .. } => true,
        Notice::End { approved, value: now, .. } => {
            value = proposed.filter(|_| *approved).unwrap_or(value);
            value == *now
        }
    })
}

fn goes_first(told: &[Notice]) -> bool {
    told.iter().all(|notice| match notice {
        Notice::Begin { change: Change::State(_) | Change::Message, queued, .. } => !queued,
        Notice::Begin { .. } | Notice::Phase { .. } | Notice::End { .. } => true,
    })
}

/// Whose client is dead has left once, when all is still.
fn leave(model: &Voting, world: &World) -> bool {
    let left = |group: &Group, provider: u8| {
        let leaves = |notice: &&Notice| matches!(notice, Notice::Begin { change: Change::Leave(one), .. } if *one == provider);
        group.told.iter().filter(leaves).count()
    };
    world.living().all(|node| {
        each(world.dead).all(|provider| {
            let once = left(&node.group, provider) <= 1;
            let stays = node.group.members & only(provider) != 0;
            once && !(stays && is_still(model, world))
        })
    })
}

/// Every vote that counts is about what is voted on.
fn is_meant(group: &Group) -> bool {
    let Some(running) = &group.running else { return true };
    group.votes.iter().all(|((number, _, voter), ballot)| {
        let counts = *number == group.number && running.voters & only(*voter) != 0;
        !counts || ballot.about == running.change
    })
}

impl Voting {
    /// A vote of who is not asked, or of what is over, changes nothing that counts.
    fn ignores(&self, group: &Group) -> bool {
        let (phase, voters) =
            group.running.as_ref().map_or((0, 0), |running| (running.phase, running.voters));
        let strangers = each(0b1111 & !voters).map(|provider| (group.number, phase, provider));
        let old = each(voters)
            .flat_map(|provider| [(group.number - 1, phase, provider), (group.number, phase - 1, provider)]);
        strangers.chain(old).all(|id| {
            let mut told = group.clone();
            told.vote(self.terms, id, Ballot { vote: Vote::Reject, about: Change::Message });
            told.told == group.told && told.running == group.running
        })
    }
}
