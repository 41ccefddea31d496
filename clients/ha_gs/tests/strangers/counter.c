/* counter INSTANCE COUNT: with others like it, counts a group's state value up to COUNT. */
#define _POSIX_C_SOURCE 200809L /* poll() */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ha_gs.h>

#define VOTE_LIMIT 10 /* seconds a voting phase may take */
#define RETRY_MS 50   /* longest wait before a refused proposal is made again */

/* Callbacks carry no user argument, so what they need is here. */
static struct {
    ha_gs_token_t token;
    short instance;
    long count, value;   /* goal, and the last approved value */
    int joined, started; /* our own join was approved; three members were seen */
    int lowest;          /* no member has a lower instance number */
    int in_flight;       /* our proposal has no outcome yet */
    enum { STAYING, LEAVE_SENT, LEAVE_COLLIDED, GONE } stage;
} me;

static void check(const char *call, ha_gs_rc_t rc)
{
    if (rc != HA_GS_OK) {
        fprintf(stderr, "counter: %s: %d\n", call, (int)rc);
        exit(1);
    }
}

static void members_changed(const char *what, const ha_gs_membership_t *list)
{
    unsigned int i, n = list != NULL ? (unsigned int)list->gs_count : 0;

    me.lowest = 1;
    for (i = 0; i < n; i++)
        if (list->gs_providers[i].gs_instance_number < me.instance)
            me.lowest = 0;
    me.started |= n >= 3;
    printf("%s members=%u\n", what, n);
    fflush(stdout);
}

static void state_changed(const ha_gs_proposal_t *p)
{
    /* Of an approved change the proposed value, where given, is the one now in force. */
    const ha_gs_state_value_t *s = p->gs_proposed_state_value;
    char text[32] = "";

    if (s == NULL || s->gs_length == 0)
        s = p->gs_current_state_value;
    if (s != NULL && (size_t)s->gs_length < sizeof text)
        memcpy(text, s->gs_state, (size_t)s->gs_length); /* no terminator is sent */
    me.value = strtol(text, NULL, 10);
    me.in_flight = 0;
    printf("state %s\n", text);
    fflush(stdout);
}

static void n_phase(const ha_gs_n_phase_notification_t *n)
{
    ha_gs_vote_value_t vote = HA_GS_VOTE_APPROVE;

    /* Everyone continues in phase 1, so every change takes exactly two phases. */
    if (n->gs_protocol_type == HA_GS_STATE_VALUE_CHANGE
        && n->gs_proposal->gs_phase_info.gs_phase_number == 1)
        vote = HA_GS_VOTE_CONTINUE;
    check("ha_gs_vote", ha_gs_vote(n->gs_provider_token, vote, NULL, NULL, HA_GS_NULL_VOTE));
}

static void approved(const ha_gs_approved_notification_t *n)
{
    const ha_gs_proposal_t *p = n->gs_proposal;

    if (n->gs_protocol_type == HA_GS_JOIN) {
        me.joined = 1; /* the first join a provider hears of is its own */
        members_changed("joined", p->gs_current_providers);
    } else if (n->gs_protocol_type == HA_GS_LEAVE || n->gs_protocol_type == HA_GS_FAILURE_LEAVE) {
        members_changed("left", p->gs_current_providers);
        if (n->gs_protocol_type == HA_GS_LEAVE
            && p->gs_proposed_by.gs_instance_number == me.instance)
            me.stage = GONE;
    } else if (n->gs_protocol_type == HA_GS_STATE_VALUE_CHANGE)
        state_changed(p);
}

static void rejected(const ha_gs_rejected_notification_t *n)
{
    if (n->gs_protocol_type == HA_GS_STATE_VALUE_CHANGE)
        me.in_flight = 0; /* propose it again */
    else if (n->gs_protocol_type == HA_GS_JOIN && !me.joined)
        check("ha_gs_join (rejected)", HA_GS_NOT_OK);
}

static void announcement(const ha_gs_announcement_notification_t *n)
{
    fprintf(stderr, "counter: announcement, summary code %d\n", (int)n->gs_summary_code);
}

