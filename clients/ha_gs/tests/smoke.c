/*
 * A program in C from beginning to end: it registers, two providers of it join, vote on each other and on a state value in two
 * phases, it subscribes, collides with itself, leaves and quits. What it hears it prints.
 */
#include <ha_gs.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ha_gs_token_t first, second, watcher;
static int approved, delayed, told;
static char last_state[HA_GS_MAX_STATE_VALUE_LENGTH + 1];

static void expect(const char *what, int got, int wanted) {
    if (got != wanted) {
        fprintf(stderr, "%s: %d and not %d\n", what, got, wanted);
        exit(1);
    }
}

static void n_phase(const ha_gs_n_phase_notification_t *it) {
    const ha_gs_proposal_t *proposal = it->gs_proposal;
    unsigned int phase = proposal->gs_phase_info.gs_phase_number;
    ha_gs_vote_value_t vote = HA_GS_VOTE_APPROVE;
    expect("type", it->gs_notification_type, HA_GS_N_PHASE_NOTIFICATION);
    if (it->gs_protocol_type == HA_GS_STATE_VALUE_CHANGE) {
        expect("who proposed it", proposal->gs_proposed_by.gs_instance_number, 1);
    }
    if (it->gs_protocol_type == HA_GS_STATE_VALUE_CHANGE && phase == 1) {
        vote = HA_GS_VOTE_CONTINUE;
        expect("what is proposed", proposal->gs_whats_changed, HA_GS_PROPOSED_STATE_VALUE);
    }
    printf("phase %u of type %d for %s\n", phase, it->gs_protocol_type,
           it->gs_provider_token == first ? "first" : "second");
    expect("vote", ha_gs_vote(it->gs_provider_token, vote, NULL, NULL, HA_GS_NULL_VOTE), HA_GS_OK);
    expect("second vote", ha_gs_vote(it->gs_provider_token, vote, NULL, NULL, HA_GS_NULL_VOTE),
           HA_GS_VOTE_NOT_EXPECTED);
    expect("dispatch from within", ha_gs_dispatch(HA_GS_NON_BLOCKING), HA_GS_NOT_OK);
}

static void on_approved(const ha_gs_approved_notification_t *it) {
    const ha_gs_state_value_t *state = it->gs_proposal->gs_current_state_value;
    const ha_gs_membership_t *members = it->gs_proposal->gs_current_providers;
    int node;
    expect("node number", ha_gs_get_node_number(&node), HA_GS_OK);
    if (members->gs_count > 0) {
        expect("node", members->gs_providers[0].gs_node_number, node);
        expect("instance", members->gs_providers[0].gs_provider_info.gs_instance_number, 1);
    }
    memcpy(last_state, state->gs_state, state->gs_length);
    last_state[state->gs_length] = 0;
    printf("approved type %d for %s: %u providers\n", it->gs_protocol_type,
           it->gs_provider_token == first ? "first" : "second", members->gs_count);
    if (it->gs_protocol_type == HA_GS_LEAVE) {
        expect("reason", it->gs_proposal->gs_leave_info->gs_leave_codes[0].gs_voluntary_or_failure,
               HA_GS_VOLUNTARY_LEAVE);
        expect("code", it->gs_proposal->gs_leave_info->gs_leave_codes[0].gs_voluntary_leave_code, 77);
    }
    approved++;
}

static void on_rejected(const ha_gs_rejected_notification_t *it) {
    expect("nothing is rejected", it->gs_protocol_type, -1);
}

static void on_announcement(const ha_gs_announcement_notification_t *it) {
    expect("nothing is announced", it->gs_summary_code, -1);
}

