//! What C calls. Each entry point stops what breaks down inside, and returns a number of the header.

use crate::client::{Asked, Callbacks, Client, Member, Subscriber, Wire, lock, with};
use crate::dispatch;
use crate::numbers::*;
use crate::raw;
use crate::read::{self, Wrong};
use phalanx_client::{Executable, Machine, Responsiveness, Seat, Service, Settings, Span, Wish};
use rustix::net::RecvFlags;
use std::collections::VecDeque;
use std::env;
use std::ffi::{CString, c_char, c_int};
use std::fs;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

/// Which cluster a program means, as RSCT's programs say it. One that says none means that of its node.
const DOMAIN: &str = "HA_DOMAIN_NAME";
/// The run directory of the node's daemon, if it is not the usual one.
const RUN_DIR: &str = "PHALANX_RUN_DIR";
/// Looks for an answer before a node counts as gone, and how long each lasts in milliseconds.
const LOOKS_MAX: u32 = 100;
const LOOK_MILLIS: i64 = 100;
/// Bytes of an FFDC identifier, the zero behind it among them.
const FFDC_BYTES: usize = 64;

/// Runs an entry point; what breaks down in there is no more than a call that went wrong.
fn guarded(entry: impl FnOnce() -> Result<(), Wrong>) -> u32 {
    match catch_unwind(AssertUnwindSafe(entry)) {
        Ok(Ok(())) => HA_GS_OK,
        Ok(Err(wrong)) => wrong,
        Err(_) => HA_GS_NOT_OK,
    }
}

/// Registers the process with Group Services.
///
/// # Safety
/// The descriptor's place can be written; the control block and the path are null or what they should be.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ha_gs_init(
    descriptor: *mut c_int,
    socket_options: u32,
    responsiveness: *const raw::Responsiveness,
    deactivate_script: *const c_char,
    responsiveness_callback: raw::CheckCallback,
    delayed_error_callback: raw::DelayedErrorCallback,
    _query_callback: raw::OtherCallback,
) -> u32 {
    guarded(|| {
        if descriptor.is_null() {
            return Err(HA_GS_BAD_PARAMETER);
        }
        match socket_options & !HA_GS_ENABLE_ADAPTER_INFO {
            HA_GS_SOCKET_NO_SIGNAL => {}
            HA_GS_SOCKET_SIGNAL => return Err(HA_GS_NOT_SUPPORTED),
            _ => return Err(HA_GS_BAD_PARAMETER),
        }
        // SAFETY: null, or a control block, says the caller.
        let control = unsafe { responsiveness.as_ref() }.copied().unwrap_or(NO_RESPONSIVENESS);
        // SAFETY: null, or ending with a zero byte, says the caller.
        let script = unsafe { read::text(deactivate_script) }?;
        let settings = settings(control, script)?;
        if lock().as_ref().is_some_and(|client| !client.is_lost) {
            return Err(HA_GS_EXISTS);
        }
        let mut client = connect(&settings, control)?;
        client.on_check = responsiveness_callback;
        client.on_delayed_error = delayed_error_callback;
        client.may_ask_adapters = socket_options & HA_GS_ENABLE_ADAPTER_INFO != 0;
        let number = client.wire.descriptor();
        let mut place = lock();
        if place.as_ref().is_some_and(|client| !client.is_lost) {
            return Err(HA_GS_EXISTS);
        }
        *place = Some(client);
        // SAFETY: it is not null and can be written, says the caller.
        unsafe { descriptor.write(number) };
        Ok(())
    })
}

const NO_RESPONSIVENESS: raw::Responsiveness = raw::Responsiveness {
    gs_responsiveness_type: HA_GS_NO_RESPONSIVENESS,
    gs_responsiveness_interval: 0,
    gs_responsiveness_response_time_limit: 0,
    gs_counter_location: std::ptr::null_mut(),
    gs_counter_length: 0,
};

