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
pub(super) mod tests {
    use super::*;
    use crate::story::Story;
    use crate::trial::Trial;

    pub(crate) fn trial() -> Trial {
        let first = || Story::new().start(&[1, 2, 3]).install(&[1], 1, &[1, 2, 3], 0);
        let second = |story: Story, change: fn(&mut View)| {
            let mut view = story.view(1, &[1, 2, 3]);
            change(&mut view);
            story.install_as(2, view, 0, &[2])
        };
        Trial::of(ViewAgreement::default)
            .good("all install the same", first().install(&[2, 3], 1, &[1, 2, 3], 0))
            .good("one installs it late", first().install(&[1], 2, &[1], 1).install(&[3], 1, &[1, 2, 3], 0))
            .good("one never does", first().crash(2).install(&[1, 3], 2, &[1, 3], 1))
            .bad(
                "members differ",
                second(first(), |view| view.members.retain(|node, _| node.0 != 3)),
                "2.1 installed",
            )
            .bad(
                "one of them thinks that it is primary",
                second(first(), |view| view.primary = false),
                "primary: false",
            )
            .bad(
                "a member counts for one only",
                second(first(), |view| {
                    view.members.values_mut().for_each(|member| member.counts = false);
                }),
                "counts: false",
            )
            .bad(
                "they mean different lives of one node",
                first().crash(3).start(&[3]).install_as(
                    2,
                    first().crash(3).start(&[3]).view(1, &[1, 2, 3]),
                    0,
                    &[2],
                ),
                "2.1 installed",
            )
    }
}
