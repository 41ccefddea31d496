//! What C hands over, read into types that cannot be wrong. Nothing of C's is kept.

use crate::numbers::*;
use crate::raw;
use phalanx_client::{
    Attributes, Batch, Deactivation, DefaultVote, Flag, Incarnation, LocalName, Merge, Message, Name, NodeId,
    Phases, ProviderId, Providers, Said, Span, StateValue, Unfit, Vote, Wants, Wish,
};
use std::collections::BTreeSet;
use std::ffi::{CStr, c_char, c_int};
use std::slice;

/// What stands for no time limit: nobody waits for a vote longer.
const NO_LIMIT: Span = Span::from_secs(24 * 60 * 60);

/// What a call returns instead.
pub type Wrong = u32;

/// A text of C's.
///
/// # Safety
/// It is null or ends with a zero byte.
pub unsafe fn text<'a>(place: *const c_char) -> Result<Option<&'a str>, Wrong> {
    if place.is_null() {
        return Ok(None);
    }
    // SAFETY: it is not null, so it ends with a zero byte, says the caller.
    let text = unsafe { CStr::from_ptr(place) };
    text.to_str().map(Some).map_err(|_| HA_GS_BAD_PARAMETER)
}

/// Bytes of C's with a length that C says.
///
/// # Safety
/// If the length is not negative so many bytes are there, unless the place is null.
unsafe fn bytes<'a>(place: *const c_char, length: c_int) -> Result<&'a [u8], Wrong> {
    let length = usize::try_from(length).map_err(|_| HA_GS_BAD_PARAMETER)?;
    match (place.is_null(), length) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(HA_GS_BAD_PARAMETER),
        // SAFETY: it is not null, and so many bytes are there, says the caller.
        (false, _) => Ok(unsafe { slice::from_raw_parts(place.cast(), length) }),
    }
}

/// The name of a group.
///
/// # Safety
/// As of [`text`].
pub unsafe fn group(place: *const c_char) -> Result<Name, Wrong> {
    // SAFETY: as the caller says.
    let text = unsafe { text(place) }?.ok_or(HA_GS_BAD_PARAMETER)?;
    Name::new(text).map_err(unfit)
}

/// The local name of a provider; empty if it has none.
///
/// # Safety
/// As of [`text`].
pub unsafe fn local_name(place: *const c_char) -> Result<LocalName, Wrong> {
    // SAFETY: as the caller says.
    let text = unsafe { text(place) }?;
    LocalName::new(text.unwrap_or("")).map_err(unfit)
}

/// A state value.
///
/// # Safety
/// If it is not null it is one, with as many bytes as it says.
pub unsafe fn state(place: *const raw::StateValue) -> Result<Option<StateValue>, Wrong> {
    // SAFETY: null, or what it should be, says the caller.
    let Some(state) = (unsafe { place.as_ref() }) else { return Ok(None) };
    // SAFETY: it has as many bytes as it says, says the caller.
    let bytes = unsafe { bytes(state.gs_state, state.gs_length) }?;
    StateValue::new(bytes.to_vec()).map(Some).map_err(|_| HA_GS_BAD_PARAMETER)
}

/// A message to providers.
///
/// # Safety
/// If it is not null it is one, with as many bytes as it says.
pub unsafe fn message(place: *const raw::Message) -> Result<Option<Message>, Wrong> {
    // SAFETY: null, or what it should be, says the caller.
    let Some(message) = (unsafe { place.as_ref() }) else { return Ok(None) };
    // SAFETY: it has as many bytes as it says, says the caller.
    let bytes = unsafe { bytes(message.gs_message, message.gs_length) }?;
    Message::new(bytes.to_vec()).map(Some).map_err(|_| HA_GS_BAD_PARAMETER)
}

/// Attributes, and the group they are of.
///
/// # Safety
/// If it is not null they are, and their names end with a zero byte.
pub unsafe fn attributes(place: *const raw::Attributes) -> Result<(Name, Attributes), Wrong> {
    // SAFETY: null, or what it should be, says the caller.
    let raw = (unsafe { place.as_ref() }).ok_or(HA_GS_BAD_PARAMETER)?;
    // SAFETY: null, or ending with a zero byte, says the caller.
    let name = unsafe { group(raw.gs_group_name) }?;
    // SAFETY: the same.
    let source = match unsafe { text(raw.gs_source_group_name) }?.unwrap_or("") {
        "" => None,
        source => Some(Name::new(source).map_err(unfit)?),
    };
    let attributes = Attributes {
        client_version: raw.gs_client_version as u16,
        batch: batch(raw.gs_batch_control)?,
        deactivate_on_failure: raw.gs_batch_control & HA_GS_DEACTIVATE_ON_FAILURE != 0,
        membership: phases(raw.gs_num_phases, raw.gs_time_limit)?,
        reflection: phases(
            raw.gs_source_reflection_num_phases.max(HA_GS_1_PHASE),
            raw.gs_source_reflection_time_limit,
        )?,
        default_vote: default_vote(raw.gs_group_default_vote)?.ok_or(HA_GS_BAD_GROUP_ATTRIBUTES)?,
        merge: merge(raw.gs_merge_control)?,
        source,
    };
    Ok((name, attributes))
}

fn batch(control: u32) -> Result<Batch, Wrong> {
    match control & !HA_GS_DEACTIVATE_ON_FAILURE {
        HA_GS_NO_BATCHING => Ok(Batch::None),
        HA_GS_BATCH_JOINS => Ok(Batch::Joins),
        HA_GS_BATCH_LEAVES => Ok(Batch::Leaves),
        HA_GS_BATCH_BOTH => Ok(Batch::Both),
        _ => Err(HA_GS_BAD_GROUP_ATTRIBUTES),
    }
}

