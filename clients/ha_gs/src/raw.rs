//! The types of `ha_gs.h` as C lays them out. A test compares every size and every place with the header.
//!
//! C's enumerations are plain numbers here: a program may hand over any.

#![allow(missing_docs, reason = "each is named as in the header, which says what it is for")]

use std::ffi::{c_char, c_int, c_short, c_uint, c_void};

/// Defines structures, and what each of their members' place is.
macro_rules! structures {
    ($($rust:ident = $c:literal { $($field:ident: $type:ty,)* })*) => {
        $(
            #[repr(C)]
            #[derive(Clone, Copy)]
            pub struct $rust { $(pub $field: $type,)* }
        )*
        /// Each structure by its name in C: its size, and where its members are.
        pub const LAYOUTS: &[(&str, usize, &[(&str, usize)])] = &[
            $(($c, size_of::<$rust>(), &[$((stringify!($field), std::mem::offset_of!($rust, $field))),*])),*
        ];
    };
}

/// A provider: in C also one number, and so in the place of one.
#[repr(C, align(4))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provider {
    pub gs_instance_number: c_short,
    pub gs_node_number: c_short,
}

structures! {
    Membership = "ha_gs_membership_t" { gs_count: c_uint, gs_providers: *mut Provider, }
    StateValue = "ha_gs_state_value_t" { gs_length: c_int, gs_state: *mut c_char, }
    Message = "ha_gs_provider_message_t" { gs_length: c_int, gs_message: *mut c_char, }
    Attributes = "ha_gs_group_attributes_t" {
        gs_version: c_short,
        gs_sizeof_group_attributes: c_short,
        gs_client_version: c_short,
        gs_batch_control: u32,
        gs_num_phases: u32,
        gs_source_reflection_num_phases: u32,
        gs_group_default_vote: u32,
        gs_merge_control: u32,
        gs_time_limit: u32,
        gs_source_reflection_time_limit: u32,
        gs_group_name: *mut c_char,
        gs_source_group_name: *mut c_char,
    }
    Responsiveness = "ha_gs_responsiveness_t" {
        gs_responsiveness_type: u32,
        gs_responsiveness_interval: u32,
        gs_responsiveness_response_time_limit: u32,
        gs_counter_location: *mut c_void,
        gs_counter_length: u32,
    }
    PhaseInfo = "ha_gs_phase_info_t" { gs_num_phases: u32, gs_phase_number: u32, }
    LeaveInfo = "ha_gs_leave_info_t" { gs_voluntary_or_failure: u32, gs_voluntary_leave_code: u32, }
    LeaveArray = "ha_gs_leave_array_t" { gs_count: u32, gs_leave_codes: *mut LeaveInfo, }
    ExpelInfo = "ha_gs_expel_info_t" { gs_deactivate_phase: u32, gs_deactivate_flag: *mut c_char, }
    Proposal = "ha_gs_proposal_t" {
        gs_phase_info: PhaseInfo,
        gs_proposed_by: Provider,
        gs_whats_changed: u32,
        gs_current_providers: *mut Membership,
        gs_changing_providers: *mut Membership,
        gs_leave_info: *mut LeaveArray,
        gs_expel_info: *mut ExpelInfo,
        gs_current_state_value: *mut StateValue,
        gs_proposed_state_value: *mut StateValue,
        gs_source_state_value: *mut StateValue,
        gs_provider_message: *mut Message,
        gs_new_group_attributes: *mut Attributes,
    }
    NPhase = "ha_gs_n_phase_notification_t" {
        gs_notification_type: u32,
        gs_provider_token: c_int,
        gs_protocol_type: u32,
        gs_summary_code: u32,
        gs_time_limit: u32,
        gs_proposal: *mut Proposal,
    }
    Ended = "ha_gs_approved_notification_t" {
        gs_notification_type: u32,
        gs_provider_token: c_int,
        gs_protocol_type: u32,
        gs_summary_code: u32,
        gs_proposal: *mut Proposal,
    }
    Announcement = "ha_gs_announcement_notification_t" {
        gs_notification_type: u32,
        gs_provider_token: c_int,
        gs_summary_code: u32,
        gs_announcement: *mut Membership,
    }
    Subscription = "ha_gs_subscription_notification_t" {
        gs_notification_type: u32,
        gs_subscriber_token: c_int,
        gs_subscription_type: u32,
        gs_state_value: *mut StateValue,
        gs_full_membership: *mut Membership,
        gs_changing_membership: *mut Membership,
        gs_subscription_special_data: *mut c_void,
    }
    Check = "ha_gs_responsiveness_notification_t" {
        gs_notification_type: u32,
        gs_responsiveness_information: Responsiveness,
    }
    Merge = "ha_gs_merge_notification_t" { gs_notification_type: u32, gs_provider_token: c_int, }
    JoinRequest = "ha_gs_join_request_t" {
        gs_group_attributes: *mut Attributes,
        gs_provider_instance: c_short,
        gs_provider_local_name: *mut c_char,
        gs_n_phase_protocol_callback: NPhaseCallback,
        gs_protocol_approved_callback: EndedCallback,
        gs_protocol_rejected_callback: EndedCallback,
        gs_announcement_callback: AnnouncementCallback,
        gs_merge_callback: MergeCallback,
    }
    StateChangeRequest = "ha_gs_state_change_request_t" {
        gs_num_phases: u32,
        gs_time_limit: u32,
        gs_new_state: *mut StateValue,
    }
    MessageRequest = "ha_gs_message_request_t" {
        gs_num_phases: u32,
        gs_time_limit: u32,
        gs_message: *mut Message,
    }
    LeaveRequest = "ha_gs_leave_request_t" { gs_num_phases: u32, gs_time_limit: u32, gs_leave_code: u32, }
    ExpelRequest = "ha_gs_expel_request_t" {
        gs_num_phases: u32,
        gs_time_limit: u32,
        gs_expel_list: Membership,
        gs_deactivate_phase: u32,
        gs_deactivate_flag: *mut c_char,
    }
    AttributesRequest = "ha_gs_change_attributes_t" {
        gs_num_phases: u32,
        gs_time_limit: u32,
        gs_group_attributes: *mut Attributes,
        gs_backlevel_providers: *mut Membership,
    }
    SubscribeRequest = "ha_gs_subscribe_request_t" {
        gs_subscription_control: u32,
        gs_subscription_group: *mut c_char,
        gs_subscription_callback: SubscriberCallback,
    }
    DelayedError = "ha_gs_delayed_error_notification_t" {
        gs_notification_type: u32,
        gs_request_token: c_int,
        gs_protocol_type: u32,
        gs_delayed_return_code: u32,
        gs_failing_request: *mut ProposalInfo,
    }
    AdapterInfo = "ha_gs_adapter_info" {
        ip_addr: Address,
        node_number: c_short,
        interface_name: *const c_char,
        gs_member_id: Provider,
        gs_group_name: *mut c_char,
    }
}

