//! V7: who fails is counted once, and leaves in a protocol of its own. Nobody goes or comes but by a protocol that names it,
//! and nobody who has left leaves again.

use super::{Seat, heard, leaves};
use crate::checker::{Checker, demand};
use crate::event::Event;
use phalanx_groups::domain::{Notice, Proposal, ProviderId};
use std::collections::{BTreeMap, BTreeSet};

/// The group as each provider heard it last, and after which protocol.
#[derive(Default)]
pub(crate) struct Departures {
    heard: BTreeMap<Seat, (u64, BTreeSet<ProviderId>)>,
}

impl Departures {
    fn ends(&self, seat: &Seat, end: &End<'_>) -> Result<(), String> {
        let Some((before, members)) = self.heard.get(seat) else { return Ok(()) };
        // A provider hears every protocol of its group; another number is of another domain.
        if before + 1 != end.protocol {
            return Ok(());
        }
        let change = &end.proposal.change;
        let (leaving, joining) = (change.leaving(), change.joining());
        let strangers: Vec<&ProviderId> = leaving.difference(members).collect();
        demand(strangers.is_empty(), || {
            format!("{seat} hears that {} leaves in protocol {}, and it had left", strangers[0], end.protocol)
        })?;
        let mut expected = members.clone();
        if end.approved || change.is_done_anyway() {
            expected.retain(|member| !leaving.contains(member));
        }
        if end.approved {
            expected.extend(joining);
        }
        let odd: Vec<&ProviderId> = expected.symmetric_difference(&end.members).collect();
        demand(odd.is_empty(), || {
            format!("{seat} hears that protocol {} changes {}, whom it does not name", end.protocol, odd[0])
        })
    }
}

/// How a protocol ended.
struct End<'a> {
    protocol: u64,
    proposal: &'a Proposal,
    approved: bool,
    members: BTreeSet<ProviderId>,
}

fn end(notice: &Notice) -> Option<End<'_>> {
    let (protocol, proposal, approved, standing) = match notice {
        Notice::Approved { protocol, proposal, standing, .. } => (*protocol, proposal, true, standing),
        Notice::Rejected { protocol, proposal, standing, .. } => (*protocol, proposal, false, standing),
        Notice::Phase { .. }
        | Notice::Silent { .. }
        | Notice::Refused(_)
        | Notice::Changed { .. }
        | Notice::Deactivate(_)
        | Notice::Responsiveness { .. }
        | Notice::Dissolved => return None,
    };
    Some(End { protocol, proposal, approved, members: standing.members.iter().copied().collect() })
}

impl Checker for Departures {
    fn property(&self) -> &'static str {
        "V7 departures"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        self.heard.retain(|seat, _| !leaves(event, seat));
        let Some((seat, notice)) = heard(event) else { return Ok(()) };
        let Some(end) = end(notice) else { return Ok(()) };
        self.ends(&seat, &end)?;
        match end.members.contains(&seat.provider) {
            true => self.heard.insert(seat, (end.protocol, end.members)),
            false => self.heard.remove(&seat),
        };
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::story::Story;
    use crate::trial::Trial;

    pub(crate) fn trial() -> Trial {
        let three = || Story::new().start(&[1, 2, 3]).approved(1, 7);
        Trial::of(Departures::default)
            .good(
                "it leaves in a protocol of its own",
                three().approved(1, 8).leaves(1, 9, 3).approved_by(1, 10, &[1, 2]),
            )
            .good("it comes back, and leaves again", three().leaves(1, 8, 3).joins(1, 9, 3).leaves(1, 10, 3))
            .good("another domain", three().leaves(1, 8, 3).dissolved(1).approved(1, 9))
            .good("the group made anew", three().leaves(1, 8, 3).group_dissolved(1).approved(1, 9))
            .good("nothing was heard between", three().approved_by(1, 12, &[1]))
            .good("who leaves hears it, and joins again", three().leaves(1, 8, 1).approved(1, 9))
            .bad("it is gone inside another protocol", three().approved_by(1, 8, &[1, 2]), "does not name")
            .bad("it leaves twice", three().leaves(1, 8, 3).leaves(1, 9, 3), "it had left")
            .bad("it stays, and its leave was done", three().stays(1, 8, 3), "does not name")
            .bad("somebody comes with it", three().leaves(1, 8, 3).approved(1, 9), "does not name")
    }
}
