#include "text/utf8.h"

#include "../check.h"

static void each_length_from_first_to_last_code_point(void **state)
{
    const struct {
        struct str text;
        uint32_t code;
    } cases[] = {
        {STR("\0"), 0},
        {STR("\x7f"), 0x7f},
        {STR("\xc2\x80"), 0x80},
        {STR("\xdf\xbf"), 0x7ff},
        {STR("\xe0\xa0\x80"), 0x800},
        {STR("\xed\x9f\xbf"), 0xd7ff},
        {STR("\xee\x80\x80"), 0xe000},
        {STR("\xef\xbf\xbf"), 0xffff},
        {STR("\xf0\x90\x80\x80"), 0x10000},
        {STR("\xf4\x8f\xbf\xbf"), 0x10ffff},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t code = 1;

        assert_int_equal(utf8_next(&code, cases[i].text), cases[i].text.len);
        assert_int_equal(code, cases[i].code);
        assert_true(utf8_is_valid(cases[i].text));
    }
}

static void what_is_no_character_has_no_length(void **state)
{
    const struct str cases[] = {
        STR("\x80"),             /* goes on without a start */
        STR("\xc0\xaf"),         /* overlong */
        STR("\xc1\xbf"),         /* overlong */
        STR("\xe0\x9f\xbf"),     /* overlong */
        STR("\xf0\x8f\xbf\xbf"), /* overlong */
        STR("\xed\xa0\x80"),     /* surrogate */
        STR("\xed\xbf\xbf"),     /* surrogate */
        STR("\xf4\x90\x80\x80"), /* beyond U+10FFFF */
        STR("\xf8\x88\x80\x80\x80"),
        STR("\xff"),
        STR("\xc2"),         /* ends too early */
        STR("\xe2\x82"),     /* ends too early */
        STR("\xf0\x9f\x98"), /* ends too early */
        STR("\xc2\x41"),     /* goes on with another character */
        STR("\xe2\x82\x41"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(utf8_next(NULL, cases[i]), 0);
        assert_false(utf8_is_valid(cases[i]));
    }
    assert_int_equal(utf8_next(NULL, (struct str){0}), 0);
    assert_true(utf8_is_valid((struct str){0}));
    assert_false(utf8_is_valid(STR("abc\xff")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_length_from_first_to_last_code_point),
        cmocka_unit_test(what_is_no_character_has_no_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
