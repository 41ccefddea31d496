/* A talker for Corosync's closed process groups, the peer of `phalanx-lab talk`: it joins a group, waits until three are there, keeps
 * WINDOW own messages under way and counts what is delivered.
 *
 * usage: cpg GROUP SIZE SECONDS WINDOW        prints {"per_s": …, "median_us": …, "p99_us": …, "heard": …, "cpu_ms": …}
 */
#include <corosync/cpg.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <time.h>

enum { TALKERS = 3, LATENCIES_MAX = 1000000 };
static const uint64_t WARM_UP_NS = 500000000, GATHER_NS = 20000000000;

static size_t members;
static uint32_t own_node;
static uint64_t begin_ns, end_ns, sent_ns, delivered, heard;
static int under_way, window_size;
static uint32_t latencies[LATENCIES_MAX];
static size_t latency_count;

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t cpu_ms(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000
           + (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

static void on_message(cpg_handle_t handle, const struct cpg_name *group, uint32_t node, uint32_t pid, void *body,
                       size_t length)
{
    (void)handle, (void)group, (void)pid, (void)body, (void)length;
    uint64_t now = now_ns();
    int counts = now >= begin_ns && now < end_ns;
    delivered += (uint64_t)counts;
    heard++;
    if (node != own_node)
        return;
    under_way--;
    if (counts && window_size == 1 && latency_count < LATENCIES_MAX)
        latencies[latency_count++] = (uint32_t)((now - sent_ns) / 1000);
}

static void on_change(cpg_handle_t handle, const struct cpg_name *group, const struct cpg_address *now, size_t count,
                      const struct cpg_address *left, size_t left_count, const struct cpg_address *joined,
                      size_t joined_count)
{
    (void)handle, (void)group, (void)now, (void)left, (void)left_count, (void)joined, (void)joined_count;
    members = count;
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void check(cs_error_t error, const char *what)
{
    if (error != CS_OK) {
        fprintf(stderr, "cpg: %s: %d\n", what, (int)error);
        exit(1);
    }
}

static void listen_for(cpg_handle_t handle, int fd, int ms)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    if (poll(&readable, 1, ms) > 0)
        check(cpg_dispatch(handle, CS_DISPATCH_ALL), "dispatch");
}

/* Sends until the window is full or the daemon takes no more for now. */
static void fill(cpg_handle_t handle, char *body, size_t size)
{
    struct iovec part = {.iov_base = body, .iov_len = size};
    while (under_way < window_size && now_ns() < end_ns) {
        sent_ns = now_ns();
        cs_error_t error = cpg_mcast_joined(handle, CPG_TYPE_AGREED, &part, 1);
        if (error == CS_ERR_TRY_AGAIN)
            return;
        check(error, "send");
        under_way++;
    }
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: cpg GROUP SIZE SECONDS WINDOW\n");
        return 2;
    }
    size_t size = strtoul(argv[2], NULL, 10);
    uint64_t duration = strtoul(argv[3], NULL, 10) * 1000000000;
    window_size = atoi(argv[4]);
    cpg_callbacks_t callbacks = {.cpg_deliver_fn = on_message, .cpg_confchg_fn = on_change};
    cpg_handle_t handle;
    int fd;
    struct cpg_name group = {.length = (uint32_t)strlen(argv[1])};
    memcpy(group.value, argv[1], group.length);
    check(cpg_initialize(&handle, &callbacks), "initialize");
    check(cpg_local_get(handle, &own_node), "own node");
    check(cpg_fd_get(handle, &fd), "descriptor");
    check(cpg_join(handle, &group), "join");
    for (uint64_t deadline = now_ns() + GATHER_NS; members < TALKERS && now_ns() < deadline;)
        listen_for(handle, fd, 100);
    if (members < TALKERS) {
        fprintf(stderr, "cpg: the talkers did not gather\n");
        return 1;
    }
    char *body = calloc(1, size);
    uint64_t cpu_ms_before = cpu_ms();
    begin_ns = now_ns() + WARM_UP_NS;
    end_ns = begin_ns + duration;
    while (now_ns() < end_ns || (under_way > 0 && now_ns() < end_ns + WARM_UP_NS)) {
        fill(handle, body, size);
        listen_for(handle, fd, under_way < window_size ? 1 : 50);
    }
    qsort(latencies, latency_count, sizeof *latencies, by_size);
    printf("{\"per_s\": %.0f, \"median_us\": ", (double)delivered * 1e9 / (double)duration);
    if (latency_count > 0)
        printf("%u, \"p99_us\": %u", latencies[latency_count / 2], latencies[latency_count * 99 / 100]);
    else
        printf("null, \"p99_us\": null");
    printf(", \"heard\": %llu, \"cpu_ms\": %llu}\n", (unsigned long long)heard,
           (unsigned long long)(cpu_ms() - cpu_ms_before));
    check(cpg_leave(handle, &group), "leave");
    cpg_finalize(handle);
    return 0;
}
