//! A change of the configuration, from the asking to the answer: checked here, voted by all, staged by all, active.
//!
//! Phase 1: every member checks the version. Phase 2: every member makes it durable. Only then is it active, at one place
//! in the order. What dies before phase 2 leaves the old version; once anybody has staged it, the next primary has it.

use crate::manager::{Manager, Phase, Turn};
use crate::message::{Proposal, encode};
use crate::request::Reply;
use phalanx_events::{ManagerNote, Point};
use phalanx_groups::{Cause, Outcome, ProposalId, Refusal, Vote};
use phalanx_ledger::{StageError, Version};
use phalanx_model::{Cluster, Fault, Group, differ_in_policies_only, parse, rebase};
use phalanx_plan::Intent;
use phalanx_types::limits::{CONFIG_VOTE_LIMIT, PLAN_RETRY_PAUSE, REQUEST_LIMIT};
use phalanx_types::{Bug, Digest, GroupName, RequestId, Tick};
use std::sync::Arc;

/// Changes of the configuration: the one asked of this node, and the one that is voted on.
#[derive(Default)]
pub(crate) struct Changes {
    asked: Option<Asked>,
    ballot: Option<Ballot>,
}

/// A change that an operator asked of this node.
struct Asked {
    id: RequestId,
    text: String,
    /// The version that it changes.
    base: Digest,
    until: Tick,
    not_before: Tick,
    stage: Stage,
}

/// How far a change is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Not proposed yet.
    Waiting,
    /// It is voted on.
    Proposed { proposal: ProposalId, version: Digest },
    /// The view changed meanwhile: the next one shows what became of it.
    Unsure { version: Digest },
}

/// The version that is voted on.
struct Ballot {
    proposal: ProposalId,
    /// The image that makes it durable, once it is staged.
    staged: Option<u64>,
    voted: bool,
}

impl Changes {
    pub(crate) fn wake_at(&self) -> Tick {
        self.asked.as_ref().map_or(Tick::NEVER, |asked| asked.until)
    }
}

impl Manager {
    /// An operator wants this cluster file to be the active configuration.
    pub(crate) fn asked_to_apply(&mut self, turn: &mut Turn<'_>, id: RequestId, text: &str) {
        match self.candidate(text) {
            Ok(text) => {
                let (base, until) = (self.config.active(), turn.now + REQUEST_LIMIT);
                let asked = Asked { id, text, base, until, not_before: Tick::ZERO, stage: Stage::Waiting };
                self.changes.asked = Some(asked);
            }
            Err(reply) => self.answer(turn, id, reply),
        }
    }

    /// The canonical text of a file that may become active, or why it may not.
    fn candidate(&self, text: &str) -> Result<String, Reply> {
        let faults = |faults: Vec<Fault>| Reply::Bad { why: lines(faults.iter().map(Fault::to_string)) };
        let new = parse("cluster file", text).map_err(faults)?.cluster;
        let refused = |why: Vec<String>| Reply::Refused { why: lines(why) };
        let new = rebase(&new, self.cluster()).map_err(refused)?;
        if new == *self.cluster() {
            let what = format!("nothing to change: version {} says the same", self.version());
            return Err(Reply::Done { what });
        }
        match &self.phase {
            Phase::Alone | Phase::Apart(_) => Err(Reply::Refused { why: self.no_quorum() }),
            Phase::CatchingUp(_) | Phase::InStep(_) if self.changes.asked.is_some() => {
                let why = "another change is under way on this node; wait for its end and apply again".into();
                Err(Reply::Refused { why })
            }
            Phase::InStep(_) => self.objections(&new).map(|()| new.to_toml()).map_err(refused),
            Phase::CatchingUp(_) => Ok(new.to_toml()),
        }
    }

    /// Groups that would change while something of them may run: all of them, each with its remedy.
    fn objections(&self, new: &Cluster) -> Result<(), Vec<String>> {
        let old = self.cluster();
        let touched = |(name, group): (&GroupName, &Group)| match new.groups.get(name) {
            Some(changed) if differ_in_policies_only(group, changed) => None,
            Some(_) => Some((name.clone(), "changed")),
            None => Some((name.clone(), "removed")),
        };
        let touched = old.groups.iter().filter_map(touched).filter(|(name, _)| !self.is_at_rest(name));
        let say = |(name, what): (GroupName, &str)| {
            format!(
                "group {name} would be {what} and is not offline; bring it offline first: phalanx group offline {name}"
            )
        };
        let all: Vec<String> = touched.map(say).collect();
        if all.is_empty() { Ok(()) } else { Err(all) }
    }

    /// Whether an operator brought the group offline and every node there has let it go.
    fn is_at_rest(&self, name: &GroupName) -> bool {
        let members = self.in_step().map(|membership| &membership.view.members);
        self.state.groups.get(name).zip(members).is_some_and(|(record, members)| {
            let free =
                |node: &phalanx_types::NodeId| !members.contains_key(node) || record.holding(*node).is_free();
            let nodes =
                self.cluster().groups.get(name).map(|group| group.nodes.as_slice()).unwrap_or_default();
            record.intent == Intent::Offline && record.motion.is_none() && nodes.iter().all(free)
        })
    }

