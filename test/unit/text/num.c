#include "text/num.h"

#include "../check.h"

static void sizes_take_decimal_and_binary_units(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } cases[] = {
        {"0", 0},
        {"5M", 5000000},
        {"1.5 GiB", 1610612736},
        {"250kB", 250000},
        {"250KB", 250000},
        {"1.1T", 1100000000000},
        {"7b", 7},
        {"18446744073709551615", UINT64_MAX},
    };
    struct err err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t got = 1;

        assert_int_equal(num_parse_size(&got, str_from(cases[i].text), &err), 0);
        assert_true(got == cases[i].bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_take_decimal_and_binary_units),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
