#include "text/str.h"

#include "../check.h"

static const struct str none = {0};

static void empty_slices_need_no_memory(void **state)
{
    ARENA_SCOPED a = {0};
    struct str s = none;
    struct str part;

    (void)state;
    assert_true(str_eq(none, STR("")));
    assert_true(str_eq_nocase(none, STR("")));
    assert_true(str_starts(none, none));
    assert_true(str_ends(none, none));
    assert_int_equal(str_cmp(none, STR("")), 0);
    assert_false(str_cut(&s, '/', &part));
    assert_false(str_rcut(&s, '/', &part));
    assert_int_equal(str_trim(none).len, 0);
    assert_string_equal(str_dup(&a, none), "");
}

static void equality_looks_at_every_byte(void **state)
{
    (void)state;
    assert_true(str_eqz(STR("abc"), "abc"));
    assert_false(str_eqz(STR("abc"), "abd"));
    assert_false(str_eqz(STR("abc"), "ab"));
    assert_false(str_eq(STR("a\0b"), STR("a\0c")));
}

static void only_ascii_letters_are_folded(void **state)
{
    (void)state;
    assert_true(str_eq_nocase(STR("ETag-9"), STR("etAG-9")));
    assert_false(str_eq_nocase(STR("ab"), STR("abc")));
    assert_false(str_eq_nocase(STR("["), STR("{")));
    assert_false(str_eq_nocase(STR("@"), STR("`")));
    assert_false(str_eq_nocase(STR("\xc3\x89"), STR("\xc3\xa9")));
}

static void starts_and_ends_compare_only_what_is_there(void **state)
{
    (void)state;
    assert_true(str_starts(STR("refs/pr/1"), STR("refs/")));
    assert_false(str_starts(STR("ref"), STR("refs/")));
    assert_true(str_ends(STR("a.json"), STR(".json")));
    assert_false(str_ends(STR("json"), STR(".json")));
    assert_false(str_ends(STR("a.jsonl"), STR(".json")));
}

static void hex_is_lower_case_and_nothing_else(void **state)
{
    (void)state;
    assert_true(str_is_hex(STR("0123456789abcdef")));
    assert_true(str_is_hex((struct str){0}));
    assert_false(str_is_hex(STR("A")));
    assert_false(str_is_hex(STR("g")));
    assert_false(str_is_hex(STR("12\\")));
    assert_false(str_is_hex(STR("`")));
    assert_false(str_is_hex(STR("/")));
    assert_false(str_is_hex(STR(":")));
}

static void order_is_that_of_bytes_prefix_first(void **state)
{
    (void)state;
    assert_true(str_cmp(STR("a"), STR("ab")) < 0);
    assert_true(str_cmp(STR("ab"), STR("a")) > 0);
    assert_int_equal(str_cmp(STR("ab"), STR("ab")), 0);
    assert_true(str_cmp(STR("Z"), STR("a")) < 0);
    assert_true(str_cmp(STR("z"), STR("\xc3\xa9")) < 0);
}

static void trim_takes_blanks_at_both_ends_only(void **state)
{
    (void)state;
    assert_true(str_eqz(str_trim(STR(" \t a b\r\n")), "a b"));
    assert_int_equal(str_trim(STR(" \r\n\t")).len, 0);
}

static void cut_takes_what_is_before_the_separator(void **state)
{
    struct str s = STR("a/b/c");
    struct str head;

    (void)state;
    assert_true(str_cut(&s, '/', &head));
    assert_true(str_eqz(head, "a"));
    assert_true(str_eqz(s, "b/c"));
    assert_false(str_cut(&s, ':', &head));
    assert_true(str_eqz(head, "b/c"));
    assert_int_equal(s.len, 0);
}

static void cut_at_the_ends_gives_empty_parts(void **state)
{
    struct str s = STR("/a/");
    struct str head;

    (void)state;
    assert_true(str_cut(&s, '/', &head));
    assert_int_equal(head.len, 0);
    assert_true(str_cut(&s, '/', &head));
    assert_true(str_eqz(head, "a"));
    assert_int_equal(s.len, 0);
}

static void rcut_takes_what_follows_the_last_separator(void **state)
{
    struct str s = STR("a/b/c");
    struct str tail = STR("untouched");

    (void)state;
    assert_true(str_rcut(&s, '/', &tail));
    assert_true(str_eqz(tail, "c"));
    assert_true(str_eqz(s, "a/b"));
    assert_false(str_rcut(&s, ':', &tail));
    assert_true(str_eqz(tail, "c"));
    assert_true(str_eqz(s, "a/b"));
}

static void copies_do_not_share_memory_and_end_with_a_nul(void **state)
{
    ARENA_SCOPED a = {0};
    char text[] = "abc";
    struct str copy = str_copy(&a, (struct str){text, 2});

    (void)state;
    text[0] = 'x';
    assert_int_equal(copy.len, 2);
    assert_string_equal(copy.ptr, "ab");
}

static void format_is_cut_at_64_kib(void **state)
{
    ARENA_SCOPED a = {0};

    (void)state;
    assert_string_equal(str_format(&a, "%d-%s", 7, "x"), "7-x");
    assert_int_equal(strlen(str_format(&a, "%070000d", 1)), 64 * 1024);
}

static void printable_text_cannot_trick_a_terminal(void **state)
{
    ARENA_SCOPED a = {0};

    (void)state;
    assert_string_equal(str_printable(&a, STR("a\x1b[2J\"\\\xc3"), 100),
                        "a\\x1b[2J\\x22\\x5c\\xc3");
    assert_string_equal(str_printable(&a, STR("abcdef"), 6), "abcdef");
    assert_string_equal(str_printable(&a, STR("abcdef"), 5), "abcde...");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_slices_need_no_memory),
        cmocka_unit_test(equality_looks_at_every_byte),
        cmocka_unit_test(only_ascii_letters_are_folded),
        cmocka_unit_test(starts_and_ends_compare_only_what_is_there),
        cmocka_unit_test(hex_is_lower_case_and_nothing_else),
        cmocka_unit_test(order_is_that_of_bytes_prefix_first),
        cmocka_unit_test(trim_takes_blanks_at_both_ends_only),
        cmocka_unit_test(cut_takes_what_is_before_the_separator),
        cmocka_unit_test(cut_at_the_ends_gives_empty_parts),
        cmocka_unit_test(rcut_takes_what_follows_the_last_separator),
        cmocka_unit_test(copies_do_not_share_memory_and_end_with_a_nul),
        cmocka_unit_test(format_is_cut_at_64_kib),
        cmocka_unit_test(printable_text_cannot_trick_a_terminal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