    /// Does what is next with the change asked of this node.
    pub(crate) fn follow_change(&mut self, turn: &mut Turn<'_>) {
        let Some(asked) = &self.changes.asked else { return };
        if turn.now >= asked.until {
            let why = "the change is still under way; the status shows which version is active".into();
            return self.end_change(turn, Reply::Unknown { why });
        }
        if self.in_step().is_none() || !self.config_agreed() {
            return;
        }
        match asked.stage {
            Stage::Waiting if asked.base != self.config.active() => {
                turn.reached(Point::ChangeOvertaken);
                let why = format!(
                    "somebody else changed the configuration meanwhile: version {} is active; look at it and apply again",
                    self.version()
                );
                self.end_change(turn, Reply::Refused { why });
            }
            Stage::Waiting if turn.now < asked.not_before => {
                self.retry_at = self.retry_at.min(asked.not_before);
            }
            Stage::Waiting => self.propose_change(turn),
            Stage::Unsure { version } => self.end_unsure(turn, version),
            Stage::Proposed { .. } => {}
        }
    }

    fn end_unsure(&mut self, turn: &mut Turn<'_>, version: Digest) {
        if self.config.active() == version {
            turn.reached(Point::UnsureTookEffect);
            return self.acknowledge(turn, version);
        }
        let why = format!(
            "the view changed during the vote; version {} is active; look at it and apply again",
            self.version()
        );
        self.end_change(turn, Reply::Unknown { why });
    }

    fn propose_change(&mut self, turn: &mut Turn<'_>) {
        let (Some(asked), Some(view)) = (&self.changes.asked, self.in_step().map(|one| one.view.id)) else {
            return;
        };
        let next = self.config.ledger.next(asked.text.clone(), view);
        let version = next.digest();
        match turn.group.propose(encode(&Proposal::Config(next)), CONFIG_VOTE_LIMIT) {
            Ok(_) if self.plot.has(Bug::AcknowledgedWhenProposed) => self.acknowledge(turn, version),
            Ok(proposal) => self.set_stage(Stage::Proposed { proposal, version }),
            Err(Refusal::TooLong) => {
                let why = "the cluster file is too long to be sent; make it shorter".into();
                self.end_change(turn, Reply::Bad { why });
            }
            Err(Refusal::Changing | Refusal::Full) => {
                self.try_again(turn.now);
                self.retry_at = self.retry_at.min(turn.now + PLAN_RETRY_PAUSE);
            }
        }
    }

    fn try_again(&mut self, now: Tick) {
        if let Some(asked) = &mut self.changes.asked {
            (asked.stage, asked.not_before) = (Stage::Waiting, now + PLAN_RETRY_PAUSE);
        }
    }

    fn set_stage(&mut self, stage: Stage) {
        if let Some(asked) = &mut self.changes.asked {
            asked.stage = stage;
        }
    }

    /// A vote on a version is asked for.
    pub(crate) fn vote_on_version(
        &mut self,
        turn: &mut Turn<'_>,
        proposal: ProposalId,
        phase: u32,
        version: Version,
    ) {
        match (phase, self.judge_version(&version)) {
            (_, Err(why)) => turn.group.vote(proposal, Vote::Reject, &why),
            (1, Ok(_)) => {
                self.changes.ballot = Some(Ballot { proposal, staged: None, voted: false });
                turn.group.vote(proposal, Vote::Continue, "");
            }
            // The passport is written and does not have it: the view ends before the vote does.
            (_, Ok(_)) if self.sealed.get() => turn.reached(Point::StageAfterPassport),
            (_, Ok(_)) => self.stage_version(turn, proposal, version),
        }
    }

    fn stage_version(&mut self, turn: &mut Turn<'_>, proposal: ProposalId, version: Version) {
        let ballot = self.changes.ballot.as_mut().filter(|ballot| ballot.proposal == proposal);
        match (ballot, self.config.stage(turn, version)) {
            (Some(ballot), Ok(number)) => ballot.staged = Some(number),
            (None, Ok(_)) => turn.group.vote(proposal, Vote::Reject, "it was not checked before"),
            (_, Err(error)) => turn.group.vote(proposal, Vote::Reject, &words(error)),
        }
    }

    /// What every member checks alike: that the version can be read, follows the active one, and changes nothing that
    /// runs.
    fn judge_version(&self, version: &Version) -> Result<Arc<Cluster>, String> {
        if self.in_step().is_none() || !self.config_agreed() {
            return Err("the members have not agreed on a configuration yet".into());
        }
        self.config.ledger.check(version).map_err(words)?;
        let cluster = read(version)?;
        if cluster.to_toml() != version.text() {
            return Err("its text is not in canonical form".into());
        }
        rebase(&cluster, self.cluster()).map_err(lines)?;
        self.objections(&cluster).map_err(lines)?;
        Ok(Arc::new(cluster))
    }

