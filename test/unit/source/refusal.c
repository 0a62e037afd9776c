#include "source/refusal.h"

#include <stdio.h>

#include "../check.h"

struct words {
    const char *header;
    const char *body;
    const char *words;
    const char *code;
};

static const struct words words[] = {
    {"From the header", "{\"error\":\"other\"}", "From the header"},
    {"", "{\"error\":\"Repository not found\"}", "Repository not found"},
    {"", "{\"error\":[\"first\",\"second\"]}", "first"},
    {"", "{\"errors\":[{\"message\":\"of a list\"}]}", "of a list"},
    {"", "{\"errors\":[{\"code\":\"NAME_UNKNOWN\",\"message\":\"no\"}]}", "no", "NAME_UNKNOWN"},
    {"h", "{\"errors\":[{\"code\":\"A\\tB\"}]}", "h", "A\\x09B"},
    {"", "{\"errors\":[{\"code\":7},8]}", ""},
    {"", "{\"errors\":[7]}", ""},
    {"", "{\"error\":7}", ""},
    {"", "{broken", ""},
    {"", "Entry not found\n", "Entry not found"},
    {"", "<html>portal</html>", ""},
    {"", "", ""},
    {"a\x1b[31m\r\nb", "", "a\\x1b[31m\\x0d\\x0ab"},
};

static void the_words_of_a_refusal_are_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        ARENA_SCOPED a = {0};
        struct refusal r = refusal_read(&a, str_from(words[i].header), str_from(words[i].body));

        assert_string_equal(r.words, words[i].words);
        assert_string_equal(r.code, words[i].code == NULL ? "" : words[i].code);
    }
}

static void a_page_for_people_is_told_from_an_answer(void **state)
{
    (void)state;
    assert_true(refusal_is_page(STR("\r\n <!DOCTYPE html>")));
    assert_false(refusal_is_page(STR("{\"a\":\"<\"}")));
    assert_false(refusal_is_page(STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_words_of_a_refusal_are_found),
        cmocka_unit_test(a_page_for_people_is_told_from_an_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
