//! What C is shown: notifications, with all that they point to, as long as a callback lasts.

use crate::client::{Asked, Member};
use crate::numbers::*;
use crate::raw;
use crate::read::raw_provider;
use phalanx_client::{
    Attributes, Batch, Change, DefaultVote, Gone, Merge, Message, Outcome, Phase, Phases, Proposal,
    ProviderId, Refused, Span, Standing, StateValue, Summary, Wants,
};
use std::any::Any;
use std::ffi::{CString, c_char};
use std::ptr::null_mut;

/// Keeps what notifications point to. C gets bare pointers to it, so nothing else here points to it meanwhile.
#[derive(Default)]
pub struct Shown(Vec<*mut dyn Any>);

impl Drop for Shown {
    fn drop(&mut self) {
        for place in self.0.drain(..) {
            // SAFETY: it was made from a box by `put`, and is in the list once.
            drop(unsafe { Box::from_raw(place) });
        }
    }
}

/// Whether a proposal is voted on, or how that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// In this phase.
    Asked(u32),
    /// It was approved.
    Approved,
    /// It was rejected.
    Rejected,
}

impl Shown {
    fn put<T: 'static>(&mut self, thing: T) -> *mut T {
        let place = Box::into_raw(Box::new(thing));
        self.0.push(place);
        place
    }

    fn list<T: 'static>(&mut self, mut things: Vec<T>) -> (u32, *mut T) {
        let (count, place) = (things.len() as u32, things.as_mut_ptr());
        self.put(things);
        (count, place)
    }

    /// A text; what has a zero byte in it is none of ours.
    pub fn text(&mut self, text: &str) -> *mut c_char {
        let text = CString::new(text).unwrap_or_default();
        self.list(text.into_bytes_with_nul()).1.cast()
    }

    fn bytes(&mut self, bytes: &[u8]) -> (i32, *mut c_char) {
        // A zero behind them, for programs that take them for a text.
        let (_, place) = self.list([bytes, &[0]].concat());
        (bytes.len() as i32, place.cast())
    }

    /// A list of providers.
    pub fn membership(&mut self, providers: &[ProviderId]) -> *mut raw::Membership {
        let (gs_count, gs_providers) = self.list(providers.iter().copied().map(raw_provider).collect());
        self.put(raw::Membership { gs_count, gs_providers })
    }

    /// A state value.
    pub fn state(&mut self, state: &StateValue) -> *mut raw::StateValue {
        let (gs_length, gs_state) = self.bytes(state.bytes());
        self.put(raw::StateValue { gs_length, gs_state })
    }

    fn message(&mut self, message: &[u8]) -> *mut raw::Message {
        let (gs_length, gs_message) = self.bytes(message);
        self.put(raw::Message { gs_length, gs_message })
    }

    fn attributes(&mut self, group: &str, attributes: &Attributes) -> *mut raw::Attributes {
        let (gs_num_phases, gs_time_limit) = raw_phases(attributes.membership);
        let (gs_source_reflection_num_phases, gs_source_reflection_time_limit) =
            raw_phases(attributes.reflection);
        let batch = match attributes.batch {
            Batch::None => HA_GS_NO_BATCHING,
            Batch::Joins => HA_GS_BATCH_JOINS,
            Batch::Leaves => HA_GS_BATCH_LEAVES,
            Batch::Both => HA_GS_BATCH_BOTH,
        };
        let deactivate = if attributes.deactivate_on_failure { HA_GS_DEACTIVATE_ON_FAILURE } else { 0 };
        let source = attributes.source.as_ref();
        let (gs_group_name, gs_source_group_name) =
            (self.text(group), source.map_or(null_mut(), |source| self.text(source.as_str())));
        self.put(raw::Attributes {
            gs_version: 1,
            gs_sizeof_group_attributes: size_of::<raw::Attributes>() as i16,
            gs_client_version: attributes.client_version as i16,
            gs_batch_control: batch | deactivate,
            gs_num_phases,
            gs_source_reflection_num_phases,
            gs_group_default_vote: match attributes.default_vote {
                DefaultVote::Approve => HA_GS_VOTE_APPROVE,
                DefaultVote::Reject => HA_GS_VOTE_REJECT,
            },
            gs_merge_control: match attributes.merge {
                Merge::DontCare => HA_GS_DONTCARE_MERGE,
                Merge::Larger => HA_GS_LARGER_MERGE,
                Merge::Smaller => HA_GS_SMALLER_MERGE,
                Merge::Dissolve => HA_GS_DISSOLVE_MERGE,
            },
            gs_time_limit,
            gs_source_reflection_time_limit,
            gs_group_name,
            gs_source_group_name,
        })
    }

    /// A phase in which a vote is asked for.
    pub fn phase(&mut self, token: i32, member: &Member, phase: &Phase) -> *const raw::NPhase {
        let stage = Stage::Asked(phase.phase);
        let gs_proposal =
            self.proposal(member, (&phase.proposal, phase.from), member.standing.as_ref(), stage);
        self.put(raw::NPhase {
            gs_notification_type: HA_GS_N_PHASE_NOTIFICATION,
            gs_provider_token: token,
            gs_protocol_type: protocol_type(&phase.proposal.change),
            gs_summary_code: summary(phase.summary, stage),
            gs_time_limit: seconds(phase.limit),
            gs_proposal,
        })
    }

    /// How a protocol ended.
    pub fn ended(
        &mut self,
        token: i32,
        member: &Member,
        outcome: &Outcome,
        stage: Stage,
    ) -> *const raw::Ended {
        // What goes with a vote is told with the next notification: of those who rejected it the lowest that said something.
        let said = outcome.against.iter().find_map(|objection| objection.words);
        let said = said.and_then(|words| Message::new(words.to_vec()).ok());
        let mut proposal = outcome.proposal.clone();
        proposal.message = said.or(proposal.message);
        let gs_proposal = self.proposal(member, (&proposal, outcome.from), Some(&outcome.standing), stage);
        let approved = stage == Stage::Approved;
        self.put(raw::Ended {
            gs_notification_type: if approved {
                HA_GS_APPROVED_NOTIFICATION
            } else {
                HA_GS_REJECTED_NOTIFICATION
            },
            gs_provider_token: token,
            gs_protocol_type: protocol_type(&outcome.proposal.change),
            gs_summary_code: summary(outcome.summary, stage),
            gs_proposal,
        })
    }

    /// An announcement about these providers.
    pub fn announcement(
        &mut self,
        token: i32,
        code: u32,
        providers: &[ProviderId],
    ) -> *const raw::Announcement {
        let gs_announcement = self.membership(providers);
        self.put(raw::Announcement {
            gs_notification_type: HA_GS_ANNOUNCEMENT_NOTIFICATION,
            gs_provider_token: token,
            gs_summary_code: code,
            gs_announcement,
        })
    }

    fn proposal(
        &mut self,
        member: &Member,
        (proposal, from): (&Proposal, Option<ProviderId>),
        standing: Option<&Standing>,
        stage: Stage,
    ) -> *mut raw::Proposal {
        let changing = changing(&proposal.change);
        let leaves = leave_info(&proposal.change);
        let (gs_count, gs_leave_codes) = self.list(leaves);
        let phase = match stage {
            Stage::Asked(phase) => phase,
            Stage::Approved | Stage::Rejected => 0,
        };
        let group = member.seat.group.as_str().to_owned();
        let shown = raw::Proposal {
            gs_phase_info: raw::PhaseInfo { gs_num_phases: HA_GS_N_PHASE, gs_phase_number: phase },
            gs_proposed_by: from.map_or(NOBODY, raw_provider),
            gs_whats_changed: whats_changed(proposal, stage),
            gs_current_providers: standing
                .map_or(null_mut(), |standing| self.membership(&standing.members.0)),
            gs_changing_providers: if changing.is_empty() { null_mut() } else { self.membership(&changing) },
            gs_leave_info: match gs_count {
                0 => null_mut(),
                _ => self.put(raw::LeaveArray { gs_count, gs_leave_codes }),
            },
            gs_expel_info: self.expel_info(&proposal.change),
            gs_current_state_value: standing.map_or(null_mut(), |standing| self.state(&standing.state)),
            gs_proposed_state_value: proposal.state.as_ref().map_or(null_mut(), |state| self.state(state)),
            gs_source_state_value: if let Change::Reflection { value, .. } = &proposal.change {
                self.state(value)
            } else {
                null_mut()
            },
            gs_provider_message: match &proposal.message {
                Some(message) => self.message(message.bytes()),
                None => null_mut(),
            },
            gs_new_group_attributes: if let Change::Attributes(attributes) = &proposal.change {
                self.attributes(&group, attributes)
            } else {
                null_mut()
            },
        };
        self.put(shown)
    }

    fn expel_info(&mut self, change: &Change) -> *mut raw::ExpelInfo {
        let Change::Expel { deactivate, .. } = change else { return null_mut() };
        let gs_deactivate_flag = deactivate.as_ref().map_or(null_mut(), |how| self.text(how.flag.as_str()));
        self.put(raw::ExpelInfo { gs_deactivate_phase: deactivate.is_some().into(), gs_deactivate_flag })
    }

    /// A request that was refused later, as it was handed over.
    pub fn delayed_error(&mut self, token: i32, asked: &Asked, why: u32) -> *const raw::DelayedError {
        let gs_failing_request = self.request(asked);
        self.put(raw::DelayedError {
            gs_notification_type: HA_GS_DELAYED_ERROR_NOTIFICATION,
            gs_request_token: token,
            gs_protocol_type: asked.protocol_type(),
            gs_delayed_return_code: why,
            gs_failing_request,
        })
    }

    fn request(&mut self, asked: &Asked) -> *mut raw::ProposalInfo {
        let info = match asked {
            Asked::Join { seat, local, attributes, callbacks } => {
                let gs_group_attributes = self.attributes(seat.group.as_str(), attributes);
                raw::ProposalInfo {
                    gs_join_request: raw::JoinRequest {
                        gs_group_attributes,
                        gs_provider_instance: seat.instance,
                        gs_provider_local_name: self.text(local.as_str()),
                        gs_n_phase_protocol_callback: callbacks.n_phase,
                        gs_protocol_approved_callback: callbacks.approved,
                        gs_protocol_rejected_callback: callbacks.rejected,
                        gs_announcement_callback: callbacks.announcement,
                        gs_merge_callback: callbacks.merge,
                    },
                }
            }
            Asked::Subscribe { group, wants, callback } => raw::ProposalInfo {
                gs_subscribe_request: raw::SubscribeRequest {
                    gs_subscription_control: raw_wants(*wants),
                    gs_subscription_group: self.text(group.as_str()),
                    gs_subscription_callback: *callback,
                },
            },
            Asked::Leave { phases, code } => {
                let (gs_num_phases, gs_time_limit) = raw_phases(*phases);
                let gs_leave_request =
                    raw::LeaveRequest { gs_num_phases, gs_time_limit, gs_leave_code: *code };
                raw::ProposalInfo { gs_leave_request }
            }
            Asked::Expel { phases, providers, deactivate } => {
                let (gs_num_phases, gs_time_limit) = raw_phases(*phases);
                let (gs_count, gs_providers) =
                    self.list(providers.0.iter().copied().map(raw_provider).collect());
                let flag = deactivate.as_ref().map_or(null_mut(), |how| self.text(how.flag.as_str()));
                raw::ProposalInfo {
                    gs_expel_request: raw::ExpelRequest {
                        gs_num_phases,
                        gs_time_limit,
                        gs_expel_list: raw::Membership { gs_count, gs_providers },
                        gs_deactivate_phase: deactivate.is_some().into(),
                        gs_deactivate_flag: flag,
                    },
                }
            }
            Asked::State { phases, state } => {
                let (gs_num_phases, gs_time_limit) = raw_phases(*phases);
                let gs_new_state = self.state(state);
                let gs_state_change_request =
                    raw::StateChangeRequest { gs_num_phases, gs_time_limit, gs_new_state };
                raw::ProposalInfo { gs_state_change_request }
            }
            Asked::Message { phases, message } => {
                let (gs_num_phases, gs_time_limit) = raw_phases(*phases);
                let gs_message = self.message(message.bytes());
                raw::ProposalInfo {
                    gs_message_request: raw::MessageRequest { gs_num_phases, gs_time_limit, gs_message },
                }
            }
            Asked::Attributes { phases, group, attributes } => {
                let (gs_num_phases, gs_time_limit) = raw_phases(*phases);
                raw::ProposalInfo {
                    gs_change_attributes_request: raw::AttributesRequest {
                        gs_num_phases,
                        gs_time_limit,
                        gs_group_attributes: self.attributes(group.as_str(), attributes),
                        gs_backlevel_providers: null_mut(),
                    },
                }
            }
            Asked::Vote(_) => return null_mut(),
        };
        self.put(info)
    }

    /// That parts met, and the provider's group is dissolved.
    pub fn merge(&mut self, token: i32) -> *const raw::Merge {
        self.put(raw::Merge { gs_notification_type: HA_GS_MERGE_NOTIFICATION, gs_provider_token: token })
    }

    /// News for a subscriber.
    pub fn subscription(
        &mut self,
        token: i32,
        kind: u32,
        state: Option<&StateValue>,
        members: Option<&[ProviderId]>,
        changing: &[ProviderId],
    ) -> *const raw::Subscription {
        let notification = raw::Subscription {
            gs_notification_type: HA_GS_SUBSCRIPTION_NOTIFICATION,
            gs_subscriber_token: token,
            gs_subscription_type: kind,
            gs_state_value: state.map_or(null_mut(), |state| self.state(state)),
            gs_full_membership: members.map_or(null_mut(), |members| self.membership(members)),
            gs_changing_membership: if changing.is_empty() { null_mut() } else { self.membership(changing) },
            gs_subscription_special_data: null_mut(),
        };
        self.put(notification)
    }

    /// The question whether the client is well.
    pub fn check(&mut self, information: raw::Responsiveness) -> *const raw::Check {
        self.put(raw::Check {
            gs_notification_type: HA_GS_RESPONSIVENESS_NOTIFICATION,
            gs_responsiveness_information: information,
        })
    }
}

