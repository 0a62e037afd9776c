#include "sys/dl.h"

#include <string.h>

#include "../check.h"

struct table {
    double (*floor)(double);
    double (*no_such_function)(double);
};

static const struct dl_symbol symbols[] = {
    {.name = "floor", .offset = offsetof(struct table, floor)},
    {.name = "no_such_function", .offset = offsetof(struct table, no_such_function)},
};

static double floor_of_nothing(double x)
{
    return x;
}

static void the_first_library_that_is_there_fills_the_table(void **state)
{
    static const char *const sonames[] = {"libnowhere.so.1", "libm.so.6", NULL};
    struct table t = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(dl_load(&t, symbols, 1, sonames, "libc6", &err), 0);
    assert_true((int)t.floor(2.5) == 2);
    assert_null(t.no_such_function);
}

static void a_missing_library_is_told_with_its_package(void **state)
{
    static const char *const sonames[] = {"libnowhere.so.1", "libnowhere.so.0", NULL};
    struct table t = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(dl_load(&t, symbols, 1, sonames, "libnowhere1", &err), -1);
    assert_int_equal(err.code, ERR_USAGE);
    assert_non_null(strstr(err.msg, "libnowhere.so.1"));
    assert_string_equal(err_hint_of(&err), "install the package libnowhere1");
}

static void a_library_that_lacks_a_name_fills_nothing(void **state)
{
    static const char *const sonames[] = {"libm.so.6", NULL};
    struct table t = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(dl_load(&t, symbols, 2, sonames, "libc6", &err), -1);
    assert_int_equal(err.code, ERR_USAGE);
    assert_non_null(strstr(err.msg, "no_such_function"));
    assert_non_null(strstr(err_hint_of(&err), "libc6"));
    assert_null(t.floor);
}

static void what_is_optional_may_be_missing(void **state)
{
    static const char *const sonames[] = {"libm.so.6", NULL};
    struct dl_symbol optional[] = {symbols[0], symbols[1]};
    struct table t = {.no_such_function = floor_of_nothing};
    struct err err = {0};

    (void)state;
    optional[1].optional = true;
    assert_int_equal(dl_load(&t, optional, 2, sonames, "libc6", &err), 0);
    assert_true((int)t.floor(2.5) == 2);
    assert_null(t.no_such_function);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_library_that_is_there_fills_the_table),
        cmocka_unit_test(what_is_optional_may_be_missing),
        cmocka_unit_test(a_missing_library_is_told_with_its_package),
        cmocka_unit_test(a_library_that_lacks_a_name_fills_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
