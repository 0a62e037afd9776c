#include "worker/prober.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../check.h"

static char *const no_variables[] = {NULL};

/* A prober whose words the test writes itself. */
static int begin(struct prober *p)
{
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    *p = (struct prober){.fd = ends[0]};
    return ends[1];
}

static void the_last_whole_line_is_the_reason(void **state)
{
    static const char *const rows[][2] = {
        {"first\n", "first"}, {"second\nthird\n", "third"},
        {"a piece", "third"}, {" and its end\n", " and its end"},
        {"\n", ""},
    };
    struct prober p;
    int told = begin(&p);

    (void)state;
    prober_listen(&p);
    assert_string_equal(p.reason, "");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(write(told, rows[i][0], strlen(rows[i][0])), strlen(rows[i][0]));
        prober_listen(&p);
        assert_string_equal(p.reason, rows[i][1]);
    }
    (void)close(told);
    prober_listen(&p);
    prober_stop(&p);
    assert_int_equal(p.fd, -1);
}

static void a_line_that_is_too_long_is_cut(void **state)
{
    char line[2 * PROBER_REASON];
    struct prober p;
    int told = begin(&p);

    (void)state;
    memset(line, 'x', sizeof(line));
    line[sizeof(line) - 1] = '\n';
    assert_int_equal(write(told, line, sizeof(line)), sizeof(line));
    prober_listen(&p);
    assert_int_equal(strlen(p.reason), PROBER_REASON - 1);
    (void)close(told);
    prober_stop(&p);
}

static void it_ends_when_all_checks_hold(void **state)
{
    char *argv[] = {(char[]){"/bin/true"}, NULL};
    const struct ready_check at[] = {{.kind = READY_CMD, .argv = argv},
                                     {.kind = READY_CMD, .argv = argv}};
    const struct ready_checks checks = {at, 2};
    struct prober p;
    struct err err = {0};
    int status = -1;

    (void)state;
    assert_int_equal(prober_start(&p, &checks, NULL, no_variables, &err), 0);
    assert_int_equal(waitpid(p.pid, &status, 0), p.pid);
    assert_int_equal(status, 0);
    p.pid = 0;
    prober_stop(&p);
}

static void it_goes_on_and_says_why_while_one_does_not(void **state)
{
    char *good[] = {(char[]){"/bin/true"}, NULL};
    char *bad[] = {(char[]){"/bin/false"}, NULL};
    const struct ready_check at[] = {{.kind = READY_CMD, .argv = good},
                                     {.kind = READY_CMD, .argv = bad}};
    const struct ready_checks checks = {at, 2};
    struct prober p;
    struct err err = {0};
    int status = 0;

    (void)state;
    assert_int_equal(prober_start(&p, &checks, NULL, no_variables, &err), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(poll(&(struct pollfd){.fd = p.fd, .events = POLLIN}, 1, 60000), 1);
        p.reason[0] = '\0';
        prober_listen(&p);
        assert_string_equal(p.reason, "/bin/false ended with status 1");
    }
    assert_int_equal(waitpid(p.pid, &status, WNOHANG), 0);
    prober_stop(&p);
    assert_int_equal(waitpid(p.pid, &status, 0), p.pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_whole_line_is_the_reason),
        cmocka_unit_test(a_line_that_is_too_long_is_cut),
        cmocka_unit_test(it_ends_when_all_checks_hold),
        cmocka_unit_test(it_goes_on_and_says_why_while_one_does_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