/// The block of the call it is handed to.
#[repr(C)]
#[derive(Clone, Copy)]
pub union ProposalInfo {
    pub gs_join_request: JoinRequest,
    pub gs_state_change_request: StateChangeRequest,
    pub gs_message_request: MessageRequest,
    pub gs_leave_request: LeaveRequest,
    pub gs_expel_request: ExpelRequest,
    pub gs_subscribe_request: SubscribeRequest,
    pub gs_change_attributes_request: AttributesRequest,
}

/// An IPv4 address, in the place of an IPv6 address.
#[repr(C, align(4))]
#[derive(Clone, Copy)]
pub struct Address {
    /// As it goes over the network.
    pub ip4: [u8; 4],
    pub rest: [u8; 12],
}

pub type NPhaseCallback = Option<unsafe extern "C" fn(*const NPhase)>;
pub type EndedCallback = Option<unsafe extern "C" fn(*const Ended)>;
pub type AnnouncementCallback = Option<unsafe extern "C" fn(*const Announcement)>;
pub type SubscriberCallback = Option<unsafe extern "C" fn(*const Subscription)>;
pub type CheckCallback = Option<unsafe extern "C" fn(*const Check) -> u32>;
pub type DelayedErrorCallback = Option<unsafe extern "C" fn(*const DelayedError)>;
pub type MergeCallback = Option<unsafe extern "C" fn(*const Merge)>;
/// One that is never called.
pub type OtherCallback = Option<unsafe extern "C" fn(*const c_void)>;
