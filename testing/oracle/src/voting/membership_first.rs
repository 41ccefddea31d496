//! V6: membership goes first. Once a node has left the view, nothing is proposed to a group before its providers have left
//! that.
//!
//! What was said in the old view is told together with the view that ends it, at one instant; what is begun later was said
//! in the new one.

use super::heard;
use crate::checker::{Checker, demand};
use crate::event::{Event, GlobalTime};
use phalanx_groups::domain::{Name, Notice, Proposal, ProviderId};
use phalanx_types::{Incarnation, NodeId};
use std::collections::{BTreeMap, BTreeSet};

/// Who is in the view, and in the groups.
#[derive(Default)]
pub(crate) struct MembershipFirst {
    views: BTreeMap<NodeId, (GlobalTime, BTreeSet<Incarnation>)>,
    /// Each group as the providers on a node last heard it is, and the protocol that they were last asked about.
    groups: BTreeMap<(Incarnation, Name), (Vec<ProviderId>, u64)>,
}

impl MembershipFirst {
    fn begins(&self, event: &Event, group: &Name, proposal: &Proposal) -> Result<(), String> {
        let view = self.views.get(&event.life.node).filter(|(since, _)| event.at > *since);
        let known = self.groups.get(&(event.life, group.clone()));
        let (Some((_, lives)), Some((members, _))) = (view, known) else { return Ok(()) };
        let lost = members.iter().find(|member| !lives.contains(&member.life));
        demand(lost.is_none() || proposal.change.is_membership(), || {
            let lost = lost.map(ProviderId::to_string).unwrap_or_default();
            format!("{:?} begins in {group}, and {lost} is gone and has not left", proposal.change)
        })
    }

    fn judge(&self, event: &Event, group: &Name, notice: &Notice) -> Result<(), String> {
        match notice {
            Notice::Phase { phase: 1, proposal, .. } => self.begins(event, group, proposal),
            // Without votes it begins where it ends.
            Notice::Approved { protocol, proposal, .. } => {
                let known = self.groups.get(&(event.life, group.clone()));
                let asked = known.is_some_and(|(_, asked)| asked == protocol);
                if asked { Ok(()) } else { self.begins(event, group, proposal) }
            }
            Notice::Phase { .. }
            | Notice::Rejected { .. }
            | Notice::Silent { .. }
            | Notice::Refused(_)
            | Notice::Changed { .. }
            | Notice::Deactivate(_)
            | Notice::Responsiveness { .. }
            | Notice::Dissolved => Ok(()),
        }
    }

    fn note(&mut self, life: Incarnation, group: Name, notice: &Notice) {
        match notice {
            Notice::Phase { protocol, .. } => {
                self.groups.entry((life, group)).or_default().1 = *protocol;
            }
            Notice::Approved { standing, .. } | Notice::Rejected { standing, .. } => {
                self.groups.entry((life, group)).or_default().0 = standing.members.clone();
            }
            Notice::Silent { .. }
            | Notice::Refused(_)
            | Notice::Changed { .. }
            | Notice::Deactivate(_)
            | Notice::Responsiveness { .. }
            | Notice::Dissolved => {}
        }
    }
}

impl Checker for MembershipFirst {
    fn property(&self) -> &'static str {
        "V6 membership first"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        if let Some(install) = event.install() {
            let lives = install.view.members.values().map(|member| member.incarnation).collect();
            self.views.insert(event.life.node, (event.at, lives));
        }
        // Whose providers have all left hears nothing of the group any more.
        if super::is_dissolved(event) || event.ends_life() {
            self.groups.retain(|(life, _), _| *life != event.life);
        }
        if let Some(seat) = super::dissolved_group(event) {
            self.groups.remove(&(event.life, seat.group));
        }
        let Some((seat, notice)) = heard(event) else { return Ok(()) };
        self.judge(event, &seat.group, notice)?;
        self.note(event.life, seat.group, notice);
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::story::Story;
    use crate::trial::Trial;
    use phalanx_types::Span;

    const SOON: Span = Span::from_millis(50);

    pub(crate) fn trial() -> Trial {
        let three = || Story::new().start(&[1, 2, 3]).install(&[1, 2, 3], 1, &[1, 2, 3], 0);
        let heard = || three().phase(1, 6, 1).approved(1, 6);
        let lost = || heard().install(&[1, 2], 2, &[1, 2], 1);
        let lost_here = || heard().install(&[1], 2, &[1, 2], 1);
        let left = || lost().later(SOON).leaves(1, 7, 3);
        Trial::of(MembershipFirst::default)
            .good("it leaves first", left().later(SOON).phase(1, 8, 1))
            .good("said in the old view, told with the new", lost_here().at_once().phase(1, 7, 1))
            .good(
                "it was under way",
                heard().phase(1, 7, 1).install(&[1, 2], 2, &[1, 2], 1).later(SOON).approved(1, 7),
            )
            .good("a second phase of that", {
                heard().phase(1, 7, 1).install(&[1, 2], 2, &[1, 2], 1).later(SOON).phase(1, 7, 2)
            })
            .good("its group ended, and is made anew", lost().group_dissolved(1).later(SOON).approved(1, 9))
            .good("nobody is lost", heard().install(&[1, 2, 3], 2, &[1, 2, 3], 1).later(SOON).phase(1, 7, 1))
            .bad(
                "its group ended on another node",
                lost().group_dissolved(2).later(SOON).approved(1, 9),
                "1/node 3 is gone",
            )
            .bad("a vote is asked for", lost().later(SOON).phase(1, 7, 1), "1/node 3 is gone")
            .bad("a protocol without votes", lost().later(SOON).approved(1, 7), "1/node 3 is gone")
            .bad(
                "another node's view is older",
                lost().later(SOON).phase(2, 7, 1).approved(2, 7).later(SOON).phase(2, 8, 1),
                "1/node 3 is gone",
            )
    }
}
