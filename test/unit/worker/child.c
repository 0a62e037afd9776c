#include "worker/child.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "../child.h"

static char *const no_variables[] = {NULL};

static struct child_birth birth(void)
{
    struct child_birth b = {.sigchld = {.sa_handler = SIG_DFL}};

    (void)sigemptyset(&b.mask);
    return b;
}

static int ended(pid_t pid)
{
    int status = -1;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void statuses_are_those_of_shells(void **state)
{
    static const struct {
        const char *script;
        int status;
        const char *words;
    } rows[] = {
        {"exit 0", 0, "ended with status 0"},
        {"exit 3", 3, "ended with status 3"},
        {"exit 255", 255, "ended with status 255"},
        {"kill -KILL $$", 137, "was killed by SIGKILL"},
        {"kill -TERM $$", 143, "was killed by SIGTERM"},
        {"kill -40 $$", 168, "was killed by signal 40"},
    };
    struct child_birth b = birth();

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *argv[] = {(char[]){"/bin/sh"}, (char[]){"-c"}, strdup(rows[i].script), NULL};
        struct child_options o = {.argv = argv, .envp = no_variables, .birth = &b};
        struct err err = {0};
        char how[CHILD_ENDED];
        int cannot = -1;
        pid_t pid = 0;
        int status;

        assert_int_equal(child_start(&pid, &cannot, &o, &err), 0);
        assert_int_equal(cannot, 0);
        status = ended(pid);
        assert_int_equal(child_exit_status(status), rows[i].status);
        assert_string_equal(child_ended(how, status), rows[i].words);
        free(argv[2]);
    }
}

static void what_cannot_be_run_is_an_errno_and_leaves_no_process(void **state)
{
    static const struct {
        const char *path;
        int cannot;
        int status;
    } rows[] = {
        {"/nowhere/at-all", ENOENT, 127},
        {"/etc/passwd/x", ENOTDIR, 127},
        {"/etc/passwd", EACCES, 126},
        {"/etc", EACCES, 126},
    };
    struct child_birth b = birth();

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *argv[] = {strdup(rows[i].path), NULL};
        struct child_options o = {.argv = argv, .envp = no_variables, .birth = &b};
        struct err err = {0};
        int cannot = 0;
        pid_t pid = 7;

        assert_int_equal(child_start(&pid, &cannot, &o, &err), 0);
        assert_int_equal(cannot, rows[i].cannot);
        assert_int_equal(child_exit_of_errno(cannot), rows[i].status);
        assert_int_equal(pid, 7);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
        assert_int_equal(errno, ECHILD);
        free(argv[0]);
    }
}

/* What a child says of itself: the line of its /proc/self/status that begins with a word. */
static void line_of_child(char out[static 128], const char *word, const struct child_birth *b)
{
    char wanted[32];
    char *argv[] = {(char[]){"/bin/grep"}, wanted, (char[]){"/proc/self/status"}, NULL};
    struct child_options o = {.argv = argv, .envp = no_variables, .birth = b};
    int kept = dup(STDOUT_FILENO);
    struct err err = {0};
    int cannot = -1;
    int ends[2];
    ssize_t got;
    pid_t pid = 0;

    (void)snprintf(wanted, sizeof(wanted), "^%s:", word);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    (void)fflush(NULL);
    (void)dup2(ends[1], STDOUT_FILENO);
    assert_int_equal(child_start(&pid, &cannot, &o, &err), 0);
    (void)dup2(kept, STDOUT_FILENO);
    (void)close(kept);
    (void)close(ends[1]);
    got = read(ends[0], out, 127);
    out[got < 0 ? 0 : got] = '\0';
    (void)close(ends[0]);
    assert_int_equal(ended(pid), 0);
}

static void it_gets_the_mask_that_we_were_given_and_ours_stays(void **state)
{
    struct child_birth b = birth();
    char line[128];
    sigset_t all;
    sigset_t before;
    sigset_t after;

    (void)state;
    (void)sigaddset(&b.mask, SIGUSR1);
    (void)sigfillset(&all);
    assert_int_equal(sigprocmask(SIG_SETMASK, &all, &before), 0);
    line_of_child(line, "SigBlk", &b);
    assert_int_equal(sigprocmask(SIG_SETMASK, &before, &after), 0);
    assert_string_equal(line, "SigBlk:\t0000000000000200\n");
    assert_int_equal(sigismember(&after, SIGTERM), 1);
    line_of_child(line, "SigBlk", &b);
    assert_int_equal(sigprocmask(SIG_SETMASK, NULL, &after), 0);
    assert_int_equal(sigismember(&after, SIGTERM), 0);
}

