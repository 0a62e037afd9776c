/* A host that gives no more threads: containers often have a small limit of processes. */
#include <errno.h>
#include <pthread.h>

#include "../check.h"
#include "transfer/transfer.h"

int pthread_create(pthread_t *out, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
    (void)out;
    (void)attr;
    (void)run;
    (void)arg;
    return EAGAIN;
}

static void an_engine_without_threads_names_the_limit(void **state)
{
    struct net_config net = {.clock = clock_real()};
    struct err err = {0};

    (void)state;
    assert_null(transfer_new(&net, &err));
    assert_int_equal(err.code, ERR_LIMIT);
    assert_string_equal(err.msg, "cannot start a thread for downloading: Resource temporarily "
                                 "unavailable");
    assert_string_equal(err.hint, "raise the limits of processes and memory (ulimit -u, ulimit -v, "
                                  "pids and memory of the cgroup)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_engine_without_threads_names_the_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
