#include "report/escape.h"

#include "../check.h"

typedef void escape_fn(struct buf *b, struct str s);

static void assert_escaped(escape_fn *escape, struct str s, const char *expected)
{
    ARENA_SCOPED a = {0};
    struct buf b = buf_new(&a, 200);

    escape(&b, s);
    assert_string_equal(b.ptr, expected);
}

static void plain_text_of_any_language_stays(void **state)
{
    (void)state;
    assert_escaped(escape_text, STR("a \"b\" \\ = Gr\xc3\xbc\xc3\x9f\x65 \xe4\xbd\xa0"),
                   "a \"b\" \\ = Gr\xc3\xbc\xc3\x9f\x65 \xe4\xbd\xa0");
}

static void what_moves_the_cursor_or_ends_the_line_is_shown(void **state)
{
    (void)state;
    assert_escaped(escape_text, STR("\x1b[1A\r\n\t\x7f"), "\\x1b[1A\\r\\n\\t\\x7f");
    assert_escaped(escape_text, (struct str){"a\0b", 3}, "a\\x00b");
    assert_escaped(escape_text,
                   STR("\xc2\x9b"
                       "2J"),
                   "\\u{9b}2J");
    assert_escaped(escape_text, STR("\xe2\x80\xaetxt.exe\xe2\x80\xa8"),
                   "\\u{202e}txt.exe\\u{2028}");
    assert_escaped(escape_text, STR("\xff\xc3"), "\\xff\\xc3");
}

static void a_value_is_quoted_where_its_end_would_be_in_doubt(void **state)
{
    (void)state;
    assert_escaped(escape_value, STR("hf:org/name"), "hf:org/name");
    assert_escaped(escape_value, STR(""), "\"\"");
    assert_escaped(escape_value, STR("a b"), "\"a b\"");
    assert_escaped(escape_value, STR("a=\"\\"), "\"a=\\\"\\\\\"");
    assert_escaped(escape_value, STR("a\nb"), "\"a\\nb\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_of_any_language_stays),
        cmocka_unit_test(what_moves_the_cursor_or_ends_the_line_is_shown),
        cmocka_unit_test(a_value_is_quoted_where_its_end_would_be_in_doubt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
