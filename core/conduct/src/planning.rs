//! How managers agree on a plan: the first member in step proposes it, each computes it again and votes on its digest.
//!
//! A plan that was overtaken by news is not a disagreement: it is proposed anew. Two plans from the same inputs are one,
//! and so are two states at one place in the order: the groups concerned are then left alone until people have looked.

use crate::manager::{Manager, Turn};
use crate::message::{PlanBallot, Proposal, encode};
use crate::ordered::papers;
use phalanx_events::{ManagerNote, Point};
use phalanx_groups::{Cause, Membership, Outcome, ProposalId, Vote};
use phalanx_model::Cluster;
use phalanx_plan::{Plan, PlannerLevel, Standstill, Verdict, inputs, plan, render, verdict};
use phalanx_types::limits::{PLAN_RETRY_PAUSE, PLAN_VOTE_LIMIT};
use phalanx_types::{Digest, GroupName, NodeId, Tick};
use std::collections::BTreeMap;

/// Said with a vote against a plan that news has overtaken.
const OVERTAKEN: &str = "overtaken by news";
/// Said with a vote against a plan while the configuration it rests on may be forgotten.
const NOT_STORED: &str = "its configuration is not on disk yet";
/// Said with a vote against a plan that came out otherwise here.
const DIVERGED: &str = "another plan from the same inputs";

/// Where agreement on plans stands.
pub(crate) struct Planning {
    /// The planner that the members of the view go by: the latest that all of them have.
    level: PlannerLevel,
    /// This node's proposal under way.
    proposed: Option<ProposalId>,
    /// The plan voted for. Its inputs are the same when it is decided: what is said meanwhile is heard behind the outcome.
    voted: Option<Voted>,
    /// What is still to be agreed, on the node that proposes.
    todo: Option<Plan>,
    /// The state changed since `todo` was made.
    news: bool,
    /// Since when explanations are old.
    untold: bool,
    /// Not before this.
    not_before: Tick,
}

struct Voted {
    proposal: ProposalId,
    plan: Plan,
}

impl Planning {
    /// The replicated state changed.
    pub(crate) fn touch(&mut self) {
        (self.news, self.untold) = (true, true);
    }

    /// A new view, whose members go by this planner: proposals of the old one are over.
    pub(crate) fn begin(level: PlannerLevel) -> Planning {
        Planning {
            level,
            proposed: None,
            voted: None,
            todo: None,
            news: true,
            untold: true,
            not_before: Tick::ZERO,
        }
    }

    pub(crate) fn wake_at(&self) -> Tick {
        match self.todo.is_some() && self.proposed.is_none() {
            true => self.not_before,
            false => Tick::NEVER,
        }
    }
}

impl Manager {
    /// A new view. Nodes of different builds go by the latest planner that all of them have, until the last is upgraded.
    pub(crate) fn planner_meets_view(&mut self, turn: &mut Turn<'_>, membership: &Membership) {
        let brought = membership.passports.values().map(|passport| papers(&passport.body)?.planner);
        let level = PlannerLevel::common(brought);
        if level < self.planner {
            turn.reached(Point::OlderPlanner);
        }
        self.planning = Planning::begin(level);
    }

    /// Proposes what has to change, if that is this node's to do.
    pub(crate) fn propose(&mut self, turn: &mut Turn<'_>) {
        if std::mem::take(&mut self.planning.news) {
            self.planning.todo = self.needed_plan();
        }
        if self.planning.proposed.is_some() || turn.now < self.planning.not_before {
            return;
        }
        let (Some(plan), Some(membership)) = (&self.planning.todo, self.in_step()) else { return };
        let groups = plan.groups();
        let inputs = inputs(&membership.view, &self.state, &groups);
        let plan = plan.digest();
        let level = self.planning.level;
        let ballot = PlanBallot { level, groups: groups.clone(), inputs, plan };
        match turn.group.propose(encode(&Proposal::Plan(ballot)), PLAN_VOTE_LIMIT) {
            Ok(proposal) => {
                self.planning.proposed = Some(proposal);
                turn.note(ManagerNote::PlanProposed { plan, groups });
            }
            Err(_) => self.planning.not_before = turn.now + PLAN_RETRY_PAUSE,
        }
    }

    /// The plan that this node has to propose; `None` if there is none or another node proposes.
    fn needed_plan(&self) -> Option<Plan> {
        let (membership, cluster) = (self.in_step()?, &self.config.cluster);
        let first = membership.view.members.keys().next();
        let proposes = self.config_agreed() && first == Some(&self.me.node);
        let plan = proposes.then(|| plan(self.planning.level, cluster, &membership.view, &self.state))?;
        (!plan.is_empty()).then_some(plan)
    }

    /// A vote on a plan is asked for.
    pub(crate) fn vote(&mut self, turn: &mut Turn<'_>, proposal: ProposalId, ballot: &PlanBallot) {
        let (vote, word) = match self.judge(proposal, ballot) {
            Ok(voted) => {
                self.planning.voted = Some(voted);
                (Vote::Approve, String::new())
            }
            Err(Doubt::Overtaken(word)) => {
                turn.reached(if word == NOT_STORED { Point::VoteBeforeDisk } else { Point::PlanOvertaken });
                (Vote::Reject, word)
            }
            Err(Doubt::Diverged(ours)) => {
                turn.note(ManagerNote::PlanDiverged { theirs: ballot.plan, ours });
                (Vote::Reject, format!("{DIVERGED}: {ours}"))
            }
        };
        turn.group.vote(proposal, vote, &word);
    }

