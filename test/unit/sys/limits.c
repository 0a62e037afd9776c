#include "sys/limits.h"

#include <string.h>
#include <sys/resource.h>

#include "../check.h"

static void a_limit_of_open_files_is_told_with_what_is_needed(void **state)
{
    struct rlimit before;
    struct rlimit few;
    struct err err = {0};

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){LIMITS_FILES - 1, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    assert_int_equal(limits_check(&err), -1);
    assert_int_equal(err.code, ERR_USAGE);
    assert_string_equal(err.msg, "the limit of open files is 63, and 64 are needed");
    assert_string_equal(err.hint, "raise it: ulimit -n 64");
    few.rlim_cur = LIMITS_FILES;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    assert_int_equal(limits_check(&err), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_limit_of_open_files_is_told_with_what_is_needed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
