#include "json/json.h"

#include "../check.h"

static void getters_give_what_is_there(void **state)
{
    struct err err = {0};
    JSON_SCOPED *doc =
        json_parse(STR("{\"name\":\"x\",\"size\":5,\"list\":[1,2]}"), 100, "doc", &err);
    struct str name;
    uint64_t size;

    (void)state;
    assert_non_null(doc);
    assert_int_equal(json_need_str(&name, doc, "name", &err), 0);
    assert_true(str_eqz(name, "x"));
    assert_int_equal(json_need_u64(&size, doc, "size", &err), 0);
    assert_int_equal(size, 5);
    assert_int_equal(json_len(json_get(doc, "list")), 2);
    assert_int_equal(json_need_u64(&size, doc, "name", &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(getters_give_what_is_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
