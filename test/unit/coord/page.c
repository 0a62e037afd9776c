#include "coord/page.h"

#include "../check.h"

static const char *escaped(struct arena *a, struct str text)
{
    struct buf b = buf_new(a, 4096);

    page_escape(&b, text);
    return buf_str(&b).ptr;
}

static void what_html_takes_for_markup_is_escaped(void **state)
{
    ARENA_SCOPED a = {0};

    (void)state;
    assert_string_equal(escaped(&a, STR("<b a=\"1\" c='2'>&amp;")),
                        "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;amp;");
    assert_string_equal(escaped(&a, STR("gr\xc3\xbc\xc3\x9f dich/\xe2\x86\x92")),
                        "gr\xc3\xbc\xc3\x9f dich/\xe2\x86\x92");
    assert_string_equal(escaped(&a, STR("")), "");
}

static void the_files_are_in_the_program(void **state)
{
    (void)state;
    assert_true(page_css.len > 1000 && page_js.len > 1000);
    assert_memory_equal(page_css.bytes, ":root", 5);
    assert_memory_equal(page_js.bytes, "// The coordinator's page", 25);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_html_takes_for_markup_is_escaped),
        cmocka_unit_test(the_files_are_in_the_program),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
