/*
 * Group Services for programs in C: the calls, types and names that RSCT publishes, on Phalanx.
 *
 * Link with -lha_gs. The daemon of this node must run, and this process must be root's or a member of the group
 * phalanx-groups. What each call does here, and which numbers are our own, is in docs/admin/group-services-c.md.
 *
 * Copyright the Phalanx authors. Apache License 2.0.
 */
#ifndef HA_GS_H
#define HA_GS_H

#include <netinet/in.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HA_GS_MAX_GROUP_NAME_LENGTH 32
#define HA_GS_MAX_LOCAL_NAME_LENGTH 16
#define HA_GS_MAX_STATE_VALUE_LENGTH 256
#define HA_GS_MAX_PROVIDER_MESSAGE_LENGTH 65536
#define HA_GS_MAX_DEACTIVATE_FLAG_LENGTH 256

/* Groups that are always there. An adapter group is called so and then like its network. */
#define HA_GS_HOST_MEMBERSHIP_GROUP "HostMembership"
#define HA_GS_ADAPTER_MEMBERSHIP_GROUP_PREFIX "AdapterMembership."

/* What calls return, and what delayed errors say. */
typedef enum {
    HA_GS_OK = 0,
    HA_GS_NOT_OK = 1,
    HA_GS_EXISTS = 2,
    HA_GS_NO_INIT = 3,
    HA_GS_NAME_TOO_LONG = 4,
    HA_GS_NO_MEMORY = 5,
    HA_GS_NOT_A_MEMBER = 6,
    HA_GS_BAD_CLIENT_TOKEN = 7,
    HA_GS_BAD_MEMBER_TOKEN = 8,
    HA_GS_BAD_PARAMETER = 9,
    HA_GS_UNKNOWN_GROUP = 10,
    HA_GS_INVALID_GROUP = 11,
    HA_GS_NO_SOURCE_GROUP_PROVIDER = 12,
    HA_GS_BAD_GROUP_ATTRIBUTES = 13,
    HA_GS_WRONG_CLIENT_VERSION = 14,
    HA_GS_DUPLICATE_INSTANCE_NUMBER = 15,
    HA_GS_INVALID_SOURCE_GROUP = 16,
    HA_GS_COLLIDE = 17,
    HA_GS_SOCK_CREATE_FAILED = 18,
    HA_GS_SOCK_INIT_FAILED = 19,
    HA_GS_CONNECT_FAILED = 20,
    HA_GS_VOTE_NOT_EXPECTED = 21,
    HA_GS_NOT_SUPPORTED = 22,
    HA_GS_INVALID_DEACTIVATE_PHASE = 23,
    HA_GS_PROVIDER_APPEARS_TWICE = 24,
    HA_GS_UNKNOWN_PROVIDER = 25,
    HA_GS_BACKLEVEL_PROVIDERS = 26,
    HA_GS_NOT_PERMITTED = 27
} ha_gs_rc_t;

typedef enum { HA_GS_CALLBACK_OK = 0, HA_GS_CALLBACK_NOT_OK = 1 } ha_gs_callback_rc_t;

/* For select() and poll() only; ha_gs_dispatch() reads. */
typedef int ha_gs_descriptor_t;
typedef int ha_gs_token_t;
typedef unsigned int ha_gs_time_limit_t; /* seconds; 0: no limit that matters */
typedef char *ha_gs_group_name_t;
typedef char fc_eid_t[64];

typedef unsigned int ha_gs_socket_ctrl_t;
#define HA_GS_SOCKET_NO_SIGNAL 0x1
#define HA_GS_SOCKET_SIGNAL 0x2
#define HA_GS_ENABLE_ADAPTER_INFO 0x4

typedef enum { HA_GS_NON_BLOCKING = 0, HA_GS_BLOCKING = 1 } ha_gs_dispatch_flag_t;

typedef enum { HA_GS_1_PHASE = 1, HA_GS_N_PHASE = 2 } ha_gs_num_phases_t;

typedef enum {
    HA_GS_NULL_VOTE = 0,
    HA_GS_VOTE_APPROVE = 1,
    HA_GS_VOTE_CONTINUE = 2,
    HA_GS_VOTE_REJECT = 3
} ha_gs_vote_value_t;

typedef unsigned int ha_gs_batch_ctrl_t;
#define HA_GS_NO_BATCHING 0x0
#define HA_GS_BATCH_JOINS 0x1
#define HA_GS_BATCH_LEAVES 0x2
#define HA_GS_BATCH_BOTH 0x3
#define HA_GS_DEACTIVATE_ON_FAILURE 0x4

