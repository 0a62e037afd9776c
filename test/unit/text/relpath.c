#include "text/relpath.h"

#include <string.h>

#include "../check.h"

static void takes_what_repositories_hold(void **state)
{
    static const char *const good[] = {
        "a",
        "config.json",
        ".gitattributes",
        "a/b/c.bin",
        "..a/b..",
        "...",
        "1_Pooling/config.json",
        "with blank/a b",
        "\xc3\xa9/\xe6\xa8\xa1\xe5\x9e\x8b.bin",
        "ab:c",
        "a/C:x",
        "1:x",
        "\"quoted\"*?<>|",
    };
    struct err err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (relpath_check(str_from(good[i]), &err) < 0)
            fail_msg("%s", err.msg);
    }
}

static void refuses_what_leads_elsewhere_or_confuses(void **state)
{
    static const struct {
        const char *path;
        const char *why;
    } bad[] = {
        {"", "is empty"},
        {"/a", "is not relative"},
        {"C:x", "is not relative"},
        {"c:/x", "is not relative"},
        {"a//b", "has an empty segment"},
        {"a/", "has an empty segment"},
        {".", "has a segment of dots"},
        {"a/./b", "has a segment of dots"},
        {"..", "has a segment of dots"},
        {"a/../b", "has a segment of dots"},
        {"a/..", "has a segment of dots"},
        {"a\\b", "has a backslash"},
        {"a\nb", "has a control character"},
        {"a\x7f", "has a control character"},
        {"a\xc2\x9b", "has a control character"},
        {"\xff.bin", "is not UTF-8"},
        {"\xc0\xaf", "is not UTF-8"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err err = {0};

        assert_int_equal(relpath_check(str_from(bad[i].path), &err), -1);
        assert_int_equal(err.code, ERR_LIMIT);
        if (strstr(err.msg, bad[i].why) == NULL)
            fail_msg("%s", err.msg);
    }
}

static void refuses_a_nul_inside(void **state)
{
    struct err err = {0};

    (void)state;
    assert_int_equal(relpath_check(STR("a\0b"), &err), -1);
    assert_string_equal(err.msg, "the path \"a\\x00b\" has a control character");
}

static void lengths_end_at_255_a_segment_and_1024_in_all(void **state)
{
    char path[RELPATH_MAX + 1];
    struct err err = {0};

    (void)state;
    memset(path, 'a', sizeof(path));
    assert_int_equal(relpath_check((struct str){path, 255}, &err), 0);
    assert_int_equal(relpath_check((struct str){path, 256}, &err), -1);
    assert_non_null(strstr(err.msg, "255"));
    for (size_t i = 200; i < sizeof(path); i += 200)
        path[i] = '/';
    assert_int_equal(relpath_check((struct str){path, RELPATH_MAX}, &err), 0);
    assert_int_equal(relpath_check((struct str){path, RELPATH_MAX + 1}, &err), -1);
    assert_non_null(strstr(err.msg, "1024"));
}

static void odd_bytes_are_escaped_in_the_message(void **state)
{
    struct err err = {0};

    (void)state;
    assert_int_equal(relpath_check(STR("a\x1b[2J\"\nx"), &err), -1);
    assert_string_equal(err.msg, "the path \"a\\x1b[2J\\x22\\x0ax\" has a control character");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_what_repositories_hold),
        cmocka_unit_test(refuses_what_leads_elsewhere_or_confuses),
        cmocka_unit_test(refuses_a_nul_inside),
        cmocka_unit_test(lengths_end_at_255_a_segment_and_1024_in_all),
        cmocka_unit_test(odd_bytes_are_escaped_in_the_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
