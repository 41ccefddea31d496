//! Whose agreement makes a primary, as far as the trace shows it. Shared by the properties of primaries; judges nothing.

use crate::checker::Terms;
use crate::event::{Event, What};
use phalanx_events::{ManagerNote, Note};
use phalanx_types::{Charter, CharterStage, Electorate, NodeSet};

/// The configured nodes, and the latest charter that anybody spoke of.
pub(super) struct Deciders {
    all: Electorate,
    charter: Charter,
}

impl Deciders {
    /// Of this cluster, before any operator had to form it.
    pub fn new(terms: &Terms) -> Deciders {
        let all = Electorate { nodes: terms.nodes.iter().copied().collect(), quorum: terms.majority() };
        Deciders { all, charter: Charter::FIRST }
    }

    /// Takes in an event; `true` if with it a generation begins, whose witness is the operator.
    pub fn see(&mut self, event: &Event) -> bool {
        let What::Note(Note::Manager(ManagerNote::CharterChanged { charter })) = &event.what else {
            return false;
        };
        let begins = charter.generation > self.charter.generation;
        self.charter = self.charter.merged(*charter);
        begins
    }

    /// Whether these are enough. While the charter passes, some do not know of it yet, and for them those it passes from are
    /// enough.
    pub fn are_met_by(&self, nodes: NodeSet) -> bool {
        let (CharterStage::Settled(majority) | CharterStage::Passing { from: majority, .. }) =
            self.charter.stage;
        Charter { stage: CharterStage::Settled(majority), ..self.charter }.is_met(nodes, self.all)
    }

    /// Whether these are a majority of all: enough for who does not know that others decide.
    pub fn is_majority(&self, nodes: NodeSet) -> bool {
        Charter::FIRST.is_met(nodes, self.all)
    }

    /// How many are needed, for people.
    pub fn words(&self) -> String {
        format!("{} needed ({:?})", self.all.quorum, self.charter.stage)
    }
}
