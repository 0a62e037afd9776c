#include "sys/stop.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "../check.h"
#include "../child.h"
#include "sys/clock.h"

#define LONG_MS ((uint64_t)60 * 1000)

static bool is_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, 0) == 1;
}

/* Runs first: the handlers are installed once in a process. */
static void a_wish_can_be_had_without_handlers(void **state)
{
    (void)state;
    assert_int_equal(stop_fd(), -1);
    assert_false(stop_wanted());
    assert_false(stop_wait_ms(1));
    stop_request(SIGTERM);
    assert_int_equal(stop_signal(), SIGTERM);
    assert_true(stop_wait_ms(LONG_MS));
    stop_request(0);
    assert_false(stop_wanted());
}

static bool install_without_descriptors(void *ctx)
{
    struct rlimit limit = take_descriptors();
    struct err err = {0};
    bool failed = stop_install(&err) < 0;

    (void)ctx;
    give_descriptors(limit);
    return failed && err.sys == EMFILE && stop_fd() == -1;
}

static bool install_without_handlers(void *ctx)
{
    struct err err = {0};

    (void)ctx;
    return deny(SYS_rt_sigaction, EPERM) && stop_install(&err) < 0 && err.sys == EPERM;
}

static void handlers_that_cannot_be_had_are_told(void **state)
{
    (void)state;
    in_child(install_without_descriptors, NULL);
    in_child(install_without_handlers, NULL);
}

static int install(void **state)
{
    struct err err = {0};

    (void)state;
    return stop_fd() >= 0 ? 0 : stop_install(&err);
}

static void signals_are_kept_and_make_the_descriptor_readable(void **state)
{
    static const int signals[] = {SIGINT, SIGTERM};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_false(is_readable(stop_fd()));
        assert_int_equal(raise(signals[i]), 0);
        assert_int_equal(stop_signal(), signals[i]);
        assert_true(is_readable(stop_fd()));
        stop_request(0);
        assert_false(stop_wanted());
        assert_false(is_readable(stop_fd()));
    }
}

static void the_first_signal_is_the_one_that_counts(void **state)
{
    (void)state;
    assert_int_equal(raise(SIGTERM), 0);
    assert_int_equal(raise(SIGINT), 0);
    assert_int_equal(stop_signal(), SIGTERM);
    stop_request(0);
    assert_false(is_readable(stop_fd()));
}

static void a_broken_pipe_is_an_errno(void **state)
{
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(close(fds[0]), 0);
    assert_int_equal(write(fds[1], "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    (void)close(fds[1]);
}

static void *send_signal(void *process)
{
    (void)kill(*(pid_t *)process, SIGTERM);
    return NULL;
}

static void a_signal_ends_a_wait(void **state)
{
    uint64_t before = clock_now_ms(clock_real());
    pid_t self = getpid();
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, send_signal, &self), 0);
    assert_true(stop_wait_ms(LONG_MS));
    assert_true(stop_wait_ms(UINT64_MAX));
    assert_true(clock_now_ms(clock_real()) - before < LONG_MS);
    assert_int_equal(pthread_join(thread, NULL), 0);
    stop_request(0);
}

static void a_wait_lasts_as_long_as_was_asked(void **state)
{
    uint64_t before = clock_now_ms(clock_real());

    (void)state;
    assert_false(stop_wait_ms(20));
    assert_true(clock_now_ms(clock_real()) - before >= 20);
    assert_false(stop_wait_ms(0));
}

static void the_error_names_the_signal(void **state)
{
    struct err err = {0};

    (void)state;
    stop_request(SIGINT);
    assert_int_equal(stop_err(&err), -1);
    assert_int_equal(err.code, ERR_INTERRUPTED);
    assert_string_equal(err.msg, "stopped by SIGINT");
    stop_request(0);
    stop_request(SIGTERM);
    (void)stop_err(&err);
    assert_string_equal(err.msg, "stopped by SIGTERM");
    stop_request(0);
    (void)stop_err(&err);
    assert_string_equal(err.msg, "stopped");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wish_can_be_had_without_handlers),
        cmocka_unit_test(handlers_that_cannot_be_had_are_told),
        cmocka_unit_test_setup(signals_are_kept_and_make_the_descriptor_readable, install),
        cmocka_unit_test_setup(the_first_signal_is_the_one_that_counts, install),
        cmocka_unit_test_setup(a_broken_pipe_is_an_errno, install),
        cmocka_unit_test_setup(a_signal_ends_a_wait, install),
        cmocka_unit_test_setup(a_wait_lasts_as_long_as_was_asked, install),
        cmocka_unit_test_setup(the_error_names_the_signal, install),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
