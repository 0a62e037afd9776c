#include "text/vec.h"

#include "../check.h"

struct wide {
    uint64_t a;
    char b[40];
};

static void keeps_what_was_pushed_while_it_grows(void **state)
{
    ARENA_SCOPED a = {0};
    VEC(struct wide) v = {0};

    (void)state;
    for (uint64_t i = 0; i < 1000; i++)
        vec_push(&a, &v, ((struct wide){.a = i, .b = "text"}));
    assert_int_equal(v.len, 1000);
    assert_true(v.cap >= v.len);
    for (uint64_t i = 0; i < 1000; i++) {
        assert_int_equal(v.at[i].a, i);
        assert_string_equal(v.at[i].b, "text");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_what_was_pushed_while_it_grows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
