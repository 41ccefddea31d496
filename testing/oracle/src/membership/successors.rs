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
pub(super) mod tests {
    use super::*;
    use crate::story::Story;
    use crate::trial::Trial;

    pub(crate) fn trial() -> Trial {
        let both = || Story::of(&[1, 2]);
        let apart = || both().install(&[2], 2, &[2], 1);
        let restarted = || both().crash(1).start(&[1]);
        Trial::of(Successors::default)
            .good("both come from one view", both().install(&[1, 2], 2, &[1, 2], 1))
            .good(
                "one comes by way of another",
                apart().install(&[1], 3, &[1, 2], 1).install(&[2], 3, &[1, 2], 2),
            )
            .good("a new life comes from nowhere", restarted().install(&[1], 2, &[1, 2], 0))
            .bad("a view in between is kept quiet", apart().install(&[2], 3, &[1, 2], 1), "but it was in 2/1")
            .bad(
                "a new life claims the past of the old one",
                restarted().install(&[1], 2, &[1, 2], 1),
                "but it was in 0/0",
            )
            .bad("a life claims its fellow's past", apart().install(&[1], 3, &[1, 2], 2), "but it was in 1/1")
    }
}
