//! What the manager hears in order, and how the replicated state follows it.

use crate::manager::{Manager, Phase, Turn};
use crate::message::{Envelope, Papers, Proposal, Transfer, Word, decode, encode};
use phalanx_events::{ManagerNote, Point};
use phalanx_groups::{Membership, Notice};
use phalanx_ledger::Version;
use phalanx_model::Cluster;
use phalanx_plan::transition::Claims;
use phalanx_plan::{GroupsState, Holding, Order, Reaches};
use phalanx_types::limits::PLAN_RETRY_PAUSE;
use phalanx_types::{Bug, Digest, GroupName, NodeId, RequestId, ViewId};
use std::collections::BTreeMap;

/// Whether the members of the view use one version of the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ConfigTalk {
    /// They do.
    #[default]
    Settled,
    /// They came with different ones, or one of them has staged a newer one: this member has to tell it.
    Awaited { teller: NodeId, version: Digest, said: Said },
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
            Notice::Membership(membership) => self.change_view(turn, *membership),
            Notice::State { from, body, digest } => self.take_state(turn, from, &body, digest),
            Notice::Message { from, body } => self.take_message(turn, from, &body),
            Notice::Phase { proposal, phase, body } => match decode(&body) {
                Some(Proposal::Plan(ballot)) => self.vote(turn, proposal, &ballot),
                Some(Proposal::Config(version)) => self.vote_on_version(turn, proposal, phase, version),
                None => {}
            },
            Notice::Outcome { proposal, body, outcome } => match decode(&body) {
                Some(Proposal::Plan(ballot)) => self.decided(turn, proposal, &ballot, outcome),
                Some(Proposal::Config(version)) => self.version_decided(turn, proposal, version, outcome),
                None => {}
            },
        }
    }

    /// Whether every member goes by one version, so that plans and changes can be made.
    pub(crate) fn config_agreed(&self) -> bool {
        match self.talk {
            ConfigTalk::Settled => true,
            ConfigTalk::Awaited { .. } => false,
        }
    }

    fn change_view(&mut self, turn: &mut Turn<'_>, membership: Membership) {
        self.sealed.set(false);
        self.counted.clear();
        self.talk = ConfigTalk::Settled;
        self.reported.clear();
        self.planner_meets_view(turn, &membership);
        self.each_agent(turn, |agent, desk| agent.revoke(desk));
        self.charter_meets_view(turn, membership.charter);
        self.stretch_meets_view(turn, &membership);
        let membership = Box::new(membership);
        if !membership.view.primary {
            self.phase = Phase::Apart(membership);
        } else {
            self.talk = talk(&membership);
            if !self.config_agreed() {
                turn.reached(Point::VersionsDiffer);
            }
            match membership.in_step.contains(&self.me.node) {
                true => self.enter(turn, membership),
                false => {
                    turn.reached(Point::StateAwaited);
                    self.phase = Phase::CatchingUp(membership);
                }
            }
        }
        self.requests_meet_view(turn);
        self.changes_meet_view(turn);
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
        // A version active here that the donor has only staged stays: it is the one that is told next.
        self.take_version(turn, transfer.version);
    }

    /// In step with a primary view.
    fn enter(&mut self, turn: &mut Turn<'_>, membership: Box<Membership>) {
        for (group, record) in &self.state.groups {
            if record.motion.is_some() {
                let cause = "the view changed; what began goes on under a new plan".to_owned();
                turn.note(ManagerNote::PlanVoided { group: group.clone(), cause });
            }
        }
        self.let_go.clear();
        meet(&mut self.state, &self.config.cluster, &membership);
        self.phase = Phase::InStep(membership);
        self.planning.touch();
        self.tell_outages(turn);
        self.tell_in_step(turn);
        self.tell_config(turn);
    }

    /// In step, and of one mind about the configuration.
    fn tell_in_step(&self, turn: &mut Turn<'_>) {
        if let (true, Some(membership)) = (self.config_agreed(), self.in_step()) {
            let (view, config) = (membership.view.id, self.state.config);
            turn.note(ManagerNote::InStep { view, config, state: self.state.digest() });
        }
    }

    /// Members came with different versions: tells the newest, if this node is to.
    pub(crate) fn tell_config(&mut self, turn: &mut Turn<'_>) {
        let ConfigTalk::Awaited { teller, version, said: Said::Not } = self.talk else { return };
        let Some(view) = self.in_step().map(|membership| membership.view.id) else { return };
        if teller != self.me.node || self.plot.has(Bug::NewestNotTold) {
            return;
        }
        let Some(newest) = self.config.version(version).cloned() else { return };
        match turn.group.broadcast(encode(&Envelope { view, word: Word::Config(newest) })) {
            Ok(()) => {
                turn.reached(Point::NewestTold);
                self.talk = ConfigTalk::Awaited { teller, version, said: Said::Yes };
            }
            Err(_) => self.retry_at = turn.now + PLAN_RETRY_PAUSE,
        }
    }

    fn take_message(&mut self, turn: &mut Turn<'_>, from: NodeId, body: &[u8]) {
        let Some(membership) = self.in_step() else { return };
        let Some(Envelope { view, word }) = decode(body) else { return };
        let Some(member) = membership.view.members.get(&from).filter(|_| view == membership.view.id) else {
            return;
        };
        let (life, view) = (member.incarnation, membership.view.id);
        self.planning.touch();
        match word {
            Word::Report { group, holding } => {
                self.watch_motion(turn, &group, |state| state.report(life, &group, holding));
            }
            Word::Order { request, order } => self.take_order(turn, from, RequestId(request), &order),
            Word::Leaving => self.state.leave(life),
            Word::Guarded(guarded) => self.state.guard(life, guarded),
            Word::Reach(reaches) => {
                self.state.see_reach(&self.config.cluster, life, reaches);
                self.tell_outages(turn);
            }
            Word::Restarts { group, restarts } => self.state.count(life, &group, restarts),
            Word::Config(version) => self.take_config(turn, version),
            Word::Charter(charter) => self.take_charter(turn, from, charter),
            Word::Timing(word) => self.hear_timing(turn, from, view, word),
        }
    }

    /// The newest version is told: everybody goes by it from here. Nothing was planned in this view yet.
    fn take_config(&mut self, turn: &mut Turn<'_>, version: Version) {
        let ConfigTalk::Awaited { version: newest, .. } = self.talk else { return };
        if newest != version.digest() {
            return;
        }
        self.talk = ConfigTalk::Settled;
        self.take_version(turn, version);
        self.align_or_begin(turn);
        self.tell_in_step(turn);
    }

    /// The state follows the configuration. After a cold start no member's state is older than its configuration, and
    /// those differed: all begin anew, from what each brought and will report again.
    fn align_or_begin(&mut self, turn: &mut Turn<'_>) {
        let Some(membership) = self.in_step() else { return };
        if membership.passports[&membership.donor].stamp.primary != ViewId::NONE {
            return self.align_state();
        }
        turn.reached(Point::BegunAnew);
        let mut state = GroupsState::fresh(&self.config.cluster, self.config.active());
        meet(&mut state, &self.config.cluster, membership);
        self.state = state;
        self.reported.clear();
    }

    fn take_order(&mut self, turn: &mut Turn<'_>, from: NodeId, request: RequestId, order: &Order) {
        let Some(membership) = self.in_step() else { return };
        let (view, cluster) = (membership.view.clone(), self.config.cluster.clone());
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
        phalanx_plan::render::node_name(self.cluster(), node)
    }
}

