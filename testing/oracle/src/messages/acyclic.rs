//! G8: what all lives deliver and install, in the orders in which each does, contradicts itself nowhere: the union of all
//! local orders has no cycle, across all views.
//!
//! Goes by what lives do alone, not by the places and views that messages are labelled with. What stands in the order gets a
//! level above all that is known to come before it; an order without a cycle has such levels. What was first done in
//! a view that every living life has left is forgotten: nobody may come back to it (G11).

use crate::checker::{Checker, demand};
use crate::event::Event;
use crate::horizon::Horizon;
use phalanx_events::MessageId;
use phalanx_types::{Incarnation, ViewId};
use std::collections::{BTreeMap, BTreeSet};

/// What stands in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    Installed(ViewId),
    Delivered(MessageId),
}

#[derive(Default)]
struct Place {
    level: u64,
    next: BTreeSet<Mark>,
}

/// The union of all local orders.
#[derive(Default)]
pub(crate) struct Acyclic {
    horizon: Horizon,
    places: BTreeMap<Mark, Place>,
    /// What was first done in each view.
    batches: BTreeMap<ViewId, Vec<Mark>>,
    /// The last thing that each living life did.
    last: BTreeMap<Incarnation, Mark>,
}

impl Acyclic {
    fn enter(&mut self, mark: Mark, view: ViewId) {
        self.places.entry(mark).or_insert_with(|| {
            self.batches.entry(view).or_default().push(mark);
            Place::default()
        });
    }

    /// `earlier` comes right before `later` somewhere.
    fn join(&mut self, earlier: Mark, later: Mark) -> Result<(), String> {
        let place = self.places.entry(earlier).or_default();
        if !place.next.insert(later) {
            return Ok(());
        }
        let above = place.level + 1;
        self.lift(later, above, earlier)
    }

    /// Lifts a mark to `level` and what follows it above that; none of it may be `base`, which comes before.
    fn lift(&mut self, mark: Mark, level: u64, base: Mark) -> Result<(), String> {
        let mut low = vec![(mark, level)];
        while let Some((mark, level)) = low.pop() {
            let Some(place) = self.places.get_mut(&mark).filter(|place| place.level < level) else {
                continue;
            };
            demand(mark != base, || format!("{base:?} comes before and after what follows it"))?;
            place.level = level;
            low.extend(place.next.iter().map(|next| (*next, level + 1)));
        }
        Ok(())
    }

    fn forget(&mut self) {
        let floor = self.horizon.floor();
        while self.batches.first_key_value().is_some_and(|(id, _)| *id < floor) {
            let (_, marks) = self.batches.pop_first().expect("there is a first");
            marks.iter().for_each(|mark| drop(self.places.remove(mark)));
        }
    }
}

fn mark(event: &Event) -> Option<Mark> {
    let installed = event.install().map(|install| Mark::Installed(install.view.id));
    installed.or_else(|| event.delivery().map(|delivery| Mark::Delivered(delivery.message)))
}

impl Checker for Acyclic {
    fn property(&self) -> &'static str {
        "G8 one past"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        let moved = self.horizon.see(event);
        if let Some(mark) = mark(event) {
            self.enter(mark, self.horizon.current(event.life));
            if let Some(last) = self.last.insert(event.life, mark) {
                self.join(last, mark)?;
            }
        }
        if event.ends_life() {
            self.last.remove(&event.life);
        }
        if moved {
            self.forget();
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::story::Story;
    use crate::trial::Trial;
    use phalanx_events::Service::Agreed;

    pub(crate) fn trial() -> Trial {
        let three = || Story::of(&[1, 2, 3]);
        let (a, b, c) = ((1, 1), (2, 1), (3, 1));
        let apart = || three().deliver_agreed(&[1, 2], a, 1, 1).install(&[1], 2, &[1], 1);
        Trial::of(Acyclic::default)
            .good(
                "one is behind and comes after",
                three()
                    .deliver_agreed(&[1], a, 1, 1)
                    .deliver_agreed(&[1], b, 1, 2)
                    .deliver_agreed(&[2], a, 1, 1)
                    .install(&[1], 2, &[1], 1)
                    .deliver_late(&[2], b, 1, 2, Agreed),
            )
            .good(
                "two sides go apart and meet again",
                apart()
                    .deliver_agreed(&[2], b, 1, 2)
                    .install(&[2, 3], 3, &[2, 3], 1)
                    .deliver_agreed(&[2, 3], c, 3, 1)
                    .install(&[1], 4, &[1, 2, 3], 2)
                    .install(&[2, 3], 4, &[1, 2, 3], 3),
            )
            .good(
                "they see different messages in no order",
                three().deliver_agreed(&[1], a, 1, 1).deliver_agreed(&[2], b, 1, 1).deliver_agreed(
                    &[3],
                    c,
                    1,
                    1,
                ),
            )
            .good(
                "a new life knows nothing of what the old one did",
                apart().crash(2).start(&[2]).deliver_agreed(&[2], c, 1, 1).install(&[2], 3, &[2], 0),
            )
            .bad(
                "two see two messages in two orders",
                three()
                    .deliver_agreed(&[1], a, 1, 1)
                    .deliver_agreed(&[1], b, 1, 2)
                    .deliver_agreed(&[2], b, 1, 1)
                    .deliver_agreed(&[2], a, 1, 2),
                "comes before and after",
            )
            .bad(
                "no two disagree, but all three do",
                three()
                    .deliver_agreed(&[1], a, 1, 1)
                    .deliver_agreed(&[1], b, 1, 2)
                    .deliver_agreed(&[2], b, 1, 1)
                    .deliver_agreed(&[2], c, 1, 2)
                    .deliver_agreed(&[3], c, 1, 1)
                    .deliver_agreed(&[3], a, 1, 2),
                "comes before and after",
            )
            .bad(
                "a message is before a view to one and after it to the other",
                three().deliver_agreed(&[1], a, 1, 1).install(&[1, 2], 2, &[1, 2], 1).deliver_agreed(
                    &[2],
                    a,
                    1,
                    1,
                ),
                "before and after",
            )
            .bad(
                "two install two views in two orders",
                three()
                    .install(&[1], 2, &[1, 2], 1)
                    .install(&[1], 3, &[1, 2], 2)
                    .install(&[2], 3, &[1, 2], 1)
                    .install(&[2], 2, &[1, 2], 3),
                "comes before and after",
            )
    }

    #[test]
    fn what_every_living_life_has_left_is_forgotten() {
        let story = Story::of(&[1, 2]).deliver_agreed(&[1, 2], (1, 1), 1, 1);
        let story = (2..50).fold(story, |story, view| {
            let story = story.install(&[1, 2], view, &[1, 2], view - 1);
            story.deliver_agreed(&[1, 2], (1, view), view, 1)
        });
        let mut checker = Acyclic::default();
        story.events().for_each(|event| checker.see(&event).unwrap());
        assert_eq!((checker.places.len(), checker.batches.len()), (2, 1), "view 49 and its message");
    }
}
