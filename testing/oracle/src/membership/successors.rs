//! M8, as extended virtual synchrony can have it: a life names as its previous view the one it truly came from, and a
//! view that one life comes from is what every member of it that installed it, and nothing since, comes from.
//!
//! The textbook form (whoever is in both views comes from the first) fails for a member that went through another
//! view while its fellow stood still; that is no fault, so this checks each life's own word for where it was.

use crate::checker::{Checker, demand};
use crate::event::Event;
use crate::horizon::Horizon;

/// Where each life is.
#[derive(Default)]
pub(crate) struct Successors {
    lives: Horizon,
}

impl Checker for Successors {
    fn property(&self) -> &'static str {
        "M8 agreement on successors"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        if let Some(install) = event.install() {
            let truly = self.lives.current(event.life);
            demand(truly == install.previous, || {
                let (life, id, said) = (event.life, install.view.id, install.previous);
                format!("{life} installed view {id} as coming from {said}, but it was in {truly}")
            })?;
        }
        self.lives.see(event);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::{Story, bad, good};

    #[test]
    fn lives_come_from_where_they_were() {
        let story = || Story::new().start(&[1, 2]).install(&[1, 2], 1, &[1, 2], 0);
        good(Successors::default(), story().install(&[1, 2], 2, &[1, 2], 1));
        let apart = story().install(&[2], 2, &[2], 1).install(&[1], 3, &[1, 2], 1);
        good(Successors::default(), apart.install(&[2], 3, &[1, 2], 2));
    }

    #[test]
    fn a_view_in_between_is_kept_quiet() {
        let story = Story::new().start(&[1, 2]).install(&[1, 2], 1, &[1, 2], 0).install(&[2], 2, &[2], 1);
        bad(Successors::default(), story.install(&[2], 3, &[1, 2], 1), "but it was in 2/1");
    }

    #[test]
    fn a_new_life_claims_the_past_of_the_old_one() {
        let story = Story::new().start(&[1]).install(&[1], 1, &[1], 0).crash(1).start(&[1]);
        bad(Successors::default(), story.install(&[1], 2, &[1], 1), "but it was in 0/0");
    }
}
