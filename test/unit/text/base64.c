#include "text/base64.h"

#include "../check.h"

/* RFC 4648, section 10, and all letters. */
static void what_the_standard_says_is_written_and_read(void **state)
{
    const struct {
        struct str bytes;
        const char *text;
    } cases[] = {
        {STR(""), ""},
        {STR("f"), "Zg=="},
        {STR("\x66\x6f"), "Zm8="},
        {STR("foo"), "Zm9v"},
        {STR("foob"), "Zm9vYg=="},
        {STR("fooba"), "Zm9vYmE="},
        {STR("foobar"), "Zm9vYmFy"},
        {STR("\0\xff\0"), "AP8A"},
        {STR("\x00\x10\x83\x10\x51\x87\x20\x92\x8b\x30\xd3\x8f\x41\x14\x93\x51\x55\x97\x61\x96\x9b"
             "\x71"
             "\xd7\x9f\x82\x18\xa3\x92\x59\xa7\xa2\x9a\xab\xb2\xdb\xaf\xc3\x1c\xb3\xd3\x5d\xb7\xe3"
             "\x9e"
             "\xbb\xf3\xdf\xbf"),
         "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ARENA_SCOPED a = {0};
        struct buf b = buf_new(&a, 100);
        struct str bytes;

        base64_put(&b, cases[i].bytes);
        assert_string_equal(b.ptr, cases[i].text);
        assert_true(base64_read(&bytes, &a, str_from(cases[i].text)));
        assert_true(str_eq(bytes, cases[i].bytes));
        assert_int_equal(bytes.ptr[bytes.len], 0);
    }
}

static void what_nobody_would_write_is_not_read(void **state)
{
    const char *const cases[] = {"Z",     "Zg",   "Zg=",  "Zm9",    "Zg==Zg==", "=",
                                 "====",  "Z===", "Zh==", "Zo==",   "Zm9=",     "Zm 9v",
                                 "Zm9\n", "Zm-_", "Zg=g", "\x80m9v"};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ARENA_SCOPED a = {0};
        struct str bytes;

        assert_false(base64_read(&bytes, &a, str_from(cases[i])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_standard_says_is_written_and_read),
        cmocka_unit_test(what_nobody_would_write_is_not_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
