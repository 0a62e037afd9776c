#include "text/seen.h"

#include <stdio.h>

#include "../check.h"

#define NAMES 5000

static void a_name_is_new_once(void **state)
{
    struct arena a = {0};
    struct seen seen = seen_new(&a, NAMES);
    char name[32];

    (void)state;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < NAMES; i++) {
            (void)snprintf(name, sizeof(name), "model.layers.%d", i);
            assert_int_equal(seen_add(&seen, str_from(name)), round == 0);
        }
    }
    arena_free(&a);
}

static void the_empty_name_is_one_like_others(void **state)
{
    struct arena a = {0};
    struct seen seen = seen_new(&a, 1);

    (void)state;
    assert_true(seen_add(&seen, STR("")));
    assert_false(seen_add(&seen, STR("")));
    arena_free(&a);
}

static void hashes_are_those_of_fnv_1a(void **state)
{
    (void)state;
    assert_int_equal(str_hash(STR("")), UINT64_C(0xcbf29ce484222325));
    assert_int_equal(str_hash(STR("a")), UINT64_C(0xaf63dc4c8601ec8c));
    assert_int_equal(str_hash(STR("foobar")), UINT64_C(0x85944171f73967e8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_new_once),
        cmocka_unit_test(the_empty_name_is_one_like_others),
        cmocka_unit_test(hashes_are_those_of_fnv_1a),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
