#include "text/num.h"

#include <string.h>

#include "../check.h"

struct good {
    const char *text;
    uint64_t value;
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

typedef int parse_fn(uint64_t *out, struct str s, struct err *err);

static void expect_values(parse_fn *parse, const struct good *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct err err = {0};
        uint64_t got = ~cases[i].value;

        if (parse(&got, str_from(cases[i].text), &err) < 0)
            fail_msg("%s: %s", cases[i].text, err.msg);
        if (got != cases[i].value)
            fail_msg("%s gave %llu", cases[i].text, (unsigned long long)got);
    }
}

static void expect_refusals(parse_fn *parse, const char *const *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct err err = {0};
        uint64_t got = 77;

        if (parse(&got, str_from(cases[i]), &err) == 0)
            fail_msg("\"%s\" was taken", cases[i]);
        assert_int_equal(err.code, ERR_USAGE);
        assert_int_equal(got, 77);
    }
}

static int parse_whole(uint64_t *out, struct str s, struct err *err)
{
    return num_parse_u64(out, s, UINT64_MAX, err);
}

static void whole_numbers_up_to_64_bits(void **state)
{
    static const struct good good[] = {{"0", 0}, {"007", 7}, {"18446744073709551615", UINT64_MAX}};
    static const char *const bad[] = {"",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1.0",
                                      "x",
                                      "0x",
                                      "1e3",
                                      "١",
                                      "18446744073709551616",
                                      "99999999999999999999999"};

    (void)state;
    expect_values(parse_whole, good, COUNT(good));
    expect_refusals(parse_whole, bad, COUNT(bad));
}

static void whole_numbers_keep_the_callers_maximum_and_name_it(void **state)
{
    struct err err = {0};
    uint64_t n = 0;

    (void)state;
    assert_int_equal(num_parse_u64(&n, STR("64"), 64, &err), 0);
    assert_int_equal(n, 64);
    assert_int_equal(num_parse_u64(&n, STR("65"), 64, &err), -1);
    assert_string_equal(err.msg, "\"65\": not a whole number from 0 to 64");
    assert_int_equal(n, 64);
}

static void sizes_take_decimal_and_binary_units(void **state)
{
    static const struct good good[] = {
        {"0", 0},
        {"5M", 5000000},
        {"5MB", 5000000},
        {"5m", 5000000},
        {"1.5 GiB", 1610612736},
        {"250kB", 250000},
        {"250KB", 250000},
        {"1Ki", 1024},
        {"1mib", 1048576},
        {"1TiB", 1099511627776},
        {"1.1T", 1100000000000},
        {"0.0001k", 0},
        {"0.123456789012345678999999G", 123456789},
        {"7b", 7},
        {"7 B", 7},
        {"18446744073709551615", UINT64_MAX},
        {"16777215.99T", 16777215990000000000U},
    };

    (void)state;
    expect_values(num_parse_size, good, COUNT(good));
}

static void sizes_refuse_what_is_no_size(void **state)
{
    static const char *const bad[] = {
        "",          "M",    "-5",   "+5",  "5 ",  " 5",     "5  M", "5M ",
        "5X",        "5P",   "5MiM", "5.M", ".5M", "1.5",    "1.5B", "1..5M",
        "1.5.5M",    "0x10", "5i",   "5iB", "1e3", "5 MB B", "5BB",  "18446744073709551616",
        "18446745T",
    };

    (void)state;
    expect_refusals(num_parse_size, bad, COUNT(bad));
}

static void durations_take_units_and_are_seconds_without(void **state)
{
    static const struct good good[] = {
        {"0", 0},        {"15", 15000},   {"15s", 15000},   {"1.5", 1500}, {"500ms", 500},
        {"1.5m", 90000}, {"2h", 7200000}, {"1d", 86400000}, {"0.001s", 1}, {"0.0009s", 0},
    };

    (void)state;
    expect_values(num_parse_duration, good, COUNT(good));
}

static void durations_refuse_what_is_no_duration(void **state)
{
    static const char *const bad[] = {"",      "s",   "-1",  "1 s", "1S", "1M",
                                      "1.5ms", "1.s", "1.x", "1sm", "1w", "213503982335d"};

    (void)state;
    expect_refusals(num_parse_duration, bad, COUNT(bad));
}

static void long_bad_texts_are_not_quoted_whole(void **state)
{
    char text[5000];
    struct err err = {0};
    uint64_t n;

    (void)state;
    memset(text, '9', sizeof(text));
    assert_int_equal(num_parse_size(&n, (struct str){text, sizeof(text)}, &err), -1);
    assert_true(strlen(err.msg) < 150);
    assert_non_null(strstr(err.msg, "1.5 GiB"));
}

