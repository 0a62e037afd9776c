#include "gpu/answer.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../check.h"

/* Nothing here takes so long. */
#define LONG_MS 600000

/* What a child sends, and what came of it. */
struct heard {
    size_t count;
    struct answer last;
};

static void take(void *ctx, const struct answer *answer)
{
    struct heard *h = ctx;

    h->count++;
    h->last = *answer;
}

static struct answer_outcome exchanged(struct heard *h, void (*ask)(int fd, const void *ctx),
                                       uint64_t limit_ms)
{
    const struct answer_exchange exchange = {.ask = ask,
                                             .ask_ctx = "its memory",
                                             .take = take,
                                             .take_ctx = h,
                                             .clock = clock_real(),
                                             .limit_ms = limit_ms};
    struct answer_outcome out;
    struct err err = {0};

    *h = (struct heard){0};
    assert_int_equal(answer_exchange(&out, &exchange, &err), 0);
    return out;
}

static void send_step(int fd, const void *ctx)
{
    struct answer step = {.kind = ANSWER_STEP, .gpu = 3};

    (void)snprintf(step.text, sizeof(step.text), "%s", (const char *)ctx);
    answer_send(fd, &step);
}

static void answer_all(int fd, const void *ctx)
{
    send_step(fd, ctx);
    answer_send(fd, &(struct answer){.kind = ANSWER_GPU, .one = {.total_mib = 8188}});
    answer_send(fd, &(struct answer){.kind = ANSWER_END});
}

static void what_the_child_says_arrives_in_order_up_to_its_end(void **state)
{
    struct heard h;

    (void)state;
    assert_int_equal(exchanged(&h, answer_all, LONG_MS).end, ANSWER_ALL);
    assert_int_equal(h.count, 2);
    assert_int_equal(h.last.kind, ANSWER_GPU);
    assert_int_equal(h.last.one.total_mib, 8188);
}

static void crash(int fd, const void *ctx)
{
    send_step(fd, ctx);
    (void)raise(SIGBUS);
}

static void of_a_child_that_crashes_what_it_said_before_is_kept(void **state)
{
    struct answer_outcome out;
    struct heard h;

    (void)state;
    out = exchanged(&h, crash, LONG_MS);
    assert_int_equal(out.end, ANSWER_CRASHED);
    assert_int_equal(out.signal, SIGBUS);
    assert_int_equal(h.count, 1);
    assert_string_equal(h.last.text, "its memory");
    assert_int_equal(h.last.gpu, 3);
}

static void quit(int fd, const void *ctx)
{
    send_step(fd, ctx);
    _exit(0);
}

static void a_child_that_ends_without_its_last_word_has_quit(void **state)
{
    struct heard h;

    (void)state;
    assert_int_equal(exchanged(&h, quit, LONG_MS).end, ANSWER_QUIT);
    assert_int_equal(h.count, 1);
}

static void hang(int fd, const void *ctx)
{
    send_step(fd, ctx);
    for (;;)
        (void)pause();
}

static void a_child_that_hangs_is_left_at_the_limit(void **state)
{
    struct heard h;

    (void)state;
    assert_int_equal(exchanged(&h, hang, 20).end, ANSWER_LATE);
    assert_true(h.count <= 1);
}

static void send_rubbish(int fd, const void *ctx)
{
    struct answer rubbish;

    memset(&rubbish, 0xff, sizeof(rubbish));
    send_step(fd, ctx);
    answer_send(fd, &rubbish);
    send_step(fd, ctx);
}

static void send_half(int fd, const void *ctx)
{
    send_step(fd, ctx);
    if (write(fd, ctx, 4) != 4)
        abort();
}

static void what_is_no_record_ends_the_exchange(void **state)
{
    struct heard h;

    (void)state;
    assert_int_equal(exchanged(&h, send_rubbish, LONG_MS).end, ANSWER_QUIT);
    assert_int_equal(h.count, 1);
    assert_int_equal(exchanged(&h, send_half, LONG_MS).end, ANSWER_QUIT);
    assert_int_equal(h.count, 1);
}

