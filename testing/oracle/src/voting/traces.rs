//! What providers hear, in hand-made traces. Each node has one provider, in one group.

use crate::event::What;
use crate::story::Story;
use phalanx_groups::Vote;
use phalanx_groups::domain::{
    Change, Gone, LocalName, Name, Notice, Proposal, ProviderId, Said, Standing, StateValue, Summary,
};
use phalanx_groups::services::{ClientAct, ClientEvent, ClientId};
use phalanx_types::Span;
use std::collections::BTreeMap;

fn value(text: &str) -> StateValue {
    StateValue::new(text.into()).expect("a value")
}

fn proposal(state: Option<&str>) -> Proposal {
    Proposal { change: Change::State, state: state.map(value), message: None }
}

impl Story {
    fn provider_hears(self, node: u16, notice: Notice) -> Story {
        let provider = ProviderId { life: self.life(node), instance: 1 };
        let group = Name::new("web").expect("a name");
        let event = ClientEvent::Provider { group, provider, notice };
        self.tell(node, What::ClientHeard { client: ClientId(1), event })
    }

    fn standing(&self, state: &str) -> Standing {
        let members = [1, 2, 3].map(|node| ProviderId { life: self.life(node), instance: 1 });
        Standing { members: members.to_vec(), state: value(state) }
    }

    /// A vote is asked for.
    pub fn phase(self, node: u16, protocol: u64, phase: u32) -> Story {
        let (limit, summary) = (Span::from_secs(1), Summary::default());
        let proposal = proposal(None);
        self.provider_hears(node, Notice::Phase { protocol, from: None, phase, limit, summary, proposal })
    }

    /// The provider votes.
    pub fn votes(self, node: u16, protocol: u64, phase: u32, vote: Vote) -> Story {
        let (group, said) = (Name::new("web").expect("a name"), Said::default());
        let act = ClientAct::Vote { group, instance: 1, protocol, phase, vote, said };
        self.tell(node, What::ClientActed { client: ClientId(1), act })
    }

    /// A protocol that changes no state value is approved, and the value is this.
    pub fn approved_at(self, node: u16, protocol: u64, state: &str) -> Story {
        let (standing, summary) = (self.standing(state), Summary::default());
        let proposal = proposal(None);
        self.provider_hears(node, Notice::Approved { protocol, from: None, summary, proposal, standing })
    }

    /// The same where the value does not matter.
    pub fn approved(self, node: u16, protocol: u64) -> Story {
        self.approved_at(node, protocol, "some value")
    }

    /// A protocol is approved, and somebody was counted with the default vote.
    pub fn by_default(self, node: u16, protocol: u64) -> Story {
        let standing = self.standing("some value");
        let summary = Summary { default_vote: true, ..Summary::default() };
        let proposal = proposal(None);
        self.provider_hears(node, Notice::Approved { protocol, from: None, summary, proposal, standing })
    }

    /// A vote is asked for on a state value.
    pub fn proposed(self, node: u16, protocol: u64, state: &str) -> Story {
        let (limit, summary) = (Span::from_secs(1), Summary::default());
        let proposal = proposal(Some(state));
        self.provider_hears(node, Notice::Phase { protocol, from: None, phase: 1, limit, summary, proposal })
    }

    /// The provider votes for it, and for another value.
    pub fn says(self, node: u16, protocol: u64, phase: u32, state: &str) -> Story {
        let said = Said { state: Some(value(state)), ..Said::default() };
        let group = Name::new("web").expect("a name");
        let act = ClientAct::Vote { group, instance: 1, protocol, phase, vote: Vote::Approve, said };
        self.tell(node, What::ClientActed { client: ClientId(1), act })
    }

    fn ended(self, node: u16, protocol: u64, change: Change, members: &[u16]) -> Story {
        let provider = |node: &u16| ProviderId { life: self.life(*node), instance: 1 };
        let members = members.iter().map(provider).collect();
        let (standing, summary) = (Standing { members, state: value("some value") }, Summary::default());
        let proposal = Proposal { change, state: None, message: None };
        self.provider_hears(node, Notice::Approved { protocol, from: None, summary, proposal, standing })
    }

    fn failed(&self, node: u16) -> Change {
        Change::FailureLeave([(ProviderId { life: self.life(node), instance: 1 }, Gone::NodeLost)].into())
    }

    /// A provider of three leaves because it is gone.
    pub fn leaves(self, node: u16, protocol: u64, who: u16) -> Story {
        let change = self.failed(who);
        let stay: Vec<u16> = [1, 2, 3].into_iter().filter(|node| *node != who).collect();
        self.ended(node, protocol, change, &stay)
    }

    /// A provider leaves because it is gone, and is still there.
    pub fn stays(self, node: u16, protocol: u64, who: u16) -> Story {
        let change = self.failed(who);
        self.ended(node, protocol, change, &[1, 2, 3])
    }

    /// A provider joins, and all three are there.
    pub fn joins(self, node: u16, protocol: u64, who: u16) -> Story {
        let provider = ProviderId { life: self.life(who), instance: 1 };
        let local = LocalName::new("client").expect("a name");
        self.ended(node, protocol, Change::Join([(provider, local)].into()), &[1, 2, 3])
    }

    /// A protocol that changes no members is approved, and these are there.
    pub fn approved_by(self, node: u16, protocol: u64, members: &[u16]) -> Story {
        self.ended(node, protocol, Change::State, members)
    }

    /// A protocol is rejected.
    pub fn rejected(self, node: u16, protocol: u64) -> Story {
        let (standing, summary) = (self.standing("some value"), Summary::default());
        let proposal = proposal(None);
        let against = BTreeMap::new();
        self.provider_hears(
            node,
            Notice::Rejected { protocol, from: None, summary, proposal, against, standing },
        )
    }

    /// A state value is approved.
    pub fn valued(self, node: u16, protocol: u64, state: &str) -> Story {
        self.amended(node, protocol, state, state)
    }

    /// One state value is approved and another is the group's afterwards.
    pub fn amended(self, node: u16, protocol: u64, asked: &str, got: &str) -> Story {
        let (standing, summary) = (self.standing(got), Summary::default());
        let proposal = proposal(Some(asked));
        self.provider_hears(node, Notice::Approved { protocol, from: None, summary, proposal, standing })
    }

    /// This node's provider is told that its group is dissolved.
    pub fn group_dissolved(self, node: u16) -> Story {
        self.provider_hears(node, Notice::Dissolved)
    }

    /// The domain that this node's client was in is no more.
    pub fn dissolved(self, node: u16) -> Story {
        self.tell(node, What::ClientHeard { client: ClientId(1), event: ClientEvent::Dissolved })
    }
}