fn settings(control: raw::Responsiveness, script: Option<&str>) -> Result<Settings, Wrong> {
    let name = fs::read_to_string("/proc/self/comm").unwrap_or_default();
    let visible: String = name.chars().filter(char::is_ascii_graphic).take(16).collect();
    let mut settings = Settings::new(&visible).map_err(|_| HA_GS_BAD_PARAMETER)?;
    if let Some(run_dir) = env::var_os(RUN_DIR) {
        settings.run_dir = PathBuf::from(run_dir);
    }
    settings.deactivate = match script.unwrap_or("") {
        "" => None,
        path => Some(Executable::new(path).ok_or(HA_GS_BAD_PARAMETER)?),
    };
    let seconds = |count: u32| Span::from_secs(count.into());
    settings.responsiveness = match control.gs_responsiveness_type {
        HA_GS_NO_RESPONSIVENESS => None,
        HA_GS_PING_RESPONSIVENESS if control.gs_responsiveness_interval == 0 => {
            return Err(HA_GS_BAD_PARAMETER);
        }
        HA_GS_PING_RESPONSIVENESS => Some(Responsiveness {
            interval: seconds(control.gs_responsiveness_interval),
            limit: seconds(control.gs_responsiveness_response_time_limit.max(1)),
        }),
        HA_GS_COUNTER_RESPONSIVENESS => return Err(HA_GS_NOT_SUPPORTED),
        _ => return Err(HA_GS_BAD_PARAMETER),
    };
    Ok(settings)
}

#[allow(clippy::wildcard_enum_match_arm, reason = "the kinds are the standard library's, and grow with it")]
fn connect(settings: &Settings, control: raw::Responsiveness) -> Result<Client, Wrong> {
    let stream = UnixStream::connect(settings.socket()).map_err(|error| match error.kind() {
        ErrorKind::PermissionDenied => HA_GS_NOT_PERMITTED,
        _ => HA_GS_CONNECT_FAILED,
    })?;
    let wire = Wire::new(stream).map_err(|_| HA_GS_SOCK_INIT_FAILED)?;
    let mut machine = Machine::new(&settings.hello());
    wire.send(&mut machine).map_err(|_| HA_GS_CONNECT_FAILED)?;
    let welcome = loop {
        if let Some(welcome) = machine.welcome() {
            break welcome.clone();
        }
        if !wire.receive(&mut machine, RecvFlags::empty()) {
            return Err(HA_GS_CONNECT_FAILED);
        }
    };
    match env::var(DOMAIN) {
        Ok(domain) if domain != welcome.cluster.as_str() => Err(HA_GS_CONNECT_FAILED),
        _ => Ok(Client::new(wire, machine, welcome, control)),
    }
}

/// Delivers what has come; blocking, until the connection is lost or the client quits.
#[unsafe(no_mangle)]
pub extern "C" fn ha_gs_dispatch(flags: u32) -> u32 {
    guarded(|| {
        let outcome = match flags {
            HA_GS_NON_BLOCKING => dispatch::deliver(),
            HA_GS_BLOCKING => dispatch::deliver_on(),
            _ => HA_GS_BAD_PARAMETER,
        };
        if outcome == HA_GS_OK { Ok(()) } else { Err(outcome) }
    })
}

