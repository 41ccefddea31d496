//! M3 (VIEW-AGREEMENT): two installations of one id are of one view: members, lives, who counts, primary.

use crate::checker::{Checker, demand};
use crate::event::Event;
use crate::horizon::PerView;
use phalanx_types::View;

/// Each view as it was first installed.
#[derive(Default)]
pub(crate) struct ViewAgreement {
    first: PerView<Option<View>>,
}

impl Checker for ViewAgreement {
    fn property(&self) -> &'static str {
        "M3 view agreement"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        if let Some(install) = event.install() {
            let first = self.first.of(install.view.id).get_or_insert_with(|| install.view.clone());
            demand(first == install.view, || {
                format!("{} installed {:?}, another node {first:?}", event.life, install.view)
            })?;
        }
        self.first.see(event);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::{Story, bad, good};

    #[test]
    fn all_install_the_same() {
        let story = || Story::new().start(&[1, 2, 3]).install(&[1, 2], 1, &[1, 2, 3], 0);
        good(ViewAgreement::default(), story());
        good(ViewAgreement::default(), story().install(&[1], 2, &[1], 1).install(&[3], 1, &[1, 2, 3], 0));
    }

    #[test]
    fn members_differ() {
        let story = Story::new().start(&[1, 2, 3]).install(&[1], 1, &[1, 2, 3], 0);
        let other = story.view(1, &[1, 2]);
        bad(ViewAgreement::default(), story.install_as(2, other, 0, &[2]), "2.1 installed");
    }

    #[test]
    fn one_of_them_thinks_it_is_primary() {
        let story = Story::new().start(&[1, 2, 3]).install(&[1], 1, &[1, 2, 3], 0);
        let mut other = story.view(1, &[1, 2, 3]);
        other.primary = false;
        bad(ViewAgreement::default(), story.install_as(2, other, 0, &[2]), "primary: false");
    }
}
