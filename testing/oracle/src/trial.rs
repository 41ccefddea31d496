//! The trial of a property: stories in which it holds though a careless checker would object, and stories in which it is
//! broken so that a careless one would not see it. Each property has one, in its own file, and the docket counts them.

use crate::checker::{Checker, Oracle};
use crate::story::{Story, terms};
use crate::{liveness, membership, messages, resources, voting};

/// At least so many good stories and so many bad ones make a trial.
const STORIES_MIN: usize = 3;

/// Every property on the docket.
const ALL: [&str; 39] = [
    "M1", "M2", "M3", "M4", "M5", "M6", "M7", "M8", "M9", "G1", "G2", "G3", "G4", "G5", "G6", "G7", "G8",
    "G9", "G10", "G11", "F1", "F4", "L1", "L2", "L3", "L4", "L5", "L6", "L10", "L12", "V1", "V2", "V3", "V4",
    "V5", "V6", "V7", "V8", "L6c",
];

/// A checker, and the stories it is shown.
pub(crate) struct Trial {
    checker: Box<dyn Fn() -> Box<dyn Checker>>,
    good: Vec<(&'static str, Story)>,
    bad: Vec<(&'static str, Story, &'static str)>,
}

impl Trial {
    /// Each story is shown to a checker of its own.
    pub fn of<C: Checker + 'static>(checker: impl Fn() -> C + 'static) -> Trial {
        Trial { checker: Box::new(move || Box::new(checker())), good: Vec::new(), bad: Vec::new() }
    }

    /// The property holds in this story.
    pub fn good(mut self, name: &'static str, story: Story) -> Trial {
        self.good.push((name, story));
        self
    }

    /// The property is broken in this story, and the words say so.
    pub fn bad(mut self, name: &'static str, story: Story, words: &'static str) -> Trial {
        self.bad.push((name, story, words));
        self
    }

    fn property(&self) -> &'static str {
        (self.checker)().property()
    }

    /// Holds it, and says in words where the checker judged wrongly.
    fn hold(&self) -> Vec<String> {
        let judge = |story: &Story| story.shown_to((self.checker)().as_mut());
        let property = self.property();
        let wronged = self.good.iter().filter_map(|(name, story)| {
            judge(story).err().map(|words| format!("{property}: objects to {name:?}: {words}"))
        });
        let missed = self.bad.iter().filter_map(|(name, story, expected)| match judge(story) {
            Ok(()) => Some(format!("{property}: does not see {name:?}")),
            Err(words) if words.contains(expected) => None,
            Err(words) => Some(format!("{property}: of {name:?} it says {words:?}, not {expected:?}")),
        });
        wronged.chain(missed).collect()
    }
}

fn docket() -> Vec<Trial> {
    let folders =
        [membership::trials(), messages::trials(), voting::trials(), resources::trials(), liveness::trials()];
    folders.into_iter().flatten().collect()
}

/// `M1` of `M1 self-inclusion`.
fn code(property: &str) -> &str {
    property.split(' ').next().expect("a name has a first word")
}

#[test]
fn every_property_passes_its_trial() {
    let wrong: Vec<String> = docket().iter().flat_map(Trial::hold).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_property_has_one_checker_and_one_trial_of_three_and_three() {
    let checked = Oracle::safety(&terms()).with_liveness(&terms()).properties();
    let docket = docket();
    for name in ALL {
        assert_eq!(checked.iter().filter(|property| code(property) == name).count(), 1, "checkers of {name}");
        let trials: Vec<_> = docket.iter().filter(|trial| code(trial.property()) == name).collect();
        let [trial] = trials[..] else { panic!("{} trials of {name}", trials.len()) };
        assert!(trial.good.len() >= STORIES_MIN, "{name} has {} good stories", trial.good.len());
        assert!(trial.bad.len() >= STORIES_MIN, "{name} has {} bad stories", trial.bad.len());
    }
    assert_eq!(docket.len(), ALL.len(), "a trial of a property that is not on the docket");
}
