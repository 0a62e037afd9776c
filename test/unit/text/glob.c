#include "text/glob.h"

#include "../check.h"

static void matches_as_python_does(void **state)
{
    (void)state;
    assert_true(glob_match(STR("*.json"), STR("a/b.json")));
    assert_true(glob_match(STR("onnx/"), STR("onnx/model.onnx")));
    assert_false(glob_match(STR("*.JSON"), STR("a.json")));
    assert_true(glob_match(STR("model-0000[1-3]*"), STR("model-00002-of-3")));
    assert_false(glob_match(STR("model-0000[!1-3]*"), STR("model-00002-of-3")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_as_python_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
