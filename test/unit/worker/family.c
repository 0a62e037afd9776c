#include "worker/family.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../check.h"

/* They live until this pipe closes with the test itself, or until they are killed. */
static int alive[2];

/* A child and a grandchild of ours, both of names that are meant to mislead. */
struct pair {
    pid_t child;
    pid_t grandchild;
};

static _Noreturn void stay(const char *name)
{
    char nothing;
    ssize_t got;

    (void)prctl(PR_SET_NAME, name);
    (void)close(alive[1]);
    got = read(alive[0], &nothing, 1);
    _exit(got == 0 ? 0 : 1);
}

static struct pair make_pair(void)
{
    struct pair p = {0};
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    (void)fflush(NULL);
    p.child = fork();
    if (p.child == 0) {
        pid_t pid = fork();

        if (pid == 0)
            stay("a) R 1 (b");
        if (write(ends[1], &pid, sizeof(pid)) != (ssize_t)sizeof(pid))
            _exit(1);
        stay("x) Z 1 (y");
    }
    assert_int_equal(read(ends[0], &p.grandchild, sizeof(pid_t)), sizeof(pid_t));
    (void)close(ends[0]);
    (void)close(ends[1]);
    return p;
}

static void end(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static bool has(const struct family *f, pid_t pid)
{
    for (size_t i = 0; i < f->len; i++) {
        if (f->at[i] == pid)
            return true;
    }
    return false;
}

static void all_that_descends_from_us_is_found_whatever_its_name(void **state)
{
    ARENA_SCOPED a = {0};
    struct pair p = make_pair();
    struct family found = family_of_ours(&a, (const pid_t[]){0});

    (void)state;
    assert_int_equal(found.len, 2);
    assert_true(has(&found, p.child));
    assert_true(has(&found, p.grandchild));
    end(p.child);
    end(p.grandchild);
}

static void who_is_spared_is_left_out_with_its_own(void **state)
{
    ARENA_SCOPED a = {0};
    struct pair one = make_pair();
    struct pair two = make_pair();
    struct family found = family_of_ours(&a, (const pid_t[]){one.child, 0});

    (void)state;
    assert_int_equal(found.len, 2);
    assert_true(has(&found, two.child) && has(&found, two.grandchild));
    found = family_of_ours(&a, (const pid_t[]){two.grandchild, one.grandchild, 0});
    assert_int_equal(found.len, 2);
    assert_true(has(&found, one.child) && has(&found, two.child));
    end(one.child);
    end(one.grandchild);
    end(two.child);
    end(two.grandchild);
}

static void an_orphan_is_ours_and_the_dead_are_nobody(void **state)
{
    ARENA_SCOPED a = {0};
    struct pair p = make_pair();
    siginfo_t dead;
    struct family found;

    (void)state;
    (void)kill(p.child, SIGKILL);
    /* It has ended, and stays a zombie for now. */
    assert_int_equal(waitid(P_PID, (id_t)p.child, &dead, WEXITED | WNOWAIT), 0);
    found = family_of_ours(&a, (const pid_t[]){0});
    assert_int_equal(found.len, 1);
    assert_true(has(&found, p.grandchild));
    (void)kill(p.grandchild, SIGKILL);
    assert_int_equal(waitid(P_PID, (id_t)p.grandchild, &dead, WEXITED | WNOWAIT), 0);
    found = family_of_ours(&a, (const pid_t[]){0});
    assert_int_equal(found.len, 0);
    end(p.child);
    end(p.grandchild);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_descends_from_us_is_found_whatever_its_name),
        cmocka_unit_test(who_is_spared_is_left_out_with_its_own),
        cmocka_unit_test(an_orphan_is_ours_and_the_dead_are_nobody),
    };

    /* As `hostler run` is: orphans come to us. */
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || pipe(alive) < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