/// Joins a group as a provider.
///
/// # Safety
/// The token's place can be written; the block is null or a join request.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ha_gs_join(token: *mut c_int, info: *const raw::ProposalInfo) -> u32 {
    guarded(|| {
        if token.is_null() || info.is_null() {
            return Err(HA_GS_BAD_PARAMETER);
        }
        // SAFETY: it is not null, and a join request, says the caller.
        let request = unsafe { (*info).gs_join_request };
        // SAFETY: null, or attributes with names that end, says the caller.
        let (group, attributes) = unsafe { read::attributes(request.gs_group_attributes) }?;
        // SAFETY: null, or ending with a zero byte, says the caller.
        let local = unsafe { read::local_name(request.gs_provider_local_name) }?;
        let seat = Seat { group, instance: request.gs_provider_instance };
        let callbacks = Callbacks {
            n_phase: request.gs_n_phase_protocol_callback,
            approved: request.gs_protocol_approved_callback,
            rejected: request.gs_protocol_rejected_callback,
            announcement: request.gs_announcement_callback,
            merge: request.gs_merge_callback,
        };
        let made = with(|client| {
            if client.token_of(&seat).is_some() {
                return Err(HA_GS_DUPLICATE_INSTANCE_NUMBER);
            }
            let asked = Asked::Join {
                seat: seat.clone(),
                local: local.clone(),
                attributes: attributes.clone(),
                callbacks,
            };
            client.ask(|machine| machine.join(seat.clone(), local, attributes))?;
            let made = client.new_token();
            let requests = VecDeque::from([asked]);
            client.members.insert(
                made,
                Member { seat, callbacks, asked: None, standing: None, requests, asked_type: HA_GS_JOIN },
            );
            Ok(made)
        })?;
        // SAFETY: it is not null and can be written, says the caller.
        unsafe { token.write(made) };
        Ok(())
    })
}

/// Votes in the phase that was last delivered for this provider.
///
/// # Safety
/// The state value and the message are null or what they should be.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ha_gs_vote(
    token: c_int,
    vote: u32,
    proposed: *const raw::StateValue,
    message: *const raw::Message,
    default: u32,
) -> u32 {
    guarded(|| {
        let vote = read::vote(vote)?;
        // SAFETY: null, or what they should be, says the caller.
        let said = unsafe { read::said(proposed, message, default) }?;
        with(|client| {
            let phase = client.member(token)?.asked.take().ok_or(HA_GS_VOTE_NOT_EXPECTED)?;
            client.ask(|machine| machine.vote(&phase, vote, said))
        })
    })
}

/// Proposes another state value.
///
/// # Safety
/// The block is null or a state change request.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ha_gs_change_state_value(token: c_int, info: *const raw::ProposalInfo) -> u32 {
    guarded(|| {
        if info.is_null() {
            return Err(HA_GS_BAD_PARAMETER);
        }
        // SAFETY: it is not null, and a state change request, says the caller.
        let request = unsafe { (*info).gs_state_change_request };
        let phases = read::phases(request.gs_num_phases, request.gs_time_limit)?;
        // SAFETY: null, or a state value, says the caller.
        let state = unsafe { read::state(request.gs_new_state) }?.ok_or(HA_GS_BAD_PARAMETER)?;
        let asked = Asked::State { phases, state: state.clone() };
        with(|client| client.propose(token, asked, Wish::State(state), None))
    })
}

/// Sends a message to all providers.
///
/// # Safety
/// The block is null or a message request.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ha_gs_send_message(token: c_int, info: *const raw::ProposalInfo) -> u32 {
    guarded(|| {
        if info.is_null() {
            return Err(HA_GS_BAD_PARAMETER);
        }
        // SAFETY: it is not null, and a message request, says the caller.
        let request = unsafe { (*info).gs_message_request };
        let phases = read::phases(request.gs_num_phases, request.gs_time_limit)?;
        // SAFETY: null, or a message, says the caller.
        let message = unsafe { read::message(request.gs_message) }?.ok_or(HA_GS_BAD_PARAMETER)?;
        let asked = Asked::Message { phases, message: message.clone() };
        with(|client| client.propose(token, asked, Wish::Message(Service::Agreed), Some(message)))
    })
}

/// Proposes other attributes of the group.
///
/// # Safety
/// The block is null or an attribute change request.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ha_gs_change_attributes(token: c_int, info: *const raw::ProposalInfo) -> u32 {
    guarded(|| {
        if info.is_null() {
            return Err(HA_GS_BAD_PARAMETER);
        }
        // SAFETY: it is not null, and an attribute change request, says the caller.
        let request = unsafe { (*info).gs_change_attributes_request };
        let phases = read::phases(request.gs_num_phases, request.gs_time_limit)?;
        // SAFETY: null, or attributes with names that end, says the caller.
        let (group, attributes) = unsafe { read::attributes(request.gs_group_attributes) }?;
        with(|client| {
            if client.member(token)?.seat.group != group {
                return Err(HA_GS_BAD_GROUP_ATTRIBUTES);
            }
            let asked = Asked::Attributes { phases, group, attributes: attributes.clone() };
            client.propose(token, asked, Wish::Attributes(attributes), None)
        })
    })
}

