#include "err/err.h"

#include <errno.h>
#include <string.h>

#include "../check.h"

static void set_fills_code_and_message(void **state)
{
    struct err err = {.sys = 5, .hint = "old"};

    (void)state;
    assert_int_equal(err_set(&err, ERR_NET, "%s answered %d", "host", 503), -1);
    assert_int_equal(err.code, ERR_NET);
    assert_int_equal(err.sys, 0);
    assert_string_equal(err.msg, "host answered 503");
    assert_string_equal(err.hint, "");
}

static void sys_keeps_errno_and_says_it(void **state)
{
    struct err err = {0};

    (void)state;
    errno = ENOENT;
    assert_int_equal(err_sys(&err, ERR_VOLUME, "open %s", "x"), -1);
    assert_int_equal(err.sys, ENOENT);
    assert_string_equal(err.msg, "open x: No such file or directory");
}

static void wrap_puts_the_context_in_front(void **state)
{
    struct err err = {0};

    (void)state;
    (void)err_set(&err, ERR_NET, "refused");
    assert_int_equal(err_wrap(&err, "pull %s", "m"), -1);
    assert_string_equal(err.msg, "pull m: refused");
    assert_int_equal(err.code, ERR_NET);
}

static void long_messages_are_cut_and_end(void **state)
{
    struct err err = {0};
    char text[2 * sizeof(err.msg)];

    (void)state;
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    (void)err_set(&err, ERR_NET, "%s", text);
    assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
    (void)err_wrap(&err, "%s", text);
    assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
    errno = EIO;
    (void)err_sys(&err, ERR_NET, "%s", text);
    assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
    (void)err_hint(&err, "%s", text);
    assert_int_equal(strlen(err.hint), sizeof(err.hint) - 1);
}

static void the_own_hint_goes_before_that_of_the_code(void **state)
{
    struct err err = {0};

    (void)state;
    (void)err_set(&err, ERR_NO_SPACE, "full");
    assert_ptr_equal(err_hint_of(&err), err_info(ERR_NO_SPACE)->hint);
    assert_int_equal(err_hint(&err, "delete %s", "it"), -1);
    assert_string_equal(err_hint_of(&err), "delete it");
    (void)err_set(&err, ERR_NOT_FOUND, "gone");
    assert_null(err_hint_of(&err));
}

/* The exit statuses are a promise to those who script the program. */
static void exit_statuses_are_as_documented(void **state)
{
    static const struct {
        enum err_code code;
        int exit_status;
    } promised[] = {
        {ERR_USAGE, 2},         {ERR_NOT_FOUND, 3}, {ERR_AUTH, 4}, {ERR_NET, 5},
        {ERR_DIGEST, 6},        {ERR_NO_SPACE, 7},  {ERR_WAIT, 8}, {ERR_VOLUME, 9},
        {ERR_LIMIT, 10},        {ERR_GPU, 11},      {ERR_BUG, 70}, {ERR_UNHEALTHY, 12},
        {ERR_INTERRUPTED, 130},
    };

    (void)state;
    assert_int_equal(sizeof(promised) / sizeof(promised[0]), ERR_COUNT - 1);
    for (size_t i = 0; i < sizeof(promised) / sizeof(promised[0]); i++)
        assert_int_equal(err_info(promised[i].code)->exit_status, promised[i].exit_status);
    assert_string_equal(err_info(ERR_NONE)->name, "none");
    assert_string_equal(err_info(ERR_NO_SPACE)->name, "NO_SPACE");
    assert_true(err_info(ERR_NET)->retry);
    assert_false(err_info(ERR_NO_SPACE)->retry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_fills_code_and_message),
        cmocka_unit_test(sys_keeps_errno_and_says_it),
        cmocka_unit_test(wrap_puts_the_context_in_front),
        cmocka_unit_test(long_messages_are_cut_and_end),
        cmocka_unit_test(the_own_hint_goes_before_that_of_the_code),
        cmocka_unit_test(exit_statuses_are_as_documented),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
