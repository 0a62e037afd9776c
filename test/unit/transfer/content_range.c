#include "transfer/content_range.h"

#include "../check.h"

static void well_formed_headers_are_read(void **state)
{
    static const struct {
        const char *text;
        struct content_range want;
    } rows[] = {
        {"bytes 0-99/1234", {true, true, 0, 100, 1234}},
        {"bytes 100-1233/1234", {true, true, 100, 1234, 1234}},
        {"bytes 7-7/*", {true, false, 7, 8, 0}},
        {"bytes */1234", {false, true, 0, 0, 1234}},
        {"BYTES  5-6/10", {true, true, 5, 7, 10}},
        {" bytes 5-6/10 ", {true, true, 5, 7, 10}},
        {"bytes 0-0/1", {true, true, 0, 1, 1}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct content_range got = {0};

        if (!content_range_parse(&got, str_from(rows[i].text)))
            fail_msg("%s was refused", rows[i].text);
        assert_int_equal(got.has_range, rows[i].want.has_range);
        assert_int_equal(got.has_total, rows[i].want.has_total);
        assert_int_equal(got.first, rows[i].want.first);
        assert_int_equal(got.end, rows[i].want.end);
        assert_int_equal(got.total, rows[i].want.total);
    }
}

static void anything_else_is_refused_and_leaves_the_output_alone(void **state)
{
    static const char *const rows[] = {
        "",
        "bytes",
        "bytes ",
        "bytes 0-99",
        "bytes 0-99/",
        "bytes /1234",
        "bytes */*",
        "bytes 99-0/1234",
        "bytes 0-1234/1234",
        "bytes -5/1234",
        "bytes 5-/1234",
        "bytes 0-9/-10",
        "bytes 0-9/10 more",
        "bytes +0-9/10",
        "items 0-9/10",
        "bytes 0-18446744073709551615/*",
        "bytes 0-9223372036854775807/*",
        "bytes 0-99999999999999999999/*",
        "bytes 0x0-0x9/10",
        "bytes=0-9/10",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct content_range got = {.first = 4711};

        if (content_range_parse(&got, str_from(rows[i])))
            fail_msg("%s was taken", rows[i]);
        assert_int_equal(got.first, 4711);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed_headers_are_read),
        cmocka_unit_test(anything_else_is_refused_and_leaves_the_output_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