static void on_delayed_error(const ha_gs_delayed_error_notification_t *it) {
    printf("delayed error %d of type %d\n", it->gs_delayed_return_code, it->gs_protocol_type);
    if (it->gs_protocol_type == HA_GS_STATE_VALUE_CHANGE) {
        expect("collision", it->gs_delayed_return_code, HA_GS_COLLIDE);
        expect("failing request", it->gs_failing_request->gs_state_change_request.gs_new_state->gs_length, 5);
    } else {
        expect("unknown group", it->gs_delayed_return_code, HA_GS_UNKNOWN_GROUP);
        expect("failing group", strcmp(it->gs_failing_request->gs_subscribe_request.gs_subscription_group, "moon"), 0);
    }
    delayed++;
}

static void on_news(const ha_gs_subscription_notification_t *it) {
    printf("news 0x%x\n", it->gs_subscription_type);
    expect("token", it->gs_subscriber_token, watcher);
    told++;
}

static void dispatch_until(ha_gs_descriptor_t descriptor, const int *count, int wanted) {
    while (*count < wanted) {
        struct pollfd it = {descriptor, POLLIN, 0};
        expect("something happens in time", poll(&it, 1, 20000), 1);
        expect("dispatch", ha_gs_dispatch(HA_GS_NON_BLOCKING), HA_GS_OK);
    }
}

static ha_gs_group_attributes_t attributes(void) {
    ha_gs_group_attributes_t it;
    memset(&it, 0, sizeof it);
    it.gs_version = 1;
    it.gs_sizeof_group_attributes = sizeof it;
    it.gs_client_version = 1;
    it.gs_batch_control = HA_GS_NO_BATCHING;
    it.gs_num_phases = HA_GS_N_PHASE;
    it.gs_source_reflection_num_phases = HA_GS_1_PHASE;
    it.gs_group_default_vote = HA_GS_VOTE_REJECT;
    it.gs_merge_control = HA_GS_DONTCARE_MERGE;
    it.gs_time_limit = 10;
    it.gs_group_name = "smoke";
    return it;
}

static ha_gs_rc_t join(ha_gs_token_t *token, short instance) {
    ha_gs_group_attributes_t group = attributes();
    ha_gs_proposal_info_t info;
    memset(&info, 0, sizeof info);
    info.gs_join_request.gs_group_attributes = &group;
    info.gs_join_request.gs_provider_instance = instance;
    info.gs_join_request.gs_provider_local_name = "smoke";
    info.gs_join_request.gs_n_phase_protocol_callback = n_phase;
    info.gs_join_request.gs_protocol_approved_callback = on_approved;
    info.gs_join_request.gs_protocol_rejected_callback = on_rejected;
    info.gs_join_request.gs_announcement_callback = on_announcement;
    return ha_gs_join(token, &info);
}

static ha_gs_rc_t change_state(ha_gs_token_t token, char *text) {
    ha_gs_state_value_t state = {(int)strlen(text), text};
    ha_gs_proposal_info_t info;
    memset(&info, 0, sizeof info);
    info.gs_state_change_request.gs_num_phases = HA_GS_N_PHASE;
    info.gs_state_change_request.gs_time_limit = 10;
    info.gs_state_change_request.gs_new_state = &state;
    return ha_gs_change_state_value(token, &info);
}

static ha_gs_rc_t subscribe(ha_gs_token_t *token, char *group) {
    ha_gs_proposal_info_t info;
    memset(&info, 0, sizeof info);
    info.gs_subscribe_request.gs_subscription_control = HA_GS_SUBSCRIBE_STATE_AND_MEMBERSHIP;
    info.gs_subscribe_request.gs_subscription_group = group;
    info.gs_subscribe_request.gs_subscription_callback = on_news;
    return ha_gs_subscribe(token, &info);
}