    /// An image is durable; with that a version may be.
    pub(crate) fn stored(&mut self, turn: &mut Turn<'_>, number: u64) {
        self.config.stored(number);
        let config = &self.config;
        let due = |ballot: &&mut Ballot| {
            !ballot.voted && ballot.staged.is_some_and(|staged| config.is_stored(staged))
        };
        if let Some(ballot) = self.changes.ballot.as_mut().filter(due) {
            ballot.voted = true;
            turn.group.vote(ballot.proposal, Vote::Approve, "");
        }
    }

    /// A version was decided on.
    pub(crate) fn version_decided(
        &mut self,
        turn: &mut Turn<'_>,
        proposal: ProposalId,
        version: Version,
        outcome: Outcome,
    ) {
        let ballot = self.changes.ballot.take_if(|ballot| ballot.proposal == proposal);
        let begun = ballot.is_some_and(|ballot| ballot.staged.is_some());
        let digest = version.digest();
        let staged_for_nothing = matches!(&outcome, Outcome::Rejected(Cause::Voted(_) | Cause::Silent(_)));
        if staged_for_nothing {
            self.config.unstage(turn, digest);
        }
        if outcome == Outcome::Approved {
            self.take_version(turn, version);
            self.align_state();
        }
        self.planning.touch();
        let mine = Stage::Proposed { proposal, version: digest };
        if self.changes.asked.as_ref().is_some_and(|asked| asked.stage == mine) {
            self.conclude(turn, digest, outcome, begun);
        }
    }

    /// Answers for the change that was asked of this node; `begun` if it may have been staged somewhere.
    fn conclude(&mut self, turn: &mut Turn<'_>, version: Digest, outcome: Outcome, begun: bool) {
        let why = match outcome {
            Outcome::Approved => return self.acknowledge(turn, version),
            Outcome::Rejected(Cause::Collided) => {
                turn.reached(Point::ChangeCollided);
                return self.try_again(turn.now);
            }
            Outcome::Rejected(Cause::ViewChanged) => return self.set_stage(Stage::Unsure { version }),
            Outcome::Rejected(Cause::Voted(words)) => {
                lines(words.iter().map(|(node, word)| format!("{} objects: {word}", self.name(*node))))
            }
            Outcome::Rejected(Cause::Silent(nodes)) => {
                lines(nodes.iter().map(|node| format!("{} did not vote in time", self.name(*node))))
            }
        };
        let reply = if begun { Reply::Unknown { why } } else { Reply::Refused { why } };
        self.end_change(turn, reply);
    }

    fn acknowledge(&mut self, turn: &mut Turn<'_>, config: Digest) {
        turn.note(ManagerNote::ChangeAcknowledged { config });
        let what = format!("version {} is active on every node{}", self.version(), self.absentees());
        self.end_change(turn, Reply::Done { what });
    }

    /// Who gets the version only when it is back.
    fn absentees(&self) -> String {
        let members = self.in_step().map(|membership| membership.view.members.keys().copied().collect());
        let absent = self.names(self.electorate().nodes.minus(members.unwrap_or_default()));
        match absent.is_empty() {
            true => String::new(),
            false => format!(" that is there; {} will have it when back", absent.join(", ")),
        }
    }

    fn end_change(&mut self, turn: &mut Turn<'_>, reply: Reply) {
        if let Some(asked) = self.changes.asked.take() {
            self.answer(turn, asked.id, reply);
        }
    }

    /// A new view: no vote goes on, and what was proposed may or may not have been staged.
    pub(crate) fn changes_meet_view(&mut self, turn: &mut Turn<'_>) {
        self.changes.ballot = None;
        let lost = matches!(self.phase, Phase::Alone | Phase::Apart(_));
        match self.changes.asked.as_ref().map(|asked| asked.stage) {
            None => {}
            Some(Stage::Waiting) if lost => {
                let why = self.no_quorum();
                self.end_change(turn, Reply::Refused { why });
            }
            Some(Stage::Proposed { .. } | Stage::Unsure { .. }) if lost => {
                let why = format!("the quorum was lost during the vote ({})", self.no_quorum());
                self.end_change(turn, Reply::Unknown { why });
            }
            Some(Stage::Proposed { version, .. }) => {
                turn.reached(Point::ChangeUnsure);
                self.set_stage(Stage::Unsure { version });
            }
            Some(Stage::Waiting | Stage::Unsure { .. }) => {}
        }
    }

    fn version(&self) -> u64 {
        self.config.ledger.active().index()
    }
}

/// What a version declares.
pub(crate) fn read(version: &Version) -> Result<Cluster, String> {
    let faults = |faults: Vec<Fault>| lines(faults.iter().map(Fault::to_string));
    parse("ledger", version.text()).map(|parsed| parsed.cluster).map_err(faults)
}

fn lines(all: impl IntoIterator<Item = String>) -> String {
    all.into_iter().collect::<Vec<_>>().join("\n")
}

fn words(error: StageError) -> String {
    match error {
        StageError::NotNext { .. } => "it does not follow the active version".into(),
        StageError::Older => "a newer version is staged".into(),
    }
}
