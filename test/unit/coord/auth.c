#include "coord/auth.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../check.h"

#define FIRST "0123456789abcdef0123456789abcdef"
#define LAST  "fedcba9876543210fedcba9876543210"

static int parse(struct auth *out, struct arena *a, const char *text, struct err *err)
{
    *err = (struct err){0};
    return auth_parse(out, a, str_from(text), "tokens", err);
}

static unsigned scopes(const struct auth *auth, const char *authorization)
{
    return auth_scopes(auth, str_from(authorization));
}

static void a_line_is_a_token_and_what_it_is_good_for(void **state)
{
    ARENA_SCOPED a = {0};
    struct auth auth;
    struct err err;

    (void)state;
    assert_int_equal(parse(&auth, &a,
                           "# who is who\n\n  " FIRST "  \n" LAST " read\r\n"
                           "aaaaaaaaaaaaaaaa write\nbbbbbbbbbbbbbbbb read, write\n"
                           "-._~+/=-._~+/=Az read",
                           &err),
                     0);
    assert_int_equal(auth.count, 5);
    assert_false(auth.anonymous);
    assert_int_equal(scopes(&auth, "Bearer " FIRST), AUTH_READ | AUTH_WRITE);
    assert_int_equal(scopes(&auth, "Bearer " LAST), AUTH_READ);
    assert_int_equal(scopes(&auth, "bearer   aaaaaaaaaaaaaaaa"), AUTH_WRITE);
    assert_int_equal(scopes(&auth, "BEARER bbbbbbbbbbbbbbbb"), AUTH_READ | AUTH_WRITE);
    assert_int_equal(scopes(&auth, "Bearer -._~+/=-._~+/=Az"), AUTH_READ);
}

static void what_is_no_token_names_its_line_and_never_itself(void **state)
{
    static const char *const lines[] = {
        "short",
        "aaaaaaaaaaaaaaa",
        "aaaaaaaaaaaaaaaa admin",
        "aaaaaaaaaaaaaaaa read,",
        "aaaaaaaaaaaaaaaa read write",
        "aaaaaaaaaaaaaaaa\vread",
        "aaaaaaaa aaaaaaaa",
        "aaaaaaaaaaaaaaa\"",
        "aaaaaaaaaaaaaaa\x80",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        ARENA_SCOPED a = {0};
        struct auth auth = {.count = 7};
        char text[200];
        struct err err;

        (void)snprintf(text, sizeof(text), FIRST "\n%s\n", lines[i]);
        assert_int_equal(parse(&auth, &a, text, &err), -1);
        assert_int_equal(err.code, ERR_USAGE);
        assert_non_null(strstr(err.msg, "tokens:2:"));
        assert_null(strstr(err.msg, "aaaa"));
        assert_null(strstr(err.msg, "0123"));
        assert_int_equal(auth.count, 7);
    }
}

static void no_token_at_all_too_long_ones_and_too_many_are_refused(void **state)
{
    ARENA_SCOPED a = {0};
    char text[200 * 20] = "";
    struct auth auth;
    struct err err;

    (void)state;
    assert_int_equal(parse(&auth, &a, "", &err), -1);
    assert_int_equal(parse(&auth, &a, "# none\n\n", &err), -1);
    memset(text, 'a', AUTH_TOKEN_MAX + 1);
    assert_int_equal(parse(&auth, &a, text, &err), -1);
    text[AUTH_TOKEN_MAX] = '\0';
    assert_int_equal(parse(&auth, &a, text, &err), 0);
    text[0] = '\0';
    for (size_t i = 0; i <= AUTH_TOKENS_MAX; i++) {
        assert_int_equal(auth_parse(&auth, &a, str_from(text), "tokens", &err), i == 0 ? -1 : 0);
        (void)snprintf(text + strlen(text), 20, "aaaaaaaaaaaa%04zu\n", i);
    }
    assert_int_equal(auth_parse(&auth, &a, str_from(text), "tokens", &err), -1);
    assert_int_equal(auth.count, AUTH_TOKENS_MAX);
}