/// Asks to leave the group.
///
/// # Safety
/// The block is null or a leave request.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ha_gs_leave(token: c_int, info: *const raw::ProposalInfo) -> u32 {
    guarded(|| {
        if info.is_null() {
            return Err(HA_GS_BAD_PARAMETER);
        }
        // SAFETY: it is not null, and a leave request, says the caller.
        let request = unsafe { (*info).gs_leave_request };
        let phases = read::phases(request.gs_num_phases, request.gs_time_limit)?;
        let code = request.gs_leave_code;
        with(|client| client.propose(token, Asked::Leave { phases, code }, Wish::Leave { code }, None))
    })
}

/// Leaves the group at once.
#[unsafe(no_mangle)]
pub extern "C" fn ha_gs_goodbye(token: c_int) -> u32 {
    guarded(|| {
        with(|client| {
            let seat = client.member(token)?.seat.clone();
            client.ask(|machine| machine.goodbye(&seat))?;
            client.members.remove(&token);
            Ok(())
        })
    })
}

/// Proposes that providers are put out.
///
/// # Safety
/// The block is null or an expel request.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ha_gs_expel(token: c_int, info: *const raw::ProposalInfo) -> u32 {
    guarded(|| {
        if info.is_null() {
            return Err(HA_GS_BAD_PARAMETER);
        }
        // SAFETY: it is not null, and an expel request, says the caller.
        let request = unsafe { (*info).gs_expel_request };
        let phases = read::phases(request.gs_num_phases, request.gs_time_limit)?;
        with(|client| {
            let standing = client.member(token)?.standing.clone().ok_or(HA_GS_NOT_A_MEMBER)?;
            // SAFETY: it has as many providers as it says, and a flag that ends, says the caller.
            let wish = unsafe { read::expel(&request, &standing.members.0) }?;
            let Wish::Expel { providers, deactivate } = &wish else { return Err(HA_GS_NOT_OK) };
            let asked = Asked::Expel { phases, providers: providers.clone(), deactivate: deactivate.clone() };
            client.propose(token, asked, wish, None)
        })
    })
}

/// Subscribes to a group.
///
/// # Safety
/// The token's place can be written; the block is null or a subscribe request.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ha_gs_subscribe(token: *mut c_int, info: *const raw::ProposalInfo) -> u32 {
    guarded(|| {
        if token.is_null() || info.is_null() {
            return Err(HA_GS_BAD_PARAMETER);
        }
        // SAFETY: it is not null, and a subscribe request, says the caller.
        let request = unsafe { (*info).gs_subscribe_request };
        let wants = read::wants(request.gs_subscription_control)?;
        // SAFETY: null, or ending with a zero byte, says the caller.
        let group = unsafe { read::group(request.gs_subscription_group) }?;
        let callback = request.gs_subscription_callback;
        let made = with(|client| {
            if client.subscribers.values().any(|one| one.group == group) {
                return Err(HA_GS_EXISTS);
            }
            client.ask(|machine| machine.subscribe(&group, wants))?;
            let made = client.new_token();
            client.subscribers.insert(made, Subscriber { group, wants, callback });
            Ok(made)
        })?;
        // SAFETY: it is not null and can be written, says the caller.
        unsafe { token.write(made) };
        Ok(())
    })
}

/// Ends a subscription.
#[unsafe(no_mangle)]
pub extern "C" fn ha_gs_unsubscribe(token: c_int) -> u32 {
    guarded(|| {
        with(|client| {
            let group = client.subscribers.get(&token).ok_or(HA_GS_BAD_MEMBER_TOKEN)?.group.clone();
            client.ask(|machine| machine.unsubscribe(&group))?;
            client.subscribers.remove(&token);
            Ok(())
        })
    })
}