typedef enum {
    HA_GS_DONTCARE_MERGE = 0,
    HA_GS_LARGER_MERGE = 1,
    HA_GS_SMALLER_MERGE = 2,
    HA_GS_DISSOLVE_MERGE = 3
} ha_gs_merge_ctrl_t;

/* What kind of protocol, or of request. */
typedef enum {
    HA_GS_RESPONSIVENESS = 0,
    HA_GS_JOIN = 1,
    HA_GS_FAILURE_LEAVE = 2,
    HA_GS_LEAVE = 3,
    HA_GS_EXPEL = 4,
    HA_GS_CAST_OUT = 5,
    HA_GS_STATE_VALUE_CHANGE = 6,
    HA_GS_PROVIDER_MESSAGE = 7,
    HA_GS_SOURCE_STATE_REFLECTION = 8,
    HA_GS_GROUP_ATTRIBUTE_CHANGE = 9,
    HA_GS_MERGE = 10,
    HA_GS_SUBSCRIPTION = 11
} ha_gs_request_t;

typedef enum {
    HA_GS_RESPONSIVENESS_NOTIFICATION = 0,
    HA_GS_QUERY_NOTIFICATION = 1,
    HA_GS_DELAYED_ERROR_NOTIFICATION = 2,
    HA_GS_N_PHASE_NOTIFICATION = 3,
    HA_GS_APPROVED_NOTIFICATION = 4,
    HA_GS_REJECTED_NOTIFICATION = 5,
    HA_GS_ANNOUNCEMENT_NOTIFICATION = 6,
    HA_GS_SUBSCRIPTION_NOTIFICATION = 7,
    HA_GS_MERGE_NOTIFICATION = 8
} ha_gs_notification_type_t;

/* Why a protocol is where it is, and what is announced. */
typedef unsigned int ha_gs_summary_code_t;
#define HA_GS_DEFAULT_APPROVE 0x1
#define HA_GS_DEFAULT_REJECT 0x2
#define HA_GS_TIME_LIMIT_EXCEEDED 0x4
#define HA_GS_PROVIDER_FAILED 0x8
#define HA_GS_RESPONSIVE_NO_RESPONSE 0x10
#define HA_GS_RESPONSIVE_RESPONSE 0x20
#define HA_GS_GROUP_DISSOLVED 0x40
#define HA_GS_GROUP_SOURCE_DISSOLVED 0x80
#define HA_GS_DEACTIVATE_UNSUCCESSFUL 0x100
#define HA_GS_DEACTIVATE_TIME_LIMIT_EXCEEDED 0x200

/* What of a proposal is there: proposed while it is voted on, updated once it is approved. */
typedef unsigned int ha_gs_updates_t;
#define HA_GS_NO_CHANGE 0x0
#define HA_GS_PROPOSED_MEMBERSHIP 0x1
#define HA_GS_ONGOING_MEMBERSHIP 0x2
#define HA_GS_UPDATED_MEMBERSHIP 0x4
#define HA_GS_REJECTED_MEMBERSHIP 0x8
#define HA_GS_PROPOSED_STATE_VALUE 0x10
#define HA_GS_ONGOING_STATE_VALUE 0x20
#define HA_GS_UPDATED_STATE_VALUE 0x40
#define HA_GS_UPDATED_PROVIDER_MESSAGE 0x80
#define HA_GS_REFLECTED_SOURCE_STATE_VALUE 0x100
#define HA_GS_PROPOSED_GROUP_ATTRIBUTES 0x200
#define HA_GS_ONGOING_GROUP_ATTRIBUTES 0x400
#define HA_GS_UPDATED_GROUP_ATTRIBUTES 0x800
#define HA_GS_EXPEL_INFORMATION 0x1000

typedef unsigned int ha_gs_subscription_ctrl_t;
#define HA_GS_SUBSCRIBE_STATE 0x1
#define HA_GS_SUBSCRIBE_DELTA_JOINS 0x2
#define HA_GS_SUBSCRIBE_DELTA_LEAVES 0x4
#define HA_GS_SUBSCRIBE_DELTAS_ONLY 0x6
#define HA_GS_SUBSCRIBE_MEMBERSHIP 0x8
#define HA_GS_SUBSCRIBE_ALL_MEMBERSHIP 0xe
#define HA_GS_SUBSCRIBE_STATE_AND_MEMBERSHIP 0xf

