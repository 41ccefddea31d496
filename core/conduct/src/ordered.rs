//! What the manager hears in order, and how the replicated state follows it.

use crate::manager::{Manager, ManagerEffect, Phase, Turn};
use crate::message::{Envelope, Papers, Proposal, Transfer, Word, decode, encode};
use phalanx_events::ManagerNote;
use phalanx_groups::{Membership, Notice};
use phalanx_plan::{GroupsState, Holding, Order};
use phalanx_types::limits::PLAN_RETRY_PAUSE;
use phalanx_types::{Digest, GroupName, NodeId, RequestId};
use std::collections::BTreeMap;

/// Whether the members of the view use one configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ConfigTalk {
    /// They did when it was installed, or the state brought it.
    #[default]
    Settled,
    /// They differ; this member has to tell the newest.
    Awaited { teller: NodeId, said: Said },
    /// It was told in this view.
    Told,
}

/// Whether this node has said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Not,
    Yes,
}

/// What a member wrote into its passport.
pub(crate) fn papers(body: &[u8]) -> Option<Papers> {
    decode(body)
}

impl Manager {
    /// Follows one notice.
    pub(crate) fn hear(&mut self, turn: &mut Turn<'_>, notice: Notice) {
        match notice {
            Notice::Membership(membership) => self.change_view(turn, membership),
            Notice::State { from, body, digest } => self.take_state(turn, from, &body, digest),
            Notice::Message { from, body } => self.take_message(turn, from, &body),
            Notice::Phase { proposal, phase: _, body } => {
                if let Some(Proposal::Plan(ballot)) = decode(&body) {
                    self.vote(turn, proposal, &ballot);
                }
            }
            Notice::Outcome { proposal, body, outcome } => {
                if let Some(Proposal::Plan(ballot)) = decode(&body) {
                    self.decided(turn, proposal, &ballot, outcome);
                }
            }
        }
    }

    pub(crate) fn config_agreed(&self) -> bool {
        match self.talk {
            ConfigTalk::Settled | ConfigTalk::Told => true,
            ConfigTalk::Awaited { .. } => false,
        }
    }

    pub(crate) fn config_told(&self) -> bool {
        self.talk == ConfigTalk::Told
    }

    fn change_view(&mut self, turn: &mut Turn<'_>, membership: Membership) {
        self.sealed.set(false);
        self.talk = ConfigTalk::Settled;
        self.reported.clear();
        self.planning.reset();
        self.each_agent(turn, |agent, desk| agent.revoke(desk));
        let membership = Box::new(membership);
        if !membership.view.primary {
            self.phase = Phase::Apart(membership);
        } else if membership.in_step.contains(&self.me.node) {
            if membership.in_step.len() == membership.view.members.len() {
                self.talk = talk(&membership);
            }
            self.enter(turn, membership);
        } else {
            self.phase = Phase::CatchingUp(membership);
        }
        self.requests_meet_view(turn);
    }

    /// The donor's state: everybody's from now on.
    fn take_state(&mut self, turn: &mut Turn<'_>, from: NodeId, body: &[u8], digest: Digest) {
        let Phase::CatchingUp(membership) = &self.phase else { return };
        let Some(transfer) = decode::<Transfer>(body) else { return };
        let membership = membership.clone();
        if Digest::of(&self.state()) != digest {
            self.adopt(turn, from, transfer, digest);
        }
        // The donor had met the view before it gave its state; meeting it twice changes nothing.
        self.enter(turn, membership);
    }

    fn adopt(&mut self, turn: &mut Turn<'_>, from: NodeId, transfer: Transfer, digest: Digest) {
        self.state = transfer.state;
        turn.note(ManagerNote::StateAdopted { from, digest });
        if self.state.config != Digest::of(&self.config.blob) || self.config.cluster.is_none() {
            self.ask_for_config(turn, transfer.version, transfer.blob);
        }
    }

    fn ask_for_config(&mut self, turn: &mut Turn<'_>, version: u64, blob: Vec<u8>) {
        self.config.cluster = None;
        turn.out.push(ManagerEffect::Adopt { version, blob });
    }

    /// In step with a primary view.
    fn enter(&mut self, turn: &mut Turn<'_>, membership: Box<Membership>) {
        for (group, record) in &self.state.groups {
            if record.motion.is_some() {
                let cause = "the view changed; what began goes on under a new plan".to_owned();
                turn.note(ManagerNote::PlanVoided { group: group.clone(), cause });
            }
        }
        let claims = |body: &[u8]| papers(body).map(|papers| papers.claims).unwrap_or_default();
        let claims: BTreeMap<_, _> =
            membership.passports.iter().map(|(node, passport)| (*node, claims(&passport.body))).collect();
        self.state.install(&membership.view, &claims);
        turn.note(ManagerNote::InStep { view: membership.view.id, state: self.state.digest() });
        self.phase = Phase::InStep(membership);
        self.planning.touch();
        self.tell_config(turn);
    }

