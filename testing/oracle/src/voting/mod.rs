//! Properties of Group Services' protocols (V1 to V8 of the reference), by what the providers hear.

mod agreement;
mod asked;
mod barrier;
mod departures;
mod ends;
mod membership_first;
mod no_effect;
mod outcome;
mod serial;
mod state_value;
#[cfg(test)]
mod traces;

use crate::checker::{Checker, Terms};
use crate::event::{Event, What};
#[cfg(test)]
use crate::trial::Trial;
use phalanx_groups::domain::{Name, Notice, ProviderId};
use phalanx_groups::services::{ClientAct, ClientEvent, ClientId};
use std::fmt;

/// One checker for each property.
pub(crate) fn checkers(terms: &Terms) -> Vec<Box<dyn Checker>> {
    vec![
        Box::new(serial::Serial::default()),
        Box::new(barrier::PhaseBarrier::default()),
        Box::new(outcome::FromVotes::default()),
        Box::new(agreement::Agreement::default()),
        Box::new(state_value::StateChanges::default()),
        Box::new(membership_first::MembershipFirst::default()),
        Box::new(departures::Departures::default()),
        Box::new(no_effect::NoEffect::default()),
        Box::new(ends::Ends::new(terms)),
    ]
}

/// The trial of each property.
#[cfg(test)]
pub(crate) fn trials() -> Vec<Trial> {
    vec![
        serial::tests::trial(),
        barrier::tests::trial(),
        outcome::tests::trial(),
        agreement::tests::trial(),
        state_value::tests::trial(),
        membership_first::tests::trial(),
        departures::tests::trial(),
        no_effect::tests::trial(),
        ends::tests::trial(),
    ]
}

/// A provider, as the client that is it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seat {
    group: Name,
    provider: ProviderId,
    client: ClientId,
}

impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.provider, self.group)
    }
}

/// What a provider hears, if this is that.
fn heard(event: &Event) -> Option<(Seat, &Notice)> {
    let What::ClientHeard { client, event } = &event.what else { return None };
    let ClientEvent::Provider { group, provider, notice } = event else { return None };
    Some((Seat { group: group.clone(), provider: *provider, client: *client }, notice))
}

/// The group that a provider is told the end of: one part of a divided cluster goes on, and this group does not.
fn dissolved_group(event: &Event) -> Option<Seat> {
    heard(event).filter(|(_, notice)| matches!(notice, Notice::Dissolved)).map(|(seat, _)| seat)
}

/// Whether this node's clients are told that their domain is no more.
fn is_dissolved(event: &Event) -> bool {
    matches!(event.what, What::ClientHeard { event: ClientEvent::Dissolved, .. })
}

/// Whether with this event that provider is none any more, and will hear nothing of it.
fn leaves(event: &Event, seat: &Seat) -> bool {
    if seat.provider.life != event.life {
        return false;
    }
    if let Some(ended) = dissolved_group(event) {
        return ended == *seat;
    }
    if let What::ClientActed { client, act: ClientAct::Goodbye { group, instance } } = &event.what {
        return (client, group, *instance) == (&seat.client, &seat.group, seat.provider.instance);
    }
    let (What::ClientHeard { client, event: ClientEvent::Dissolved }
    | What::ClientActed { client, act: ClientAct::Quit }) = &event.what
    else {
        return event.ends_life();
    };
    *client == seat.client
}