typedef unsigned int ha_gs_subscription_type_t;
#define HA_GS_SUBSCRIPTION_STATE 0x1
#define HA_GS_SUBSCRIPTION_DELTA_JOIN 0x2
#define HA_GS_SUBSCRIPTION_DELTA_LEAVE 0x4
#define HA_GS_SUBSCRIPTION_MEMBERSHIP 0x8
#define HA_GS_SUBSCRIPTION_SPECIAL_DATA 0x10
#define HA_GS_SUBSCRIPTION_DISSOLVED 0x20

/* A provider. The names are there in all the ways in which programs write them. */
typedef union {
    int gs_provider_id;
    struct {
        short gs_instance_number;
        short gs_node_number;
    } gs_provider_info;
#if !defined(__STDC_VERSION__) || __STDC_VERSION__ >= 201112L || defined(__GNUC__)
    __extension__ struct {
        short gs_instance_number;
        short gs_node_number;
    };
#endif
} ha_gs_provider_t;

typedef struct {
    unsigned int gs_count;
    ha_gs_provider_t *gs_providers;
} ha_gs_membership_t;

typedef struct {
    int gs_length;
    char *gs_state;
} ha_gs_state_value_t;

typedef struct {
    int gs_length;
    char *gs_message;
} ha_gs_provider_message_t;

typedef struct {
    short gs_version;
    short gs_sizeof_group_attributes;
    short gs_client_version;
    ha_gs_batch_ctrl_t gs_batch_control;
    ha_gs_num_phases_t gs_num_phases;
    ha_gs_num_phases_t gs_source_reflection_num_phases;
    ha_gs_vote_value_t gs_group_default_vote;
    ha_gs_merge_ctrl_t gs_merge_control;
    ha_gs_time_limit_t gs_time_limit;
    ha_gs_time_limit_t gs_source_reflection_time_limit;
    ha_gs_group_name_t gs_group_name;
    ha_gs_group_name_t gs_source_group_name;
} ha_gs_group_attributes_t;

typedef enum {
    HA_GS_NO_RESPONSIVENESS = 0,
    HA_GS_PING_RESPONSIVENESS = 1,
    HA_GS_COUNTER_RESPONSIVENESS = 2
} ha_gs_responsiveness_type_t;

typedef struct {
    ha_gs_responsiveness_type_t gs_responsiveness_type;
    unsigned int gs_responsiveness_interval;                  /* seconds */
    ha_gs_time_limit_t gs_responsiveness_response_time_limit; /* seconds */
    void *gs_counter_location;
    unsigned int gs_counter_length;
} ha_gs_responsiveness_t;

typedef struct {
    ha_gs_num_phases_t gs_num_phases;
    unsigned int gs_phase_number;
} ha_gs_phase_info_t;

typedef enum {
    HA_GS_VOLUNTARY_LEAVE = 1,
    HA_GS_PROVIDER_FAILURE = 2,
    HA_GS_HOST_FAILURE = 3,
    HA_GS_PROVIDER_EXPELLED = 4,
    HA_GS_SOURCE_PROVIDER_LEAVE = 5,
    HA_GS_PROVIDER_SAID_GOODBYE = 6
} ha_gs_leave_reasons_t;

typedef struct {
    ha_gs_leave_reasons_t gs_voluntary_or_failure;
    unsigned int gs_voluntary_leave_code;
} ha_gs_leave_info_t;

/* In the order of the changing providers. */
typedef struct {
    unsigned int gs_count;
    ha_gs_leave_info_t *gs_leave_codes;
} ha_gs_leave_array_t;

typedef struct {
    unsigned int gs_deactivate_phase;
    char *gs_deactivate_flag;
} ha_gs_expel_info_t;

/* What is voted on, or was. What is not there is null. */
typedef struct {
    ha_gs_phase_info_t gs_phase_info;
    ha_gs_provider_t gs_proposed_by;
    ha_gs_updates_t gs_whats_changed;
    ha_gs_membership_t *gs_current_providers;
    ha_gs_membership_t *gs_changing_providers;
    ha_gs_leave_array_t *gs_leave_info;
    ha_gs_expel_info_t *gs_expel_info;
    ha_gs_state_value_t *gs_current_state_value;
    ha_gs_state_value_t *gs_proposed_state_value;
    ha_gs_state_value_t *gs_source_state_value;
    ha_gs_provider_message_t *gs_provider_message;
    ha_gs_group_attributes_t *gs_new_group_attributes;
} ha_gs_proposal_t;

typedef struct {
    ha_gs_notification_type_t gs_notification_type;
    ha_gs_token_t gs_provider_token;
    ha_gs_request_t gs_protocol_type;
    ha_gs_summary_code_t gs_summary_code;
    ha_gs_time_limit_t gs_time_limit;
    ha_gs_proposal_t *gs_proposal;
} ha_gs_n_phase_notification_t;