static void any_other_header_gives_nothing(void **state)
{
    static const char *const headers[] = {
        "",
        "Bearer",
        "Bearer ",
        "Bearer" FIRST,
        "Bearer\t" FIRST,
        FIRST,
        "Basic " FIRST,
        "Bearer 0123456789abcdef0123456789abcde",
        "Bearer 0123456789abcdef0123456789abcdef0",
        "Bearer 0123456789ABCDEF0123456789ABCDEF",
        "Bearer " FIRST " " LAST,
        "Bearer " FIRST "," LAST,
        "Bearer " FIRST "\n" LAST,
    };
    ARENA_SCOPED a = {0};
    struct auth auth;
    struct err err;

    (void)state;
    assert_int_equal(parse(&auth, &a, FIRST "\n" LAST, &err), 0);
    assert_int_equal(auth_scopes(&auth, (struct str){0}), 0);
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
        assert_int_equal(scopes(&auth, headers[i]), 0);
    auth = (struct auth){.anonymous = true};
    assert_int_equal(scopes(&auth, "Bearer nonsense"), AUTH_READ | AUTH_WRITE);
    assert_int_equal(auth_scopes(&auth, (struct str){0}), AUTH_READ | AUTH_WRITE);
}

/* Stops itself before and after it looks the token up, so that its parent can count in between. */
static void compare_between_stops(const struct auth *auth, const char *authorization)
{
    struct str header = str_from(authorization);

    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
        _exit(1);
    (void)raise(SIGSTOP);
    (void)auth_scopes(auth, header);
    (void)raise(SIGSTOP);
    _exit(0);
}

/* How many instructions the comparison takes; 0: nobody may watch a process here. */
static unsigned long instructions(const struct auth *auth, const char *authorization)
{
    unsigned long count = 0;
    int status = 0;
    pid_t child;

    (void)fflush(NULL);
    child = fork();
    if (child == 0)
        compare_between_stops(auth, authorization);
    (void)waitpid(child, &status, 0);
    if (WIFEXITED(status))
        return 0;
    do {
        count++;
        if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) < 0)
            break;
        (void)waitpid(child, &status, 0);
    } while (WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
    (void)kill(child, SIGKILL);
    (void)waitpid(child, &status, 0);
    return count;
}

/*
 * Not seconds, which depend on the machine, but steps of it: they are the same or they are not. All
 * have digits and letters in equal numbers, since looking whether it is a token at all takes longer
 * for the one than for the other.
 */
static void comparing_takes_as_many_steps_whatever_the_token(void **state)
{
    static const char *const given[] = {
        "Bearer " FIRST,
        "Bearer " LAST,
        "Bearer 0123456789abcdef0123456789abcdee",
        "Bearer 0123456789abcdef1123456789abcdef",
        "Bearer 1123456789abcdef0123456789abcdef",
    };
    ARENA_SCOPED a = {0};
    struct auth auth;
    struct err err;
    unsigned long want;

    (void)state;
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
    SKIP_TEST("ThreadSanitizer's own steps for a place in memory depend on what was there before");
#endif
#endif
    assert_int_equal(parse(&auth, &a, FIRST "\n" LAST " read", &err), 0);
    want = instructions(&auth, "Bearer 1032547698badcfe1032547698badcfe");
    if (want == 0)
        SKIP_TEST("no process may watch another here");
    assert_true(want > 2 * AUTH_TOKEN_MAX);
    for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++)
        assert_int_equal(instructions(&auth, given[i]), want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_a_token_and_what_it_is_good_for),
        cmocka_unit_test(what_is_no_token_names_its_line_and_never_itself),
        cmocka_unit_test(no_token_at_all_too_long_ones_and_too_many_are_refused),
        cmocka_unit_test(any_other_header_gives_nothing),
        cmocka_unit_test(comparing_takes_as_many_steps_whatever_the_token),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