/// What a refusal is called.
pub fn code(why: Refused) -> u32 {
    match why {
        Refused::Collide => HA_GS_COLLIDE,
        Refused::BadAttributes => HA_GS_BAD_GROUP_ATTRIBUTES,
        Refused::DuplicateInstance => HA_GS_DUPLICATE_INSTANCE_NUMBER,
        Refused::NoSourceProvider => HA_GS_NO_SOURCE_GROUP_PROVIDER,
        Refused::UnknownGroup => HA_GS_UNKNOWN_GROUP,
        Refused::NotAMember => HA_GS_NOT_A_MEMBER,
        Refused::VoteNotExpected => HA_GS_VOTE_NOT_EXPECTED,
        Refused::Full => HA_GS_NO_MEMORY,
        Refused::Reserved => HA_GS_INVALID_GROUP,
    }
}

/// What kind of protocol that is.
pub fn protocol_type(change: &Change) -> u32 {
    match change {
        Change::Join(_) => HA_GS_JOIN,
        Change::FailureLeave(_) => HA_GS_FAILURE_LEAVE,
        Change::Leave { .. } => HA_GS_LEAVE,
        Change::Expel { .. } => HA_GS_EXPEL,
        Change::CastOut(_) => HA_GS_CAST_OUT,
        Change::State => HA_GS_STATE_VALUE_CHANGE,
        Change::Attributes(_) => HA_GS_GROUP_ATTRIBUTE_CHANGE,
        Change::Message => HA_GS_PROVIDER_MESSAGE,
        Change::Reflection { .. } => HA_GS_SOURCE_STATE_REFLECTION,
    }
}

