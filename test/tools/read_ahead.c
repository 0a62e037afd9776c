/*
 * Reads the weights of a folder ahead, as `hostler run` does, and says what came of it.
 *
 *     read_ahead FOLDER [OPTION...]
 *
 *     budget=SIZE      what the host's memory can spare, if it is not said
 *     claims=FOLDER    where claims lie; none without it
 *     stop=MS          stopped after so long, done or not
 *
 * Each line of stdout is a name and a value, times in milliseconds; `files` are in their order.
 */
#include "worker/read_ahead.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "sys/clock.h"
#include "text/num.h"
#include "text/str.h"
#include "worker/read_budget.h"
#include "worker/read_order.h"

struct asked {
    uint64_t budget;
    uint64_t stop_ms;
    int claims;
};

static const char *const states[] = {"reading", "done", "full", "stopped"};

static bool take_option(struct asked *asked, const char *text)
{
    struct err ignored;
    struct str value = str_from(text);
    struct str name;

    if (!str_cut(&value, '=', &name))
        return false;
    if (str_eqz(name, "budget"))
        return num_parse_size(&asked->budget, value, &ignored) == 0;
    if (str_eqz(name, "stop"))
        return num_parse_u64(&asked->stop_ms, value, INT32_MAX, &ignored) == 0;
    if (!str_eqz(name, "claims"))
        return false;
    asked->claims = open(value.ptr, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return asked->claims >= 0;
}

static void follow(struct read_ahead_result *result, struct read_ahead *r, uint64_t stop_ms)
{
    const struct clock *clock = clock_real();
    uint64_t end = clock_now_ms(clock) + stop_ms;

    do {
        (void)nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
        read_ahead_result(result, r);
    } while (result->state == READ_AHEAD_READING && (stop_ms == 0 || clock_now_ms(clock) < end));
}

static int work(const char *folder, const struct asked *asked, struct err *err)
{
    ARENA_SCOPED arena = {0};
    const struct clock *clock = clock_real();
    uint64_t began = clock_now_ms(clock);
    struct read_ahead_result result;
    char line[READ_AHEAD_LINE];
    struct read_order order;
    struct read_ahead *r;
    uint64_t stopping;

    if (read_order_folder(&order, &arena, folder, err) < 0)
        return -1;
    for (size_t i = 0; i < order.files.len; i++)
        (void)printf("file %s\n", order.files.at[i].path);
    r = read_ahead_start(&(struct read_ahead_options){.files = order.files.at,
                                                      .count = order.files.len,
                                                      .budget_bytes = asked->budget,
                                                      .runtime_fd = asked->claims,
                                                      .clock = clock},
                         err);
    if (r == NULL)
        return -1;
    follow(&result, r, asked->stop_ms);
    stopping = clock_now_ms(clock);
    read_ahead_stop(&r, &result);
    (void)printf("stop_took %" PRIu64 "\n", clock_now_ms(clock) - stopping);
    (void)printf("state %s\ntotal %" PRIu64 "\nread %" PRIu64 "\nresident %" PRIu64
                 "\nfailed %" PRIu64 "\nbusy %" PRIu64 "\nbps %" PRIu64 "\ntook %" PRIu64 "\n",
                 states[result.state], result.total_bytes, result.read_bytes, result.resident_bytes,
                 result.failed_files, result.busy_ms, read_ahead_bps(&result),
                 clock_now_ms(clock) - began);
    if (read_ahead_is_slow(line, &result))
        (void)printf("slow %s\n", line);
    return 0;
}

int main(int argc, char **argv)
{
    struct asked asked = {.budget = UINT64_MAX, .claims = -1};
    struct err err = {0};
    int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    for (int i = 2; i < argc; i++) {
        if (!take_option(&asked, argv[i])) {
            (void)fprintf(stderr, "read_ahead: no option %s\n", argv[i]);
            return 2;
        }
    }
    if (argc < 2 || root < 0) {
        (void)fprintf(stderr, "usage: read_ahead FOLDER [OPTION...]\n");
        return 2;
    }
    if (asked.budget == UINT64_MAX) {
        struct read_budget budget = read_budget_find(root, UINT64_MAX);

        asked.budget = budget.bytes;
        (void)printf("budget %s\n", budget.why);
    }
    if (work(argv[1], &asked, &err) < 0) {
        (void)fprintf(stderr, "read_ahead: %s\n", err.msg);
        return 1;
    }
    return 0;
}