    fn judge(&self, proposal: ProposalId, ballot: &PlanBallot) -> Result<Voted, Doubt> {
        let not_in_step = || Doubt::Overtaken("not in step".into());
        let membership = self.in_step().ok_or_else(not_in_step)?;
        let level = self.planning.level;
        if ballot.level != level {
            return Err(Doubt::Overtaken(format!("planner level {}, not {}", level.0, ballot.level.0)));
        }
        let view = &membership.view;
        if inputs(view, &self.state, &ballot.groups) != ballot.inputs {
            return Err(Doubt::Overtaken(OVERTAKEN.into()));
        }
        if !self.config.is_durable() {
            return Err(Doubt::Overtaken(NOT_STORED.into()));
        }
        let plan = phalanx_plan::plan::plan_of(level, self.cluster(), view, &self.state, &ballot.groups);
        match plan.digest() == ballot.plan {
            true => Ok(Voted { proposal, plan }),
            false => Err(Doubt::Diverged(plan.digest())),
        }
    }

    /// A plan was decided on.
    pub(crate) fn decided(
        &mut self,
        turn: &mut Turn<'_>,
        proposal: ProposalId,
        ballot: &PlanBallot,
        outcome: Outcome,
    ) {
        // The end of another proposal, such as one of this node that collided, leaves the vote as it is.
        let voted = self.planning.voted.take_if(|voted| voted.proposal == proposal);
        if self.planning.proposed == Some(proposal) {
            self.planning.proposed = None;
        }
        self.planning.touch();
        match (outcome, voted) {
            (Outcome::Approved, Some(voted)) => self.begin(turn, &voted.plan),
            (Outcome::Approved, None) => turn.note(refused("it was agreed before this node was in step")),
            (Outcome::Rejected(cause), _) => self.refused(turn, ballot, &cause),
        }
    }

    /// Begins an agreed plan.
    fn begin(&mut self, turn: &mut Turn<'_>, plan: &Plan) {
        let Some(membership) = self.in_step() else { return };
        let (cluster, view) = (self.config.cluster.clone(), membership.view.clone());
        self.state.agree(&view, plan);
        turn.note(ManagerNote::PlanAgreed {
            plan: plan.digest(),
            view: view.id,
            steps: plan.lines(&cluster),
        });
        if self.sealed.get() {
            return turn.reached(Point::PlanAfterPassport);
        }
        for (name, motion) in &plan.motions {
            self.take_part(turn, name, motion);
        }
    }

    fn refused(&mut self, turn: &mut Turn<'_>, ballot: &PlanBallot, cause: &Cause) {
        match cause {
            Cause::Voted(_) | Cause::Silent(_) => {}
            Cause::ViewChanged => turn.reached(Point::VoteCutByView),
            Cause::Collided => turn.reached(Point::ProposalCollided),
        }
        let (cause, pause) = match cause {
            Cause::Voted(words) if self.disagree(words) => {
                let why = "managers disagree on the state or on the plan";
                if !words.values().any(|word| word.starts_with(DIVERGED)) {
                    let (groups, ours) = (ballot.groups.clone(), self.state.digest());
                    turn.note(ManagerNote::StateDiverged { groups, ours });
                }
                self.state.halt(&ballot.groups, why);
                (why.to_owned(), false)
            }
            Cause::Voted(words) => {
                let words: Vec<_> = words.iter().map(|(node, word)| format!("{node}: {word}")).collect();
                (words.join(", "), words.iter().any(|word| !word.ends_with(OVERTAKEN)))
            }
            Cause::Silent(nodes) => (format!("no vote from {nodes:?}"), true),
            Cause::ViewChanged => ("the view changed".to_owned(), false),
            Cause::Collided => ("another proposal was running".to_owned(), true),
        };
        if pause {
            self.planning.not_before = turn.now + PLAN_RETRY_PAUSE;
        }
        turn.note(refused(&cause));
    }

    /// Whether the words with the votes against a plan show that states or planners differ. At one place in the order
    /// news has overtaken a plan for all members or for none.
    fn disagree(&self, words: &BTreeMap<NodeId, String>) -> bool {
        let members = self.in_step().map_or(0, |membership| membership.view.members.len());
        let overtaken = words.values().filter(|word| *word == OVERTAKEN).count();
        words.values().any(|word| word.starts_with(DIVERGED)) || (overtaken > 0 && overtaken < members)
    }

    /// Tells why groups are left as they are, where that changed.
    pub(crate) fn explain(&mut self, turn: &mut Turn<'_>) {
        if !std::mem::take(&mut self.planning.untold) {
            return;
        }
        for (group, reason) in self.standstills() {
            // A plan tells of itself; where it left the group is told anew.
            let Some(reason) = reason else {
                self.told.remove(&group);
                continue;
            };
            if self.told.get(&group) != Some(&reason) {
                self.told.insert(group.clone(), reason.clone());
                turn.note(ManagerNote::StandingStill { group, reason });
            }
        }
    }

    /// Why each group stands still; nothing where it moves.
    fn standstills(&self) -> Vec<(GroupName, Option<String>)> {
        let Some(membership) = self.in_step() else { return Vec::new() };
        let cluster = self.cluster();
        let why = |group: &phalanx_model::Group| match verdict(group, &membership.view, &self.state) {
            Verdict::Stay(Standstill::InMotion) | Verdict::Move(_) => (group.name.clone(), None),
            Verdict::Stay(why) => (group.name.clone(), Some(render::standstill(cluster, &group.name, &why))),
        };
        cluster.groups.values().map(why).collect()
    }

    /// What the active version declares.
    pub(crate) fn cluster(&self) -> &Cluster {
        &self.config.cluster
    }
}

/// Why a plan is not voted for.
enum Doubt {
    Overtaken(String),
    Diverged(Digest),
}

fn refused(cause: &str) -> ManagerNote {
    ManagerNote::PlanRefused { cause: cause.to_owned() }
}