/* whether a child of such a birth ignores SIGCHLD; what else it may ignore is our own parents' */
static bool ignores_sigchld(const struct child_birth *b)
{
    const int bit = SIGCHLD - 1;
    char line[128];
    int digit;

    line_of_child(line, "SigIgn", b);
    assert_memory_equal(line, "SigIgn:\t", 8);
    digit = (unsigned char)line[8 + 15 - bit / 4]; /* of 16 hexadecimal ones, the highest first */
    digit -= digit <= '9' ? '0' : 'a' - 10;
    return (digit >> bit % 4 & 1) != 0;
}

static void it_ignores_what_we_were_told_to_ignore(void **state)
{
    struct child_birth b = birth();

    (void)state;
    assert_false(ignores_sigchld(&b));
    b.sigchld.sa_handler = SIG_IGN;
    assert_true(ignores_sigchld(&b));
}

static void it_leads_a_group_of_its_own_as_soon_as_it_is_started(void **state)
{
    struct child_birth b = birth();
    char *argv[] = {(char[]){"/bin/sleep"}, (char[]){"1000"}, NULL};
    struct child_options o = {.argv = argv, .envp = no_variables, .birth = &b};
    struct err err = {0};
    int cannot = -1;
    pid_t pid = 0;

    (void)state;
    assert_int_equal(child_start(&pid, &cannot, &o, &err), 0);
    assert_int_equal(getpgid(pid), pid);
    assert_int_equal(kill(-pid, SIGKILL), 0);
    assert_int_equal(child_exit_status(ended(pid)), 137);
}

/* Whose starter ends comes to us as an orphan, and has been killed. */
static void it_dies_with_who_started_it(void **state)
{
    struct child_birth b = birth();
    char *argv[] = {(char[]){"/bin/sleep"}, (char[]){"1000"}, NULL};
    struct child_options o = {.argv = argv, .envp = no_variables, .birth = &b};
    int ends[2];
    pid_t orphan = 0;
    pid_t middle;

    (void)state;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    (void)fflush(NULL);
    middle = fork();
    if (middle == 0) {
        struct err err = {0};
        int cannot = -1;
        pid_t pid = 0;

        if (child_start(&pid, &cannot, &o, &err) == 0 && write(ends[1], &pid, sizeof(pid)) > 0)
            _exit(0);
        _exit(1);
    }
    (void)close(ends[1]);
    assert_int_equal(ended(middle), 0);
    assert_int_equal(read(ends[0], &orphan, sizeof(orphan)), sizeof(orphan));
    (void)close(ends[0]);
    /* It was killed before its starter could be reaped, so that this comes too late. */
    (void)kill(orphan, SIGTERM);
    assert_int_equal(child_exit_status(ended(orphan)), 137);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
}

static bool without_processes(void *ctx)
{
    struct child_birth b = birth();
    char *argv[] = {(char[]){"/bin/true"}, NULL};
    struct child_options o = {.argv = argv, .envp = no_variables, .birth = &b};
    struct err err = {0};
    int cannot = -1;
    pid_t pid = 0;

    (void)ctx;
    /* Not by exit(3), where LeakSanitizer would want a process, too. */
    _exit(deny(SYS_clone, EAGAIN) && child_start(&pid, &cannot, &o, &err) == -1 &&
                  err.code == ERR_USAGE && err.sys == EAGAIN && pid == 0 &&
                  strstr(err.msg, "/bin/true cannot be started") != NULL &&
                  strstr(err.hint, "ulimit -u") != NULL
              ? 0
              : 1);
}

static void where_no_process_can_be_made_the_limit_is_named(void **state)
{
    (void)state;
    in_child(without_processes, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses_are_those_of_shells),
        cmocka_unit_test(what_cannot_be_run_is_an_errno_and_leaves_no_process),
        cmocka_unit_test(it_gets_the_mask_that_we_were_given_and_ours_stays),
        cmocka_unit_test(it_ignores_what_we_were_told_to_ignore),
        cmocka_unit_test(it_leads_a_group_of_its_own_as_soon_as_it_is_started),
        cmocka_unit_test(it_dies_with_who_started_it),
        cmocka_unit_test(where_no_process_can_be_made_the_limit_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
