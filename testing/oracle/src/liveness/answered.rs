//! L8: an operator's request gets exactly one answer, unless the life that was asked ends first.

use crate::checker::{Checker, demand};
use crate::event::{Event, GlobalTime, What};
use phalanx_types::{NodeId, RequestId};
use std::collections::{BTreeMap, BTreeSet};

/// What each node was asked and has not answered.
#[derive(Default)]
pub(crate) struct Answered {
    open: BTreeMap<NodeId, BTreeSet<RequestId>>,
}

impl Checker for Answered {
    fn property(&self) -> &'static str {
        "L8 answered"
    }

    fn see(&mut self, event: &Event) -> Result<(), String> {
        if event.ends_life() {
            self.open.remove(&event.life.node);
        }
        let open = self.open.entry(event.life.node).or_default();
        if let What::Asked { id, .. } = event.what {
            open.insert(id);
        }
        if let What::Replied { id, .. } = event.what {
            demand(open.remove(&id), || format!("{} answered request {} twice", event.life, id.0))?;
        }
        Ok(())
    }

    fn finish(&mut self, _: GlobalTime) -> Result<(), String> {
        let forgotten = self.open.iter().find(|(_, open)| !open.is_empty());
        demand(forgotten.is_none(), || format!("never answered: {forgotten:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::{Story, bad, good};

    #[test]
    fn one_answer_each() {
        good(Answered::default(), Story::new().ask(1, 1).ask(1, 2).reply(1, 2).reply(1, 1));
        good(Answered::default(), Story::new().ask(1, 1).crash(1));
    }

    #[test]
    fn no_answer() {
        bad(Answered::default(), Story::new().ask(1, 1).ask(2, 1).reply(2, 1), "never answered");
    }

    #[test]
    fn two_answers() {
        bad(Answered::default(), Story::new().ask(1, 1).reply(1, 1).reply(1, 1), "twice");
    }
}
