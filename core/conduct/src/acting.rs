//! This node's own part: its agents, what they report, and what the active configuration makes of them.
//!
//! Reports are driven by difference: as long as the replicated state says something else of this node than its agents
//! do, it says so again in every view.

use crate::manager::{Manager, ManagerEffect, Turn};
use crate::message::{Envelope, Word, encode};
use phalanx_agent::{Agent, AgentEffect, Desk};
use phalanx_events::{ManagerNote, Point};
use phalanx_ledger::Version;
use phalanx_model::Cluster;
use phalanx_plan::{Holding, Motion, RestartTimes, Restarts, render};
use phalanx_types::limits::PLAN_RETRY_PAUSE;
use phalanx_types::{Bug, GroupName, OperationId, OperationResult};
use std::sync::Arc;

impl Manager {
    /// Makes an agreed version the active one, if it is news. All that a change of configuration means to the manager
    /// is here.
    pub(crate) fn take_version(&mut self, turn: &mut Turn<'_>, version: Version) {
        let staged = self.config.ledger.staged().map(Version::digest);
        if self.plot.has(Bug::OldVersionKept) && staged != Some(version.digest()) {
            return;
        }
        let index = version.index();
        let read = crate::apply::read(&version);
        let lost = self.config.lost_by(&version);
        if !self.config.take(turn, version) {
            return;
        }
        let cluster = match read {
            Ok(cluster) => Arc::new(cluster),
            Err(why) => {
                let why = format!("version {index} of the configuration cannot be read here: {why}");
                return turn.out.push(ManagerEffect::Leave { why });
            }
        };
        if let Some((version, config)) = lost {
            turn.note(ManagerNote::VersionLost { version, config });
        }
        self.use_version(turn, cluster);
    }

    /// Goes by what the active version declares.
    pub(crate) fn use_version(&mut self, turn: &mut Turn<'_>, cluster: Arc<Cluster>) {
        self.config.cluster = cluster;
        let active = self.config.ledger.active();
        let (config, parent, version) = (active.digest(), active.parent(), active.index());
        turn.note(ManagerNote::Activated { config, parent, version });
        self.redefine_all(turn);
    }

    fn redefine_all(&mut self, turn: &mut Turn<'_>) {
        let cluster = self.config.cluster.clone();
        self.planning.touch();
        let names: Vec<_> = self.agents.keys().cloned().collect();
        for name in names {
            self.redefine(turn, &cluster, &name);
        }
    }

    /// The replicated state follows the active version.
    pub(crate) fn align_state(&mut self) {
        let config = self.config.active();
        if self.state.config != config {
            self.state.align(&self.config.cluster, config);
        }
    }

    fn redefine(&mut self, turn: &mut Turn<'_>, cluster: &Cluster, name: &GroupName) {
        let group = cluster.groups.get(name).filter(|group| group.rank(self.me.node).is_some());
        match group {
            Some(group) => {
                let group = Arc::new(group.clone());
                self.with_agent(turn, name, |agent, desk| agent.redefine(desk, group));
            }
            None => {
                let cause = "the new configuration does not have it here";
                self.with_agent(turn, name, |agent, desk| agent.release(desk, cause));
            }
        }
    }

    /// Begins to probe groups that this node has not looked at yet.
    pub(crate) fn enlist(&mut self, turn: &mut Turn<'_>) {
        let until = self.unleased_until();
        let groups: Vec<_> = self.unlisted().cloned().collect();
        for group in groups {
            let name = group.name.clone();
            let mut effects: Vec<AgentEffect> = Vec::new();
            let (ids, out, unplugged) = (&mut self.ids, &mut effects, &self.networks.unplugged);
            let mut desk = Desk { now: turn.now, standing: self.standing, unplugged, ids, out };
            let mut agent = Agent::new(&mut desk, Arc::new(group), until);
            agent.plant(self.plot);
            self.agents.insert(name, agent);
            turn.out.extend(effects.into_iter().map(ManagerEffect::from));
        }
    }

    /// Time passed or the standing changed. What the configuration no longer has here goes once it is free.
    pub(crate) fn drive_agents(&mut self, turn: &mut Turn<'_>) {
        let names: Vec<_> = self.agents.keys().cloned().collect();
        for name in names {
            self.with_agent(turn, &name, |agent, desk| agent.drive(desk));
            if !self.may_host(&name) && self.agents.get(&name).is_some_and(Agent::is_idle) {
                self.agents.remove(&name);
            }
        }
    }