typedef struct {
    ha_gs_notification_type_t gs_notification_type;
    ha_gs_token_t gs_provider_token;
    ha_gs_request_t gs_protocol_type;
    ha_gs_summary_code_t gs_summary_code;
    ha_gs_proposal_t *gs_proposal;
} ha_gs_approved_notification_t;

typedef ha_gs_approved_notification_t ha_gs_protocol_approved_notification_t;
typedef ha_gs_approved_notification_t ha_gs_rejected_notification_t;
typedef ha_gs_rejected_notification_t ha_gs_protocol_rejected_notification_t;

typedef struct {
    ha_gs_notification_type_t gs_notification_type;
    ha_gs_token_t gs_provider_token;
    ha_gs_summary_code_t gs_summary_code;
    ha_gs_membership_t *gs_announcement;
} ha_gs_announcement_notification_t;

typedef struct ha_gs_special_block {
    unsigned int gs_special_flag;
    struct ha_gs_special_block *gs_next_special_block;
    int gs_special_num_entries;
    int gs_special_length;
    void *gs_special;
} ha_gs_special_block_t;

typedef struct {
    int gs_length;
    unsigned int gs_flag;
    ha_gs_special_block_t *gs_special_data;
} ha_gs_special_data_t;

typedef struct {
    ha_gs_notification_type_t gs_notification_type;
    ha_gs_token_t gs_subscriber_token;
    ha_gs_subscription_type_t gs_subscription_type;
    ha_gs_state_value_t *gs_state_value;
    ha_gs_membership_t *gs_full_membership;
    ha_gs_membership_t *gs_changing_membership;
    ha_gs_special_data_t *gs_subscription_special_data;
} ha_gs_subscription_notification_t;

typedef struct {
    ha_gs_notification_type_t gs_notification_type;
    ha_gs_responsiveness_t gs_responsiveness_information;
} ha_gs_responsiveness_notification_t;

/* Parts of the cluster met, and the group is dissolved by its merge control: the token is void, and the
   program may join again, also from within the callback. Without a merge callback it is announced as HA_GS_GROUP_DISSOLVED. */
typedef struct {
    ha_gs_notification_type_t gs_notification_type;
    ha_gs_token_t gs_provider_token;
} ha_gs_merge_notification_t;

/* Never delivered. */
typedef struct {
    ha_gs_notification_type_t gs_notification_type;
} ha_gs_query_notification_t;

typedef void(ha_gs_n_phase_cb_t)(const ha_gs_n_phase_notification_t *);
typedef void(ha_gs_approved_cb_t)(const ha_gs_approved_notification_t *);
typedef void(ha_gs_rejected_cb_t)(const ha_gs_rejected_notification_t *);
typedef void(ha_gs_announcement_cb_t)(const ha_gs_announcement_notification_t *);
typedef void(ha_gs_merge_cb_t)(const ha_gs_merge_notification_t *);
typedef void(ha_gs_subscriber_cb_t)(const ha_gs_subscription_notification_t *);
typedef ha_gs_callback_rc_t(ha_gs_responsiveness_cb_t)(const ha_gs_responsiveness_notification_t *);
typedef void(ha_gs_query_cb_t)(const ha_gs_query_notification_t *);

typedef struct {
    ha_gs_group_attributes_t *gs_group_attributes;
    short gs_provider_instance;
    char *gs_provider_local_name;
    ha_gs_n_phase_cb_t *gs_n_phase_protocol_callback;
    ha_gs_approved_cb_t *gs_protocol_approved_callback;
    ha_gs_rejected_cb_t *gs_protocol_rejected_callback;
    ha_gs_announcement_cb_t *gs_announcement_callback;
    ha_gs_merge_cb_t *gs_merge_callback;
} ha_gs_join_request_t;

typedef struct {
    ha_gs_num_phases_t gs_num_phases;
    ha_gs_time_limit_t gs_time_limit;
    ha_gs_state_value_t *gs_new_state;
} ha_gs_state_change_request_t;

typedef struct {
    ha_gs_num_phases_t gs_num_phases;
    ha_gs_time_limit_t gs_time_limit;
    ha_gs_provider_message_t *gs_message;
} ha_gs_message_request_t;

typedef struct {
    ha_gs_num_phases_t gs_num_phases;
    ha_gs_time_limit_t gs_time_limit;
    unsigned int gs_leave_code;
} ha_gs_leave_request_t;

typedef struct {
    ha_gs_num_phases_t gs_num_phases;
    ha_gs_time_limit_t gs_time_limit;
    ha_gs_membership_t gs_expel_list;
    unsigned int gs_deactivate_phase; /* 0: no deactivate command runs */
    char *gs_deactivate_flag;
} ha_gs_expel_request_t;