int main(void) {
    const unsigned int options = HA_GS_SOCKET_NO_SIGNAL | HA_GS_ENABLE_ADAPTER_INFO;
    ha_gs_descriptor_t descriptor;
    ha_gs_proposal_info_t info;
    ha_gs_adapter_info adapter;
    ha_gs_token_t nobody;
    fc_eid_t id;

    memset(&info, 0, sizeof info);
    expect("before it is registered", ha_gs_dispatch(HA_GS_NON_BLOCKING), HA_GS_NO_INIT);
    expect("no place", ha_gs_init(NULL, options, NULL, NULL, NULL, NULL, NULL), HA_GS_BAD_PARAMETER);
    expect("no path", ha_gs_init(&descriptor, options, NULL, "off", NULL, NULL, NULL), HA_GS_BAD_PARAMETER);
    expect("init", ha_gs_init(&descriptor, options, NULL, NULL, NULL, on_delayed_error, NULL), HA_GS_OK);
    expect("again", ha_gs_init(&descriptor, options, NULL, NULL, NULL, NULL, NULL), HA_GS_EXISTS);

    expect("no block", ha_gs_join(&first, NULL), HA_GS_BAD_PARAMETER);
    expect("no attributes", ha_gs_join(&first, &info), HA_GS_BAD_PARAMETER);
    expect("no token", change_state(4711, "x"), HA_GS_BAD_MEMBER_TOKEN);
    expect("join", join(&first, 1), HA_GS_OK);
    dispatch_until(descriptor, &approved, 1);
    expect("same instance", join(&nobody, 1), HA_GS_DUPLICATE_INSTANCE_NUMBER);
    expect("join", join(&second, 2), HA_GS_OK);
    dispatch_until(descriptor, &approved, 3);

    expect("subscribe", subscribe(&watcher, "smoke"), HA_GS_OK);
    dispatch_until(descriptor, &told, 1);
    expect("subscribe", subscribe(&nobody, "moon"), HA_GS_OK);
    dispatch_until(descriptor, &delayed, 1);

    expect("no state", change_state(first, ""), HA_GS_BAD_PARAMETER);
    expect("change", change_state(first, "hello"), HA_GS_OK);
    expect("change", change_state(second, "later"), HA_GS_OK);
    dispatch_until(descriptor, &approved, 5);
    dispatch_until(descriptor, &delayed, 2);
    dispatch_until(descriptor, &told, 2);
    expect("state", strcmp(last_state, "hello"), 0);

    memset(&adapter, 0, sizeof adapter);
    adapter.ip_addr.ip4.s_addr = htonl(0x0a0b0001);
    expect("adapter", ha_gs_get_adapter_info(&adapter), HA_GS_OK);
    printf("10.11.0.1 is on node %d, %s\n", adapter.node_number, adapter.interface_name);

    info.gs_leave_request.gs_num_phases = HA_GS_N_PHASE;
    info.gs_leave_request.gs_time_limit = 10;
    info.gs_leave_request.gs_leave_code = 77;
    expect("leave", ha_gs_leave(second, &info), HA_GS_OK);
    dispatch_until(descriptor, &approved, 7);
    dispatch_until(descriptor, &told, 3);
    expect("left", ha_gs_goodbye(second), HA_GS_BAD_MEMBER_TOKEN);
    expect("unsubscribe", ha_gs_unsubscribe(watcher), HA_GS_OK);
    expect("unsubscribed", ha_gs_unsubscribe(watcher), HA_GS_BAD_MEMBER_TOKEN);
    expect("the daemon lives", ha_gs_get_ffdc_id(id), HA_GS_NOT_OK);
    if (getenv("WAIT_FOR_THE_END")) {
        puts("waiting");
        fflush(stdout);
        expect("the daemon died", ha_gs_dispatch(HA_GS_BLOCKING), HA_GS_NOT_OK);
        expect("and all calls say so", ha_gs_goodbye(first), HA_GS_NOT_OK);
        expect("which life it was", ha_gs_get_ffdc_id(id), HA_GS_OK);
        printf("%.2s\n", id);
    }
    expect("quit", ha_gs_quit(), HA_GS_OK);
    expect("quit", ha_gs_quit(), HA_GS_NO_INIT);
    return 0;
}