fn changing(change: &Change) -> Vec<ProviderId> {
    match change {
        Change::Join(providers) | Change::Expel { providers, .. } | Change::CastOut(providers) => {
            providers.0.clone()
        }
        Change::FailureLeave(gone) => gone.0.iter().map(|(provider, _)| *provider).collect(),
        Change::Leave { provider, .. } => vec![*provider],
        Change::State | Change::Attributes(_) | Change::Message | Change::Reflection { .. } => Vec::new(),
    }
}

/// Why each of the changing providers leaves.
fn leave_info(change: &Change) -> Vec<raw::LeaveInfo> {
    let info = |reason: u32, code: u32| raw::LeaveInfo {
        gs_voluntary_or_failure: reason,
        gs_voluntary_leave_code: code,
    };
    match change {
        Change::FailureLeave(gone) => {
            let reason = |how: Gone| match how {
                Gone::Goodbye => HA_GS_PROVIDER_SAID_GOODBYE,
                Gone::Failed => HA_GS_PROVIDER_FAILURE,
                Gone::NodeLost => HA_GS_HOST_FAILURE,
            };
            gone.0.iter().map(|(_, how)| info(reason(*how), 0)).collect()
        }
        Change::Leave { code, .. } => vec![info(HA_GS_VOLUNTARY_LEAVE, *code)],
        Change::Expel { providers, .. } => vec![info(HA_GS_PROVIDER_EXPELLED, 0); providers.0.len()],
        Change::CastOut(providers) => vec![info(HA_GS_SOURCE_PROVIDER_LEAVE, 0); providers.0.len()],
        Change::Join(_)
        | Change::State
        | Change::Attributes(_)
        | Change::Message
        | Change::Reflection { .. } => Vec::new(),
    }
}

