//! Small models of the protocols, searched exhaustively.
//!
//! A model says what may happen and what must always hold; the search visits every state there is within its bounds. Each
//! rule of a protocol that can be left out is a variant, and the search must refute it: a model that cannot fail proves
//! nothing. What is modelled, with which bounds, is in docs/design/models.md.
#![forbid(unsafe_code)]

pub mod charter;
mod courses;
pub mod flush;
pub mod takeover;
pub mod voting;

pub use courses::{Course, Refutation, Size, courses, refutations};

use stateright::{Checker, HasDiscoveries, Model};
use std::fmt::Debug;
use std::hash::Hash;
use std::time::Instant;

/// What a search found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// How many different states there are.
    pub states: usize,
    /// How long it took.
    pub seconds: f64,
    /// Properties that do not hold, each with the way to where it fails.
    pub violations: Vec<(&'static str, String)>,
    /// Cases that should be met and were not.
    pub unmet: Vec<&'static str>,
}

/// Searches all of a model, or until a property fails.
pub fn search<M>(model: M) -> Finding
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + Send + Sync + PartialEq,
    M::Action: Clone + Debug + Send + Sync + PartialEq,
{
    let begun = Instant::now();
    let checker = model.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let discoveries = checker.discoveries();
    let fails = |property: &stateright::Property<M>| property.expectation == stateright::Expectation::Always;
    let properties = checker.model().properties();
    let (always, sometimes): (Vec<_>, Vec<_>) = properties.iter().partition(|property| fails(property));
    let way = |name: &'static str| {
        let way = discoveries.get(name)?.clone();
        let steps: Vec<String> = way.into_actions().iter().map(|action| format!("{action:?}")).collect();
        Some((name, steps.join(", ")))
    };
    let met = |name: &'static str| discoveries.contains_key(name);
    Finding {
        states: checker.unique_state_count(),
        seconds: begun.elapsed().as_secs_f64(),
        violations: always.iter().filter_map(|property| way(property.name)).collect(),
        unmet: sometimes.iter().map(|property| property.name).filter(|name| !met(name)).collect(),
    }
}
