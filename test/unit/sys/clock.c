#include "sys/clock.h"

#include <time.h>

#include "../check.h"

static void the_real_clock_goes_forward(void **state)
{
    const struct clock *c = clock_real();
    uint64_t before = clock_now_ms(c);

    (void)state;
    (void)nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    assert_true(clock_now_ms(c) > before);
    assert_true(clock_unix_ms(c) / 1000 + 1 >= (uint64_t)time(NULL));
    assert_true(clock_unix_ms(c) / 1000 <= (uint64_t)time(NULL));
}

static void times_are_printed_in_utc(void **state)
{
    static const struct {
        uint64_t unix_ms;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {951827696789, "2000-02-29T12:34:56.789Z"},
        {1795422662114, "2026-11-23T08:31:02.114Z"},
        {4102444799999, "2099-12-31T23:59:59.999Z"},
    };
    char text[CLOCK_TEXT];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(clock_format_unix_ms(text, cases[i].unix_ms), cases[i].text);
}

static void the_farthest_time_fits(void **state)
{
    char text[CLOCK_TEXT];

    (void)state;
    assert_string_equal(clock_format_unix_ms(text, UINT64_MAX), "584556019-04-03T14:25:51.615Z");
}

static void a_time_is_read_back_and_what_is_none_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "2026-11-23T08:31:02Z",
                                      "2026-13-01T00:00:00.000Z",
                                      "2026-02-30T00:00:00.000Z",
                                      "1969-12-31T23:59:59.999Z",
                                      "2026-11-23 08:31:02.114Z",
                                      "2026-11-23T08:31:02.114Zx",
                                      "2O26-11-23T08:31:02.114Z"};
    static const uint64_t good[] = {0, UINT64_C(1795510862114), UINT64_C(253402300799999)};
    char text[CLOCK_TEXT];
    uint64_t got = 7;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(clock_parse_unix_ms(&got, str_from(bad[i])));
        assert_int_equal(got, 7);
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(clock_parse_unix_ms(&got, str_from(clock_format_unix_ms(text, good[i]))));
        assert_int_equal(got, good[i]);
        got = 7;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_real_clock_goes_forward),
        cmocka_unit_test(times_are_printed_in_utc),
        cmocka_unit_test(the_farthest_time_fits),
        cmocka_unit_test(a_time_is_read_back_and_what_is_none_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