    fn may_host(&self, name: &GroupName) -> bool {
        let group = self.config.cluster.groups.get(name);
        group.is_some_and(|group| group.rank(self.me.node).is_some())
    }

    pub(crate) fn operated(&mut self, turn: &mut Turn<'_>, id: OperationId, result: &OperationResult) {
        let names: Vec<_> = self.agents.keys().cloned().collect();
        for name in names {
            if self.with_agent(turn, &name, |agent, desk| agent.operated(desk, id, result)) == Some(true) {
                return;
            }
        }
    }

    /// Does this node's part of an agreed motion.
    pub(crate) fn take_part(&mut self, turn: &mut Turn<'_>, name: &GroupName, motion: &Motion) {
        let cluster = self.config.cluster.clone();
        let cause = render::reason(&cluster, &motion.reason);
        if motion.release.contains(&self.me.node) {
            self.with_agent(turn, name, |agent, desk| agent.release(desk, &cause));
        }
        if let Some(acquire) = motion.acquire.filter(|acquire| acquire.node == self.me.node) {
            self.with_agent(turn, name, |agent, desk| agent.acquire(desk, acquire.epoch, &cause));
        }
    }

    /// Says what the replicated state does not know yet.
    pub(crate) fn report(&mut self, turn: &mut Turn<'_>) {
        let Some(view) = self.in_step().map(|membership| membership.view.id) else { return };
        for (group, holding) in self.news() {
            let word = Word::Report { group: group.clone(), holding: holding.clone() };
            match turn.group.broadcast(encode(&Envelope { view, word })) {
                Ok(()) => drop(self.reported.insert(group, holding)),
                Err(_) => {
                    self.retry_at = turn.now + PLAN_RETRY_PAUSE;
                    return;
                }
            }
        }
    }

    /// Tells agents that took over from an earlier life what the cluster remembers of its restarts.
    pub(crate) fn recall(&mut self, turn: &mut Turn<'_>) {
        if self.in_step().is_none() {
            return;
        }
        let forgetful = self.agents.iter().filter(|(_, agent)| agent.is_forgetful());
        let memories: Vec<_> = forgetful.map(|(name, _)| (name.clone(), self.restarts_of(name))).collect();
        for (name, memory) in memories {
            if !memory.is_empty() {
                turn.reached(Point::RestartsRecalled);
            }
            self.with_agent(turn, &name, |agent, _| agent.recall(&memory));
        }
    }

    /// What the cluster remembers of restarts in the acquisition that this node has of a group.
    fn restarts_of(&self, name: &GroupName) -> RestartTimes {
        let epoch = self.agents.get(name).map(|agent| agent.holding().epoch());
        let known = self.state.groups.get(name).and_then(|record| record.restarts.as_ref());
        let mine = known.filter(|known| known.boot == self.boot && Some(known.epoch) == epoch);
        mine.map(|known| known.times.clone()).unwrap_or_default()
    }

    /// Tells restarts that the replicated state does not count yet.
    pub(crate) fn report_restarts(&mut self, turn: &mut Turn<'_>) {
        let Some(view) = self.in_step().map(|membership| membership.view.id) else { return };
        let counted: Vec<_> = (self.agents.iter())
            .map(|(name, agent)| (name.clone(), agent.holding().epoch(), agent.restarts()))
            .filter(|(name, _, times)| !times.is_empty() && *times != self.restarts_of(name))
            .filter(|(name, _, times)| self.counted.get(name) != Some(times))
            .collect();
        for (group, epoch, times) in counted {
            let restarts = Restarts { boot: self.boot, epoch, times: times.clone() };
            let word = Word::Restarts { group: group.clone(), restarts };
            match turn.group.broadcast(encode(&Envelope { view, word })) {
                Ok(()) => drop(self.counted.insert(group, times)),
                Err(_) => self.retry_at = turn.now + PLAN_RETRY_PAUSE,
            }
        }
    }

    fn news(&self) -> Vec<(GroupName, Holding)> {
        let known = |name: &GroupName| self.state.groups.get(name).map(|record| record.holding(self.me.node));
        let truths = self.agents.iter().map(|(name, agent)| (name, agent.holding()));
        truths
            .filter(|(name, truth)| known(name).is_some_and(|known| known != truth))
            .filter(|(name, truth)| self.reported.get(*name) != Some(truth))
            .map(|(name, truth)| (name.clone(), truth))
            .collect()
    }
}