    /// After a cold start with different configurations: tells the newest, if this node is to.
    pub(crate) fn tell_config(&mut self, turn: &mut Turn<'_>) {
        let ConfigTalk::Awaited { teller, said: Said::Not } = self.talk else { return };
        let Some(view) = self.in_step().map(|membership| membership.view.id) else { return };
        if teller != self.me.node {
            return;
        }
        let word = Word::Config { version: self.config.version, blob: self.config.blob.clone() };
        match turn.group.broadcast(encode(&Envelope { view, word })) {
            Ok(()) => self.talk = ConfigTalk::Awaited { teller, said: Said::Yes },
            Err(_) => self.retry_at = turn.now + PLAN_RETRY_PAUSE,
        }
    }

    fn take_message(&mut self, turn: &mut Turn<'_>, from: NodeId, body: &[u8]) {
        let Some(membership) = self.in_step() else { return };
        let Some(Envelope { view, word }) = decode(body) else { return };
        let Some(member) = membership.view.members.get(&from).filter(|_| view == membership.view.id) else {
            return;
        };
        let life = member.incarnation;
        self.planning.touch();
        match word {
            Word::Report { group, holding } => {
                self.watch_motion(turn, &group, |state| state.report(life, &group, holding));
            }
            Word::Order { request, order } => self.take_order(turn, from, RequestId(request), &order),
            Word::Leaving => self.state.leave(life),
            Word::Config { version, blob } => self.take_config(turn, version, blob),
        }
    }

    /// Nothing was planned in this view yet, so all begin from what each will report.
    fn take_config(&mut self, turn: &mut Turn<'_>, version: u64, blob: Vec<u8>) {
        if self.config_agreed() {
            return;
        }
        self.talk = ConfigTalk::Told;
        self.reported.clear();
        let config = Digest::of(&blob);
        match self.config.cluster.clone().filter(|_| config == Digest::of(&self.config.blob)) {
            Some(cluster) => self.state = GroupsState::fresh(&cluster, config),
            None => {
                self.state = GroupsState::empty();
                self.ask_for_config(turn, version, blob);
            }
        }
    }

    fn take_order(&mut self, turn: &mut Turn<'_>, from: NodeId, request: RequestId, order: &Order) {
        let (Some(membership), Some(cluster)) = (self.in_step(), self.config.cluster.clone()) else { return };
        let view = membership.view.clone();
        let mut result = Ok(());
        self.watch_motion(turn, order.group(), |state| result = state.order(&cluster, &view, order));
        if from == self.me.node {
            self.ordered(turn, request, result);
        }
    }

    /// Changes the state and says if that ended the motion of a group.
    fn watch_motion(
        &mut self,
        turn: &mut Turn<'_>,
        group: &GroupName,
        change: impl FnOnce(&mut GroupsState),
    ) {
        let moving =
            |state: &GroupsState| state.groups.get(group).is_some_and(|record| record.motion.is_some());
        let before = moving(&self.state);
        change(&mut self.state);
        if before && !moving(&self.state) {
            let outcome = self.where_is(group);
            turn.note(ManagerNote::PlanFinished { group: group.clone(), outcome });
        }
    }

    fn where_is(&self, group: &GroupName) -> String {
        let Some(record) = self.state.groups.get(group) else { return "unknown".into() };
        let online = |node: &NodeId| matches!(record.holding(*node), Holding::Online { .. });
        match record.claimants().into_iter().rev().find(online) {
            Some(node) => format!("online on {}", self.name(node)),
            None => "not online".into(),
        }
    }

    /// A node's name for people.
    pub(crate) fn name(&self, node: NodeId) -> String {
        match self.cluster() {
            Some(cluster) => phalanx_plan::render::node_name(cluster, node),
            None => node.to_string(),
        }
    }
}

/// Who has to tell which configuration is the newest, if members bring different ones.
fn talk(membership: &Membership) -> ConfigTalk {
    let head =
        |body: &[u8]| papers(body).map(|papers| (papers.config.is_some(), papers.version, papers.config));
    let heads: BTreeMap<_, _> =
        membership.passports.iter().map(|(node, passport)| (*node, head(&passport.body))).collect();
    let newest = heads.values().max();
    let teller = heads.iter().find(|(_, head)| Some(*head) == newest).map(|(node, _)| *node);
    match (teller, heads.values().all(|head| Some(head) == newest)) {
        (Some(teller), false) => ConfigTalk::Awaited { teller, said: Said::Not },
        (Some(_) | None, _) => ConfigTalk::Settled,
    }
}