static void delayed_error(const ha_gs_delayed_error_notification_t *n)
{
    int collided = n->gs_delayed_return_code == HA_GS_COLLIDE;

    if (n->gs_protocol_type == HA_GS_STATE_VALUE_CHANGE && collided)
        me.in_flight = 0;
    else if (n->gs_protocol_type == HA_GS_LEAVE && collided)
        me.stage = LEAVE_COLLIDED;
    else
        check(n->gs_protocol_type == HA_GS_JOIN ? "ha_gs_join (delayed)"
              : n->gs_protocol_type == HA_GS_LEAVE ? "ha_gs_leave (delayed)"
              : "ha_gs_change_state_value (delayed)", n->gs_delayed_return_code);
}

static void join(void)
{
    ha_gs_group_attributes_t attributes = {
        .gs_version = 1, .gs_sizeof_group_attributes = sizeof attributes,
        .gs_client_version = 1, .gs_batch_control = HA_GS_NO_BATCHING,
        .gs_num_phases = HA_GS_N_PHASE, .gs_source_reflection_num_phases = HA_GS_1_PHASE,
        /* A member that says goodbye must not make the others' protocols fail. */
        .gs_group_default_vote = HA_GS_VOTE_APPROVE,
        .gs_merge_control = HA_GS_DISSOLVE_MERGE,
        .gs_time_limit = VOTE_LIMIT, .gs_group_name = "counter",
    };
    ha_gs_proposal_info_t info = { .gs_join_request = {
        .gs_group_attributes = &attributes,
        .gs_provider_instance = me.instance, .gs_provider_local_name = "counter",
        .gs_n_phase_protocol_callback = n_phase,
        .gs_protocol_approved_callback = approved,
        .gs_protocol_rejected_callback = rejected,
        .gs_announcement_callback = announcement,
    } };

    check("ha_gs_join", ha_gs_join(&me.token, &info));
}

static void propose(long value)
{
    char text[32];
    ha_gs_state_value_t state = { .gs_length = snprintf(text, sizeof text, "%ld", value),
                                  .gs_state = text };
    ha_gs_proposal_info_t info = { .gs_state_change_request = {
        .gs_num_phases = HA_GS_N_PHASE, .gs_time_limit = VOTE_LIMIT, .gs_new_state = &state } };
    ha_gs_rc_t rc = ha_gs_change_state_value(me.token, &info);

    if (rc == HA_GS_COLLIDE)
        return; /* the main loop comes here again */
    check("ha_gs_change_state_value", rc);
    me.in_flight = 1;
}

static void leave(void)
{
    ha_gs_proposal_info_t info = { .gs_leave_request = { .gs_num_phases = HA_GS_1_PHASE } };
    ha_gs_rc_t rc = ha_gs_leave(me.token, &info);

    me.stage = rc == HA_GS_COLLIDE ? LEAVE_COLLIDED : LEAVE_SENT;
    if (me.stage == LEAVE_SENT)
        check("ha_gs_leave", rc);
}

int main(int argc, char **argv)
{
    ha_gs_responsiveness_t responsiveness = { .gs_responsiveness_type = HA_GS_NO_RESPONSIVENESS };
    ha_gs_descriptor_t descriptor;
    struct pollfd p = { .events = POLLIN };
    time_t end = time(NULL) + 60;
    long instance = argc == 3 ? strtol(argv[1], NULL, 10) : -1;

    me.count = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    if (instance < 0 || instance != (short)instance || me.count < 1) {
        fprintf(stderr, "usage: counter INSTANCE COUNT\n");
        return 1;
    }
    me.instance = (short)instance;
    check("ha_gs_init", ha_gs_init(&descriptor, HA_GS_SOCKET_NO_SIGNAL, &responsiveness, NULL,
                                   NULL, delayed_error, NULL));
    join();
    p.fd = descriptor;
    while (me.stage != GONE && time(NULL) < end) {
        poll(&p, 1, RETRY_MS);
        check("ha_gs_dispatch", ha_gs_dispatch(HA_GS_NON_BLOCKING));
        /* Requests are made here, not in callbacks: there the protocol that is being
         * reported may still count as running, and a request would collide with it. */
        if (me.stage == STAYING && me.value >= me.count)
            leave();
        else if (me.stage == STAYING && me.started && me.lowest && !me.in_flight)
            propose(me.value + 1);
        if (me.stage == LEAVE_COLLIDED) {
            check("ha_gs_goodbye", ha_gs_goodbye(me.token));
            me.stage = GONE; /* goodbye is synchronous: nothing more is reported */
        }
    }
    if (me.stage != GONE)
        fprintf(stderr, "counter: not done after 60 s\n");
    ha_gs_quit();
    return me.stage == GONE ? 0 : 1;
}