static void bad_texts_are_quoted_without_control_characters(void **state)
{
    struct err err = {0};
    uint64_t n;

    (void)state;
    assert_int_equal(num_parse_duration(&n, STR("1\x1b[2J"), &err), -1);
    assert_null(strchr(err.msg, '\x1b'));
}

static void booleans_take_the_usual_words(void **state)
{
    static const char *const yes[] = {"true", "yes", "on", "1", "TRUE", "Yes"};
    static const char *const no[] = {"false", "no", "off", "0", "False", "OFF"};
    static const char *const bad[] = {"", "2", "y", "tru", "true ", "01"};
    struct err err = {0};
    bool b;

    (void)state;
    for (size_t i = 0; i < COUNT(yes); i++) {
        b = false;
        assert_int_equal(num_parse_bool(&b, str_from(yes[i]), &err), 0);
        assert_true(b);
        assert_int_equal(num_parse_bool(&b, str_from(no[i]), &err), 0);
        assert_false(b);
        assert_int_equal(num_parse_bool(&b, str_from(bad[i]), &err), -1);
        assert_int_equal(err.code, ERR_USAGE);
    }
}

static void sizes_are_printed_with_three_figures_at_most(void **state)
{
    static const struct good cases[] = {
        {"0 B", 0},
        {"999 B", 999},
        {"1.0 kB", 1000},
        {"1.0 kB", 1049},
        {"1.1 kB", 1050},
        {"9.9 kB", 9949},
        {"10.0 kB", 9950},
        {"99.9 kB", 99949},
        {"100 kB", 99950},
        {"999 kB", 999499},
        {"1.0 MB", 999500},
        {"274 MB", 274290656},
        {"1.9 GB", 1900000000},
        {"14.5 GB", 14483464192},
        {"999 GB", 999499999999},
        {"1.0 TB", 999500000000},
        {"18.4 EB", UINT64_MAX},
    };
    char text[NUM_TEXT];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_string_equal(num_format_size(text, cases[i].value), cases[i].text);
}

static void durations_are_printed_with_two_units_at_most(void **state)
{
    static const struct good cases[] = {
        {"0s", 0},
        {"0s", 999},
        {"9s", 9999},
        {"59s", 59999},
        {"1m00s", 60000},
        {"3m20s", 200000},
        {"59m59s", 3599999},
        {"1h05m", 3900000},
        {"23h59m", 86399999},
        {"2d03h", 183600000},
        {"213503982334d14h", UINT64_MAX},
    };
    char text[NUM_TEXT];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_string_equal(num_format_duration(text, cases[i].value), cases[i].text);
}

static void a_share_is_more_than_nothing_and_at_most_all(void **state)
{
    static const struct {
        const char *text;
        uint32_t thousandths;
    } good[] = {{"0.92", 920}, {".9", 900},    {"1", 1000},
                {"1.0", 1000}, {"0.653", 653}, {"0.001", 1}};
    static const char *const bad[] = {"",    "0",      "0.0",  "1.001", "2",    "92",
                                      "-.5", "0.1234", "0.5x", "0,5",   " 0.5", "."};
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        uint32_t share = 0;

        assert_int_equal(num_parse_share(&share, str_from(good[i].text), &err), 0);
        assert_int_equal(share, good[i].thousandths);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint32_t share = 7;

        assert_int_equal(num_parse_share(&share, str_from(bad[i]), &err), -1);
        assert_int_equal(share, 7);
    }
    assert_string_equal(err.msg, "\".\": not a share between 0.001 and 1, as 0.92");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers_up_to_64_bits),
        cmocka_unit_test(whole_numbers_keep_the_callers_maximum_and_name_it),
        cmocka_unit_test(sizes_take_decimal_and_binary_units),
        cmocka_unit_test(sizes_refuse_what_is_no_size),
        cmocka_unit_test(durations_take_units_and_are_seconds_without),
        cmocka_unit_test(durations_refuse_what_is_no_duration),
        cmocka_unit_test(long_bad_texts_are_not_quoted_whole),
        cmocka_unit_test(bad_texts_are_quoted_without_control_characters),
        cmocka_unit_test(booleans_take_the_usual_words),
        cmocka_unit_test(sizes_are_printed_with_three_figures_at_most),
        cmocka_unit_test(durations_are_printed_with_two_units_at_most),
        cmocka_unit_test(a_share_is_more_than_nothing_and_at_most_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