/// Who proposes what happens by itself.
const NOBODY: raw::Provider = raw::Provider { gs_instance_number: 0, gs_node_number: 0 };

fn whats_changed(proposal: &Proposal, stage: Stage) -> u32 {
    let pick = |asked: u32, ongoing: u32, updated: u32, rejected: u32| match stage {
        Stage::Asked(1) => asked,
        Stage::Asked(_) => ongoing,
        Stage::Approved => updated,
        Stage::Rejected => rejected,
    };
    let membership = pick(
        HA_GS_PROPOSED_MEMBERSHIP,
        HA_GS_ONGOING_MEMBERSHIP,
        HA_GS_UPDATED_MEMBERSHIP,
        HA_GS_REJECTED_MEMBERSHIP,
    );
    let state = pick(HA_GS_PROPOSED_STATE_VALUE, HA_GS_ONGOING_STATE_VALUE, HA_GS_UPDATED_STATE_VALUE, 0);
    let attributes = pick(
        HA_GS_PROPOSED_GROUP_ATTRIBUTES,
        HA_GS_ONGOING_GROUP_ATTRIBUTES,
        HA_GS_UPDATED_GROUP_ATTRIBUTES,
        0,
    );
    let of_change = match &proposal.change {
        Change::Expel { .. } => membership | HA_GS_EXPEL_INFORMATION,
        Change::Join(_) | Change::FailureLeave(_) | Change::Leave { .. } | Change::CastOut(_) => membership,
        Change::Attributes(_) => attributes,
        Change::Reflection { .. } => HA_GS_REFLECTED_SOURCE_STATE_VALUE,
        Change::State | Change::Message => HA_GS_NO_CHANGE,
    };
    let of_state = if proposal.state.is_some() { state } else { 0 };
    let of_message = if proposal.message.is_some() { HA_GS_UPDATED_PROVIDER_MESSAGE } else { 0 };
    of_change | of_state | of_message
}

