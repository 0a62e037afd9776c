#include "text/buf.h"

#include "../check.h"

static void starts_as_an_empty_text(void **state)
{
    ARENA_SCOPED a = {0};
    struct buf b = buf_new(&a, 10);

    (void)state;
    assert_string_equal(b.ptr, "");
    assert_int_equal(buf_str(&b).len, 0);
    assert_false(b.cut);
}

static void every_way_of_adding_appends(void **state)
{
    ARENA_SCOPED a = {0};
    struct buf b = buf_new(&a, 100);

    (void)state;
    buf_add(&b, STR("ab"));
    buf_add(&b, (struct str){0});
    buf_addz(&b, "cd");
    buf_addc(&b, 'e');
    buf_addf(&b, "%02d%s", 3, "f");
    assert_string_equal(b.ptr, "abcde03f");
    assert_true(str_eqz(buf_str(&b), "abcde03f"));
    assert_false(b.cut);
}

static void grows_to_its_limit_and_not_beyond(void **state)
{
    ARENA_SCOPED a = {0};
    struct buf b = buf_new(&a, 1000);

    (void)state;
    for (size_t i = 0; i < 1000; i++)
        buf_addc(&b, (char)('a' + i % 26));
    assert_false(b.cut);
    assert_int_equal(b.len, 1000);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(b.ptr[i], 'a' + i % 26);
    buf_addc(&b, 'x');
    assert_true(b.cut);
    assert_int_equal(b.len, 1000);
    assert_int_equal(strlen(b.ptr), 1000);
}

static void what_does_not_fit_is_cut_in_the_middle(void **state)
{
    ARENA_SCOPED a = {0};
    struct buf b = buf_new(&a, 5);
    struct buf c = buf_new(&a, 5);

    (void)state;
    buf_addz(&b, "abcdefgh");
    assert_string_equal(b.ptr, "abcde");
    assert_true(b.cut);
    buf_addf(&c, "%s", "abcdefgh");
    assert_string_equal(c.ptr, "abcde");
    assert_true(c.cut);
}

static void truncate_makes_room_again(void **state)
{
    ARENA_SCOPED a = {0};
    struct buf b = buf_new(&a, 4);

    (void)state;
    buf_addz(&b, "abcdef");
    buf_truncate(&b, 2);
    assert_false(b.cut);
    assert_string_equal(b.ptr, "ab");
    buf_addz(&b, "xy");
    assert_string_equal(b.ptr, "abxy");
    assert_false(b.cut);
}

static void formatting_that_fails_counts_as_cut(void **state)
{
    static const wchar_t no_character[] = {(wchar_t)0x7fffffff, 0};
    ARENA_SCOPED a = {0};
    struct buf b = buf_new(&a, 100);

    (void)state;
    buf_addz(&b, "ab");
    buf_addf(&b, "%ls", no_character);
    assert_true(b.cut);
    assert_string_equal(b.ptr, "ab");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_as_an_empty_text),
        cmocka_unit_test(every_way_of_adding_appends),
        cmocka_unit_test(grows_to_its_limit_and_not_beyond),
        cmocka_unit_test(what_does_not_fit_is_cut_in_the_middle),
        cmocka_unit_test(truncate_makes_room_again),
        cmocka_unit_test(formatting_that_fails_counts_as_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