/// The state meets a view, with what every member says that it holds and reaches.
fn meet(state: &mut GroupsState, cluster: &Cluster, membership: &Membership) {
    let papers = membership.passports.iter().map(|(node, passport)| (*node, papers(&passport.body)));
    let (mut claims, mut reaches) = (BTreeMap::new(), BTreeMap::new());
    for (node, papers) in papers {
        let said: (Claims, Reaches) = papers.map(|papers| (papers.claims, papers.reach)).unwrap_or_default();
        claims.insert(node, said.0);
        reaches.insert(node, said.1);
    }
    state.install(&membership.view, &claims);
    for (node, member) in &membership.view.members {
        state.see_reach(cluster, member.incarnation, reaches.remove(node).unwrap_or_default());
    }
}

/// Who has to tell which version is the newest, unless it is active at every member.
fn talk(membership: &Membership) -> ConfigTalk {
    let said: BTreeMap<NodeId, Papers> = (membership.passports.iter())
        .filter_map(|(node, passport)| Some((*node, papers(&passport.body)?)))
        .collect();
    let Some(newest) = said.values().map(|papers| papers.head).max() else { return ConfigTalk::Settled };
    let teller = said.iter().find(|(_, papers)| papers.head == newest).map(|(node, _)| *node);
    match (teller, said.values().all(|papers| papers.active == newest)) {
        (Some(teller), false) => ConfigTalk::Awaited { teller, version: newest.digest, said: Said::Not },
        (Some(_) | None, _) => ConfigTalk::Settled,
    }
}