typedef struct {
    ha_gs_num_phases_t gs_num_phases;
    ha_gs_time_limit_t gs_time_limit;
    ha_gs_group_attributes_t *gs_group_attributes;
    ha_gs_membership_t *gs_backlevel_providers;
} ha_gs_change_attributes_t;

typedef ha_gs_change_attributes_t ha_gs_attribute_change_request_t;

typedef struct {
    ha_gs_subscription_ctrl_t gs_subscription_control;
    ha_gs_group_name_t gs_subscription_group;
    ha_gs_subscriber_cb_t *gs_subscription_callback;
} ha_gs_subscribe_request_t;

/* The block of the call it is handed to. */
typedef union {
    ha_gs_join_request_t gs_join_request;
    ha_gs_state_change_request_t gs_state_change_request;
    ha_gs_message_request_t gs_message_request;
    ha_gs_leave_request_t gs_leave_request;
    ha_gs_expel_request_t gs_expel_request;
    ha_gs_subscribe_request_t gs_subscribe_request;
    ha_gs_change_attributes_t gs_change_attributes_request;
    ha_gs_change_attributes_t gs_attribute_change_request;
} ha_gs_proposal_info_t;

typedef struct {
    ha_gs_notification_type_t gs_notification_type;
    ha_gs_token_t gs_request_token;
    ha_gs_request_t gs_protocol_type;
    ha_gs_rc_t gs_delayed_return_code;
    ha_gs_proposal_info_t *gs_failing_request;
} ha_gs_delayed_error_notification_t;

typedef void(ha_gs_delayed_error_cb_t)(const ha_gs_delayed_error_notification_t *);

typedef union {
    struct in_addr ip4;
    struct in6_addr ip6;
} ha_gs_ip_addr;

typedef struct {
    ha_gs_ip_addr ip_addr; /* IPv4 */
    short node_number;
    const char *interface_name; /* until the next such call */
    ha_gs_provider_t gs_member_id;
    ha_gs_group_name_t gs_group_name;
} ha_gs_adapter_info;

ha_gs_rc_t ha_gs_init(ha_gs_descriptor_t *ha_gs_descriptor, const ha_gs_socket_ctrl_t socket_options,
                      const ha_gs_responsiveness_t *responsiveness_control, const char *deactivate_script,
                      ha_gs_responsiveness_cb_t *responsiveness_callback,
                      ha_gs_delayed_error_cb_t *delayed_error_callback, ha_gs_query_cb_t *query_callback);
ha_gs_rc_t ha_gs_dispatch(const ha_gs_dispatch_flag_t dispatch_flags);
ha_gs_rc_t ha_gs_join(ha_gs_token_t *provider_token, const ha_gs_proposal_info_t *proposal_info);
ha_gs_rc_t ha_gs_leave(ha_gs_token_t provider_token, const ha_gs_proposal_info_t *proposal_info);
ha_gs_rc_t ha_gs_goodbye(ha_gs_token_t provider_token);
ha_gs_rc_t ha_gs_expel(ha_gs_token_t provider_token, const ha_gs_proposal_info_t *proposal_info);
ha_gs_rc_t ha_gs_subscribe(ha_gs_token_t *subscriber_token, const ha_gs_proposal_info_t *proposal_info);
ha_gs_rc_t ha_gs_unsubscribe(ha_gs_token_t subscriber_token);
ha_gs_rc_t ha_gs_send_message(ha_gs_token_t provider_token, const ha_gs_proposal_info_t *proposal_info);
ha_gs_rc_t ha_gs_change_state_value(ha_gs_token_t provider_token, const ha_gs_proposal_info_t *proposal_info);
ha_gs_rc_t ha_gs_change_attributes(ha_gs_token_t provider_token, const ha_gs_proposal_info_t *proposal_info);
ha_gs_rc_t ha_gs_vote(ha_gs_token_t provider_token, ha_gs_vote_value_t vote_value,
                      const ha_gs_state_value_t *proposed_state_value,
                      const ha_gs_provider_message_t *provider_message, ha_gs_vote_value_t default_vote_value);
ha_gs_rc_t ha_gs_quit(void);
ha_gs_rc_t ha_gs_get_node_number(int *node_number);
ha_gs_rc_t ha_gs_get_adapter_info(ha_gs_adapter_info *adapter);
ha_gs_rc_t ha_gs_get_ffdc_id(fc_eid_t fid);

#ifdef __cplusplus
}
#endif

#endif