static void print(int fd, const void *ctx)
{
    static const char text[] = "not ok: the child's own words\n";
    ssize_t printed = write(STDOUT_FILENO, text, sizeof(text) - 1);

    send_step(fd, ctx);
    if (printed == (ssize_t)sizeof(text) - 1 && read(STDIN_FILENO, &(char){0}, 1) == 0)
        answer_send(fd, &(struct answer){.kind = ANSWER_END});
}

static void what_the_child_prints_goes_nowhere(void **state)
{
    int out = dup(STDOUT_FILENO);
    char got[8];
    struct answer_outcome outcome;
    struct heard h;
    int ends[2];

    (void)state;
    (void)fflush(stdout);
    assert_int_equal(pipe(ends), 0);
    (void)dup2(ends[1], STDOUT_FILENO);
    (void)close(ends[1]);
    outcome = exchanged(&h, print, LONG_MS);
    (void)dup2(out, STDOUT_FILENO);
    (void)close(out);
    assert_int_equal(outcome.end, ANSWER_ALL);
    assert_int_equal(read(ends[0], got, sizeof(got)), 0);
    (void)close(ends[0]);
}

/* Each member of a record in turn, just past what can be believed. */
static void a_record_past_its_limits_is_not_believed(void **state)
{
    const struct answer sound = {.kind = ANSWER_GPU,
                                 .one = {.state = GPU_MIG_PARENT, .total_mib = GPU_MIB_MAX}};
    struct answer a = sound;

    (void)state;
    assert_true(answer_check(&a));
    a.kind = ANSWER_KINDS;
    assert_false(answer_check(&a));
    a = sound;
    a.one.state = GPU_STATES;
    assert_false(answer_check(&a));
    a = sound;
    a.one.compute_mode = GPU_COMPUTE_MODES;
    assert_false(answer_check(&a));
    a = sound;
    a.link.kind = GPU_LINK_KINDS;
    assert_false(answer_check(&a));
    a = sound;
    a.one.index = GPU_MAX;
    assert_false(answer_check(&a));
    a = sound;
    a.process.mib = GPU_MIB_MAX + 1;
    assert_false(answer_check(&a));
}

static void no_size_is_more_than_a_pebibyte(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        struct answer a = {.kind = ANSWER_GPU};
        uint64_t *sizes[] = {&a.one.total_mib, &a.one.reserved_mib, &a.one.cuda_total_mib,
                             &a.one.used_mib, &a.one.free_mib};

        assert_true(answer_check(&a));
        *sizes[i] = GPU_MIB_MAX + 1;
        assert_false(answer_check(&a));
    }
}

static void texts_get_their_ends_and_pointers_are_dropped(void **state)
{
    struct answer a = {.kind = ANSWER_GPU};

    (void)state;
    memset(a.text, 'x', sizeof(a.text));
    memset(a.link.to, 'x', sizeof(a.link.to));
    memset(a.one.uuid, 'x', sizeof(a.one.uuid));
    memset(a.one.hint, 'x', sizeof(a.one.hint));
    a.one.processes = (struct gpu_process *)(void *)&a;
    a.one.process_count = SIZE_MAX;
    a.one.links = (struct gpu_link *)(void *)&a;
    a.one.link_count = 1;
    assert_true(answer_check(&a));
    assert_int_equal(strlen(a.text), sizeof(a.text) - 1);
    assert_int_equal(strlen(a.link.to), sizeof(a.link.to) - 1);
    assert_int_equal(strlen(a.one.uuid), GPU_TEXT - 1);
    assert_int_equal(strlen(a.one.hint), GPU_REASON - 1);
    assert_null(a.one.processes);
    assert_int_equal(a.one.process_count, 0);
    assert_null(a.one.links);
    assert_int_equal(a.one.link_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_child_says_arrives_in_order_up_to_its_end),
        cmocka_unit_test(of_a_child_that_crashes_what_it_said_before_is_kept),
        cmocka_unit_test(a_child_that_ends_without_its_last_word_has_quit),
        cmocka_unit_test(a_child_that_hangs_is_left_at_the_limit),
        cmocka_unit_test(what_is_no_record_ends_the_exchange),
        cmocka_unit_test(what_the_child_prints_goes_nowhere),
        cmocka_unit_test(a_record_past_its_limits_is_not_believed),
        cmocka_unit_test(no_size_is_more_than_a_pebibyte),
        cmocka_unit_test(texts_get_their_ends_and_pointers_are_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
