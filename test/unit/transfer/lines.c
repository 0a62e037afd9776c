#include "transfer/lines.h"

#include <string.h>

#include "../check.h"

/* All lines of the pieces, each followed by "|". */
static void cut_all(char out[static 256], struct lines *l, const char *const *pieces)
{
    struct str line;
    size_t len = 0;

    out[0] = '\0';
    for (; *pieces != NULL; pieces++) {
        lines_add(l, str_from(*pieces));
        while (lines_next(l, &line))
            len += (size_t)snprintf(out + len, 256 - len, STR_FMT "|", STR_ARG(line));
    }
    lines_end(l);
    while (lines_next(l, &line))
        len += (size_t)snprintf(out + len, 256 - len, STR_FMT "|", STR_ARG(line));
}

static void lines_are_the_same_however_the_pieces_fall(void **state)
{
    static const char text[] = "one\ntwo\r\n\n  \nthree\nlast";
    char got[256];

    (void)state;
    for (size_t cut = 0; cut < sizeof(text); cut++) {
        ARENA_SCOPED a = {0};
        struct lines l = lines_new(&a, 10);
        const char *const pieces[] = {str_dup(&a, (struct str){text, cut}), text + cut, NULL};

        cut_all(got, &l, pieces);
        assert_string_equal(got, "one|two|three|last|");
        assert_int_equal(l.count, 4);
        assert_false(l.too_long);
    }
}

static void a_line_without_its_end_comes_when_nothing_more_does(void **state)
{
    ARENA_SCOPED a = {0};
    struct lines l = lines_new(&a, 10);
    struct str line;

    (void)state;
    lines_add(&l, STR("half"));
    assert_false(lines_next(&l, &line));
    lines_end(&l);
    assert_true(lines_next(&l, &line));
    assert_true(str_eqz(line, "half"));
    assert_false(lines_next(&l, &line));
}

static void nothing_at_all_is_no_line(void **state)
{
    static const char *const pieces[] = {"", "\n", "\r\n", NULL};
    ARENA_SCOPED a = {0};
    struct lines l = lines_new(&a, 10);
    char got[256];

    (void)state;
    cut_all(got, &l, pieces);
    assert_string_equal(got, "");
    assert_int_equal(l.count, 0);
}

static void a_line_of_the_limit_passes_and_a_longer_one_ends_it(void **state)
{
    static const char *const pieces[] = {"01234", "56789\n", "01234", "56789", "a", "b\nc\n", NULL};
    ARENA_SCOPED a = {0};
    struct lines l = lines_new(&a, 10);
    char got[256];

    (void)state;
    cut_all(got, &l, pieces);
    assert_string_equal(got, "0123456789|");
    assert_true(l.too_long);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_the_same_however_the_pieces_fall),
        cmocka_unit_test(a_line_without_its_end_comes_when_nothing_more_does),
        cmocka_unit_test(nothing_at_all_is_no_line),
        cmocka_unit_test(a_line_of_the_limit_passes_and_a_longer_one_ends_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