/// Ends the connection, and with it every provider and subscription of the process.
#[unsafe(no_mangle)]
pub extern "C" fn ha_gs_quit() -> u32 {
    guarded(|| {
        let mut client = lock().take().ok_or(HA_GS_NO_INIT)?;
        // A node that is gone knows already.
        let _ = client.ask(Machine::quit);
        client.wire.close();
        Ok(())
    })
}

/// The number of this node.
///
/// # Safety
/// The place is null or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ha_gs_get_node_number(number: *mut c_int) -> u32 {
    guarded(|| {
        if number.is_null() {
            return Err(HA_GS_BAD_PARAMETER);
        }
        let node = with(|client| Ok(client.welcome.life.node.0))?;
        // SAFETY: it is not null and can be written, says the caller.
        unsafe { number.write(node.into()) };
        Ok(())
    })
}

/// Whose address that is: the node's number, and the name of the interface or, on other nodes, of the network.
///
/// # Safety
/// The block is null, or can be read and written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ha_gs_get_adapter_info(adapter: *mut raw::AdapterInfo) -> u32 {
    guarded(|| {
        if adapter.is_null() {
            return Err(HA_GS_BAD_PARAMETER);
        }
        // SAFETY: it is not null and can be read, says the caller; an address has no wrong bytes.
        let address = unsafe { (&raw const (*adapter).ip_addr.ip4).read() };
        let number = with(|client| {
            if !client.may_ask_adapters {
                return Err(HA_GS_NOT_SUPPORTED);
            }
            let mut number = 0;
            let address = IpAddr::V4(Ipv4Addr::from(address));
            client.ask(|machine| machine.ask_adapter(address).map(|asked| number = asked))?;
            Ok(number)
        })?;
        let found = answer(number)?.ok_or(HA_GS_BAD_PARAMETER)?;
        let shown = found.interface.as_ref().map_or(found.network.as_str(), |interface| interface.as_str());
        let shown = CString::new(shown).map_err(|_| HA_GS_NOT_OK)?;
        let place = with(|client| {
            client.interface = shown;
            Ok(client.interface.as_ptr())
        })?;
        // SAFETY: it is not null and can be written, says the caller.
        unsafe { (&raw mut (*adapter).node_number).write(found.node.0 as i16) };
        // SAFETY: the same.
        unsafe { (&raw mut (*adapter).interface_name).write(place) };
        Ok(())
    })
}

/// Waits for an answer. Events that come meanwhile are kept, and the descriptor tells of them.
fn answer(number: u64) -> Result<Option<phalanx_client::Adapter>, Wrong> {
    for _ in 0..LOOKS_MAX {
        let wire = {
            let mut client = lock();
            let client = client.as_mut().ok_or(HA_GS_NO_INIT)?;
            client.pump();
            if let Some(answer) = client.machine.answer(number) {
                client.wire.ring(true);
                return Ok(answer);
            }
            if client.is_lost {
                return Err(HA_GS_NOT_OK);
            }
            client.wire.clone()
        };
        wire.wait_for_bytes(LOOK_MILLIS);
    }
    Err(HA_GS_NOT_OK)
}

/// What names the end of a daemon that is gone: its node, its life, and this client of it, as the node's events have them.
///
/// # Safety
/// The place is null, or takes as many bytes as the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ha_gs_get_ffdc_id(id: *mut c_char) -> u32 {
    guarded(|| {
        if id.is_null() {
            return Err(HA_GS_BAD_PARAMETER);
        }
        let text = match &*lock() {
            None => return Err(HA_GS_NO_INIT),
            Some(client) if !client.is_lost => return Err(HA_GS_NOT_OK),
            Some(client) => format!("{}.{}", client.welcome.life, client.welcome.client),
        };
        let mut bytes = [0u8; FFDC_BYTES];
        let length = text.len().min(FFDC_BYTES - 1);
        bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
        // SAFETY: it is not null and takes so many bytes, says the caller; they do not overlap.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr().cast(), id, FFDC_BYTES) };
        Ok(())
    })
}
