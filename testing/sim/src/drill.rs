//! A drill: one client on each node votes as soon as it is asked, and what a vote of several phases takes is noted.

use crate::node::Factory;
use crate::world::{Happening, World};
use phalanx_groups::Vote;
use phalanx_groups::domain::{
    Attributes, Change, LocalName, Message, Name, Notice, Phases, Proposal, Said, Service,
};
use phalanx_groups::services::{ClientAct, ClientEvent, ClientId};
use phalanx_types::Span;
use std::collections::BTreeMap;

const CLIENT: ClientId = ClientId(1);
const INSTANCE: i16 = 1;
const LIMIT: Span = Span::from_secs(5);

/// What the clients do, and what came of it.
#[derive(Default)]
pub(crate) struct Drill {
    /// In the last phase all approve; in those before they want another one.
    phases: u32,
    /// When the client of each host heard that it was approved.
    approved: BTreeMap<usize, u64>,
}

impl Drill {
    /// What the client of `host` answers to what it hears.
    fn hears(&mut self, host: usize, now: u64, event: &ClientEvent) -> Option<ClientAct> {
        let ClientEvent::Provider { group, notice, .. } = event else { return None };
        match notice {
            Notice::Phase { protocol, phase, .. } => {
                let vote = if *phase < self.phases { Vote::Continue } else { Vote::Approve };
                let (group, instance, said) = (group.clone(), INSTANCE, Said::default());
                Some(ClientAct::Vote { group, instance, protocol: *protocol, phase: *phase, vote, said })
            }
            Notice::Approved { .. } => {
                self.approved.insert(host, now);
                None
            }
            // None of it is meant to happen; without an approval everywhere the drill has no result.
            Notice::Rejected { .. }
            | Notice::Silent { .. }
            | Notice::Refused(_)
            | Notice::Changed { .. }
            | Notice::Deactivate(_)
            | Notice::Responsiveness { .. }
            | Notice::Dissolved => None,
        }
    }
}

impl<F: Factory> World<F> {
    /// A client of each node joins one group.
    pub(crate) fn drill_begins(&mut self) {
        self.drill = Some(Drill::default());
        for host in 0..self.hosts.len() {
            let local = LocalName::new("drill").expect("a name");
            let (group, attributes) = (drilled(), Attributes::default());
            self.drill_does(host, ClientAct::Join { group, instance: INSTANCE, local, attributes });
        }
    }

    /// The client of `host` proposes a message that is voted on in so many phases.
    pub(crate) fn drill_proposes(&mut self, host: usize, phases: u32) {
        self.drill = Some(Drill { phases, approved: BTreeMap::new() });
        let message = Some(Message::new(b"drill".to_vec()).expect("a message"));
        let proposal = Proposal { change: Change::Message(Service::Agreed), state: None, message };
        let (group, phases) = (drilled(), Phases::Many { limit: LIMIT });
        self.drill_does(host, ClientAct::Propose { group, instance: INSTANCE, proposal, phases });
    }

    /// When the last client heard that the proposal was approved, if all have.
    pub(crate) fn drill_ended(&self) -> Option<Span> {
        let approved = &self.drill.as_ref()?.approved;
        let last = approved.values().max().filter(|_| approved.len() == self.hosts.len());
        last.map(|at| Span(*at))
    }

    /// A client of the drill is told something; it answers at once.
    pub(crate) fn drill_hears(&mut self, host: usize, start: u64, client: ClientId, event: &ClientEvent) {
        let now = self.now;
        if let Some(act) = self.drill.as_mut().and_then(|drill| drill.hears(host, now, event)) {
            let vote = Box::new(act);
            self.later(Span::ZERO, Happening::ClientVotes { host: host as u8, start, client, vote });
        }
    }

    fn drill_does(&mut self, host: usize, act: ClientAct) {
        let start = self.hosts[host].daemon.as_ref().map(|daemon| daemon.life.start);
        if let Some(start) = start {
            self.client_does(host, start, CLIENT, act);
        }
    }
}

fn drilled() -> Name {
    Name::new("drill").expect("a name")
}
