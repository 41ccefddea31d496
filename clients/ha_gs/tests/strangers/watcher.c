/* watcher COUNT: a subscriber that prints the state value and the number of members
 * of the group "counter" until the state value is COUNT. */
#define _POSIX_C_SOURCE 200809L /* poll(), clock_gettime() */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ha_gs.h>

#define RETRY_MS 200

/* Callbacks carry no user argument, so what they need is here. */
static struct {
    ha_gs_token_t token;
    long count;
    int unknown; /* the group does not exist (yet): subscribe again */
    int done;    /* COUNT was seen */
} me;

static void fail(const char *call, int code)
{
    fprintf(stderr, "watcher: %s: %d\n", call, code);
    exit(1);
}

static void check(const char *call, ha_gs_rc_t rc)
{
    if (rc != HA_GS_OK)
        fail(call, (int)rc);
}

static long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void notified(const ha_gs_subscription_notification_t *n)
{
    const ha_gs_state_value_t *s = n->gs_state_value;
    char text[32] = "";

    /* A group has an empty state value until the first change: nothing to show. */
    if ((n->gs_subscription_type & HA_GS_SUBSCRIPTION_STATE) && s != NULL && s->gs_length != 0) {
        if ((size_t)s->gs_length < sizeof text)
            memcpy(text, s->gs_state, (size_t)s->gs_length); /* no terminator is sent */
        printf("state %s\n", text);
        if (strtol(text, NULL, 10) == me.count)
            me.done = 1;
    }
    if ((n->gs_subscription_type & HA_GS_SUBSCRIPTION_MEMBERSHIP) && n->gs_full_membership != NULL)
        printf("members=%u\n", (unsigned int)n->gs_full_membership->gs_count);
    fflush(stdout);
    /* Group Services closes the connection as soon as we return. */
    if ((n->gs_subscription_type & HA_GS_SUBSCRIPTION_DISSOLVED) && !me.done)
        fail("subscription dissolved, type", (int)n->gs_subscription_type);
}

static void delayed_error(const ha_gs_delayed_error_notification_t *n)
{
    if (n->gs_delayed_return_code != HA_GS_UNKNOWN_GROUP)
        fail("ha_gs_subscribe (delayed)", (int)n->gs_delayed_return_code);
    me.unknown = 1;
}

static void subscribe(void)
{
    ha_gs_proposal_info_t info = { .gs_subscribe_request = {
        .gs_subscription_control = HA_GS_SUBSCRIBE_STATE | HA_GS_SUBSCRIBE_MEMBERSHIP,
        .gs_subscription_group = "counter",
        .gs_subscription_callback = notified,
    } };
    ha_gs_rc_t rc = ha_gs_subscribe(&me.token, &info);

    me.unknown = rc == HA_GS_UNKNOWN_GROUP;
    if (!me.unknown)
        check("ha_gs_subscribe", rc);
}

int main(int argc, char **argv)
{
    ha_gs_responsiveness_t responsiveness = { .gs_responsiveness_type = HA_GS_NO_RESPONSIVENESS };
    ha_gs_descriptor_t descriptor;
    struct pollfd p;
    ha_gs_rc_t rc;
    long next = now_ms(), end = next + 60000;

    me.count = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
    if (me.count < 1) {
        fprintf(stderr, "usage: watcher COUNT\n");
        return 1;
    }
    check("ha_gs_init", ha_gs_init(&descriptor, HA_GS_SOCKET_NO_SIGNAL, &responsiveness, NULL,
                                   NULL, delayed_error, NULL));
    p.fd = descriptor;
    p.events = POLLIN;
    me.unknown = 1;
    while (!me.done && now_ms() < end) {
        if (me.unknown && now_ms() >= next) {
            next = now_ms() + RETRY_MS;
            subscribe();
        }
        poll(&p, 1, RETRY_MS / 4);
        rc = ha_gs_dispatch(HA_GS_NON_BLOCKING);
        if (!me.done) /* a group dissolved after its last value costs us the connection */
            check("ha_gs_dispatch", rc);
    }
    if (!me.done)
        fprintf(stderr, "watcher: not done after 60 s\n");
    ha_gs_quit();
    return me.done ? 0 : 1;
}
