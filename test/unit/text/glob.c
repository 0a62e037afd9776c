#include "text/glob.h"

#include <string.h>

#include "../check.h"

/* What fnmatch.fnmatchcase(path, pattern) of Python 3.11 answers. */
struct expected {
    const char *pattern;
    const char *path;
    bool matches;
};

static void expect(const struct expected *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (glob_match(str_from(cases[i].pattern), str_from(cases[i].path)) != cases[i].matches)
            fail_msg("%s on %s", cases[i].pattern, cases[i].path);
    }
}

#define EXPECT(cases) expect((cases), sizeof(cases) / sizeof((cases)[0]))

static void stars_take_any_run_slashes_too(void **state)
{
    static const struct expected cases[] = {
        {"*", "", true},
        {"*", "a/b", true},
        {"*.json", "a/b.json", true},
        {"*.json", "a/b.jsonl", false},
        {"a*b*c", "a/x/b/y/c", true},
        {"a*b*c", "acb", false},
        {"**a", "bba", true},
        {"a**", "a", true},
        {"*a*", "bbb", false},
        {"", "", true},
        {"", "a", false},
        {"a", "", false},
        {"*ab*ab", "abab", true},
        {"*ab*ab", "aab", false},
        {".*", ".gitattributes", true},
        {"*", ".gitattributes", true},
    };

    (void)state;
    EXPECT(cases);
}

static void a_question_mark_takes_one_character(void **state)
{
    static const struct expected cases[] = {
        {"?", "a", true},
        {"?", "", false},
        {"?", "ab", false},
        {"?", "/", true},
        {"?.txt", "\xc3\xa9.txt", true},
        {"?.txt", "\xf0\x9f\x98\x80.txt", true},
        {"??.txt", "\xc3\xa9.txt", false},
    };

    (void)state;
    EXPECT(cases);
}

static void sets_take_one_of_theirs(void **state)
{
    static const struct expected cases[] = {
        {"model-0000[1-3]*", "model-00002-of-3", true},
        {"model-0000[!1-3]*", "model-00002-of-3", false},
        {"model-0000[!1-3]*", "model-00004-of-4", true},
        {"[abc]", "b", true},
        {"[abc]", "d", false},
        {"[]]", "]", true},
        {"[]a]", "a", true},
        {"[!]]", "]", false},
        {"[!]]", "a", true},
        {"[-a]", "-", true},
        {"[a-]", "-", true},
        {"[a-c-e]", "-", true},
        {"[a-c-e]", "d", false},
        {"[a-c-e]", "e", true},
        {"[--0]", "/", true},
        {"[c-a]", "b", false},
        {"[c-a]", "-", false},
        {"[!c-a]", "b", true},
        {"[^a]", "^", true},
        {"[^a]", "b", false},
        {"[[]", "[", true},
        {"[&|~]", "|", true},
        {"[\xc3\xa0-\xc3\xbf]", "\xc3\xa9", true},
        {"[a]", "", false},
        {"[a!]", "!", true},
    };

    (void)state;
    EXPECT(cases);
}

static void a_bracket_without_its_end_is_itself(void **state)
{
    static const struct expected cases[] = {
        {"[", "[", true},   {"[a", "[a", true},   {"[a", "a", false},
        {"[]", "[]", true}, {"[!]", "[!]", true}, {"a[*", "a[bc", true},
    };

    (void)state;
    EXPECT(cases);
}

static void case_counts(void **state)
{
    (void)state;
    assert_false(glob_match(STR("*.JSON"), STR("a.json")));
    assert_true(glob_match(STR("README*"), STR("README.md")));
}

static void a_folder_stands_for_what_is_in_it(void **state)
{
    (void)state;
    assert_true(glob_match(STR("onnx/"), STR("onnx/model.onnx")));
    assert_true(glob_match(STR("onnx/"), STR("onnx/a/b")));
    assert_false(glob_match(STR("onnx/"), STR("onnx")));
    assert_false(glob_match(STR("onnx/"), STR("x/onnx/model.onnx")));
    assert_true(glob_match(STR("*/"), STR("a/b")));
    assert_false(glob_match(STR("*/"), STR("ab")));
}

static void a_backslash_stands_for_a_slash(void **state)
{
    (void)state;
    assert_true(glob_match(STR("onnx\\*.onnx"), STR("onnx/model.onnx")));
    assert_true(glob_match(STR("onnx\\"), STR("onnx/model.onnx")));
    assert_true(glob_match(STR("a[\\]b"), STR("a/b")));
}

static void bytes_that_are_no_utf8_stand_for_themselves(void **state)
{
    (void)state;
    assert_true(glob_match(STR("a\xff?"), STR("a\xff\xfe")));
    assert_false(glob_match(STR("a\xff"), STR("a\xfe")));
    assert_false(glob_match(STR("a\xc3"), STR("a\xc3\xa9")));
}

/* With a matcher that tries every star again, this would outlive us. */
static void many_stars_cost_the_product_of_the_lengths_at_most(void **state)
{
    char pattern[2001];
    char path[1001];

    (void)state;
    for (size_t i = 0; i < 1000; i++)
        memcpy(pattern + 2 * i, "a*", 2);
    pattern[2000] = 'b';
    memset(path, 'a', sizeof(path));
    assert_false(
        glob_match((struct str){pattern, sizeof(pattern)}, (struct str){path, sizeof(path)}));
    assert_true(
        glob_match((struct str){pattern, sizeof(pattern) - 1}, (struct str){path, sizeof(path)}));
}

static void open_brackets_are_not_searched_for_their_end_again_and_again(void **state)
{
    char pattern[6000];
    char path[12000];

    (void)state;
    memset(pattern, '[', sizeof(pattern));
    memset(path, '[', sizeof(path));
    pattern[0] = '*';
    pattern[sizeof(pattern) - 1] = 'x';
    assert_false(
        glob_match((struct str){pattern, sizeof(pattern)}, (struct str){path, sizeof(path)}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stars_take_any_run_slashes_too),
        cmocka_unit_test(a_question_mark_takes_one_character),
        cmocka_unit_test(sets_take_one_of_theirs),
        cmocka_unit_test(a_bracket_without_its_end_is_itself),
        cmocka_unit_test(case_counts),
        cmocka_unit_test(a_folder_stands_for_what_is_in_it),
        cmocka_unit_test(a_backslash_stands_for_a_slash),
        cmocka_unit_test(bytes_that_are_no_utf8_stand_for_themselves),
        cmocka_unit_test(many_stars_cost_the_product_of_the_lengths_at_most),
        cmocka_unit_test(open_brackets_are_not_searched_for_their_end_again_and_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