fn summary(summary: Summary, stage: Stage) -> u32 {
    let default = match stage {
        Stage::Rejected => HA_GS_DEFAULT_REJECT,
        Stage::Asked(_) | Stage::Approved => HA_GS_DEFAULT_APPROVE,
    };
    let flag = |set: bool, flag: u32| if set { flag } else { 0 };
    flag(summary.default_vote, default)
        | flag(summary.time_limit_exceeded, HA_GS_TIME_LIMIT_EXCEEDED)
        | flag(summary.provider_failed, HA_GS_PROVIDER_FAILED)
}

fn raw_phases(phases: Phases) -> (u32, u32) {
    match phases {
        Phases::One => (HA_GS_1_PHASE, 0),
        Phases::Many { limit } => (HA_GS_N_PHASE, seconds(limit)),
    }
}

fn raw_wants(wants: Wants) -> u32 {
    let flag = |set: bool, flag: u32| if set { flag } else { 0 };
    flag(wants.state, HA_GS_SUBSCRIBE_STATE)
        | flag(wants.members, HA_GS_SUBSCRIBE_MEMBERSHIP)
        | flag(wants.joins, HA_GS_SUBSCRIBE_DELTA_JOINS)
        | flag(wants.leaves, HA_GS_SUBSCRIBE_DELTA_LEAVES)
}

/// Whole seconds, rounded up: a phase that lasts lasts at least one.
fn seconds(span: Span) -> u32 {
    u32::try_from(span.0.div_ceil(Span::from_secs(1).0)).unwrap_or(u32::MAX)
}