fn merge(control: u32) -> Result<Merge, Wrong> {
    match control {
        HA_GS_DONTCARE_MERGE => Ok(Merge::DontCare),
        HA_GS_LARGER_MERGE => Ok(Merge::Larger),
        HA_GS_SMALLER_MERGE => Ok(Merge::Smaller),
        HA_GS_DISSOLVE_MERGE => Ok(Merge::Dissolve),
        _ => Err(HA_GS_BAD_GROUP_ATTRIBUTES),
    }
}

/// Whether there are votes, and how long each phase lasts.
pub fn phases(count: u32, limit: u32) -> Result<Phases, Wrong> {
    match (count, limit) {
        (HA_GS_1_PHASE, _) => Ok(Phases::One),
        (HA_GS_N_PHASE, 0) => Ok(Phases::Many { limit: NO_LIMIT }),
        (HA_GS_N_PHASE, seconds) => Ok(Phases::Many { limit: Span::from_secs(seconds.into()).min(NO_LIMIT) }),
        _ => Err(HA_GS_BAD_PARAMETER),
    }
}

/// A vote.
pub fn vote(value: u32) -> Result<Vote, Wrong> {
    match value {
        HA_GS_VOTE_APPROVE => Ok(Vote::Approve),
        HA_GS_VOTE_CONTINUE => Ok(Vote::Continue),
        HA_GS_VOTE_REJECT => Ok(Vote::Reject),
        _ => Err(HA_GS_BAD_PARAMETER),
    }
}

fn default_vote(value: u32) -> Result<Option<DefaultVote>, Wrong> {
    match value {
        HA_GS_NULL_VOTE => Ok(None),
        HA_GS_VOTE_APPROVE => Ok(Some(DefaultVote::Approve)),
        HA_GS_VOTE_REJECT => Ok(Some(DefaultVote::Reject)),
        _ => Err(HA_GS_BAD_PARAMETER),
    }
}

/// What is said with a vote.
///
/// # Safety
/// As of [`state`] and [`message`].
pub unsafe fn said(
    proposed: *const raw::StateValue,
    message_place: *const raw::Message,
    default: u32,
) -> Result<Said, Wrong> {
    // SAFETY: as the caller says.
    let state = unsafe { state(proposed) }?;
    // SAFETY: as the caller says.
    let message = unsafe { message(message_place) }?;
    Ok(Said { state, message, default: default_vote(default)? })
}

/// What a subscriber wants to hear.
pub fn wants(control: u32) -> Result<Wants, Wrong> {
    let known = HA_GS_SUBSCRIBE_STATE
        | HA_GS_SUBSCRIBE_DELTA_JOINS
        | HA_GS_SUBSCRIBE_DELTA_LEAVES
        | HA_GS_SUBSCRIBE_MEMBERSHIP;
    if control == 0 || control & !known != 0 {
        return Err(HA_GS_BAD_PARAMETER);
    }
    Ok(Wants {
        state: control & HA_GS_SUBSCRIBE_STATE != 0,
        members: control & HA_GS_SUBSCRIBE_MEMBERSHIP != 0,
        joins: control & HA_GS_SUBSCRIBE_DELTA_JOINS != 0,
        leaves: control & HA_GS_SUBSCRIBE_DELTA_LEAVES != 0,
    })
}

/// An expulsion; `members` are the providers there are, for C names them without the lives of their nodes.
///
/// # Safety
/// The list has as many providers as it says, and the flag ends with a zero byte, unless they are null.
pub unsafe fn expel(request: &raw::ExpelRequest, members: &[ProviderId]) -> Result<Wish, Wrong> {
    let raw::Membership { gs_count, gs_providers } = request.gs_expel_list;
    if gs_count == 0 || gs_providers.is_null() {
        return Err(HA_GS_BAD_PARAMETER);
    }
    // SAFETY: it is not null and has as many as it says, says the caller.
    let named = unsafe { slice::from_raw_parts(gs_providers, gs_count as usize) };
    let mut providers = Vec::new();
    for one in named {
        let found = members.iter().find(|member| raw_provider(**member) == *one);
        providers.push(*found.ok_or(HA_GS_UNKNOWN_PROVIDER)?);
    }
    if providers.iter().collect::<BTreeSet<_>>().len() < providers.len() {
        return Err(HA_GS_PROVIDER_APPEARS_TWICE);
    }
    // SAFETY: null, or ending with a zero byte, says the caller.
    let flag = unsafe { text(request.gs_deactivate_flag) }?.unwrap_or("");
    let flag = Flag::new(flag).map_err(unfit)?;
    let limit = match phases(HA_GS_N_PHASE, request.gs_time_limit)? {
        Phases::Many { limit } => limit,
        Phases::One => NO_LIMIT,
    };
    let deactivate = (request.gs_deactivate_phase > 0).then_some(Deactivation { flag, limit });
    Ok(Wish::Expel { providers: Providers(providers), deactivate })
}

/// A provider as C names it.
pub fn raw_provider(provider: ProviderId) -> raw::Provider {
    let ProviderId { life: Incarnation { node: NodeId(node), .. }, instance } = provider;
    raw::Provider { gs_instance_number: instance, gs_node_number: node as i16 }
}

fn unfit(why: Unfit) -> Wrong {
    match why {
        Unfit::TooLong { .. } => HA_GS_NAME_TOO_LONG,
        Unfit::Empty | Unfit::NotVisible => HA_GS_BAD_PARAMETER,
    }
}
