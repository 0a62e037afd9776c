#include "store/learned.h"

#include <string.h>

#include "../check.h"
#include "scratch.h"

#define MODEL "hf:org/name"

static const struct learned l4 = {.engine = "vllm",
                                  .version = "0.10.2",
                                  .revision = "abc",
                                  .gpu = "NVIDIA L4 \n%",
                                  .tp = 1,
                                  .seqs = 256,
                                  .batch_tokens = 2048,
                                  .weights = 14504000000,
                                  .working = 1500000000};

static struct volume opened(struct scratch *s)
{
    struct volume v;

    if (volume_open(&v, &s->arena, s->path, false, &s->err) < 0)
        fail_msg("%s", s->err.msg);
    return v;
}

static void what_was_learned_is_there_for_the_next_plan(void **state)
{
    struct scratch *s = *state;
    struct volume v = opened(s);
    struct learned_list list;
    struct learned other = l4;

    learned_read(&list, &s->arena, &v, MODEL);
    assert_int_equal(list.count, 0);
    assert_int_equal(learned_write(&v, MODEL, &l4, &s->err), 0);
    other.tp = 2;
    assert_int_equal(learned_write(&v, MODEL, &other, &s->err), 0);
    memcpy(other.version, "0.11.0", 7);
    assert_int_equal(learned_write(&v, MODEL, &other, &s->err), 0);
    learned_read(&list, &s->arena, &v, MODEL);
    assert_int_equal(list.count, 3);
    assert_string_equal(list.at[2].version, "0.11.0");
    assert_memory_equal(&list.at[0], &l4, sizeof(l4));
    assert_int_equal(list.at[1].tp, 2);
    learned_read(&list, &s->arena, &v, "hf:org/another");
    assert_int_equal(list.count, 0);
    volume_close(&v);
}

static void the_same_start_again_takes_the_place_of_the_old_one(void **state)
{
    struct scratch *s = *state;
    struct volume v = opened(s);
    struct learned_list list;
    struct learned again = l4;

    again.working = 7;
    assert_int_equal(learned_write(&v, MODEL, &l4, &s->err), 0);
    assert_int_equal(learned_write(&v, MODEL, &again, &s->err), 0);
    learned_read(&list, &s->arena, &v, MODEL);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.at[0].working, 7);
    volume_close(&v);
}

static void of_too_many_the_oldest_goes(void **state)
{
    struct scratch *s = *state;
    struct volume v = opened(s);
    struct learned_list list;
    struct learned one = l4;

    for (one.seqs = 1; one.seqs <= LEARNED_MAX + 3; one.seqs++)
        assert_int_equal(learned_write(&v, MODEL, &one, &s->err), 0);
    learned_read(&list, &s->arena, &v, MODEL);
    assert_int_equal(list.count, LEARNED_MAX);
    assert_int_equal(list.at[LEARNED_MAX - 1].seqs, LEARNED_MAX + 3);
    assert_int_equal(list.at[0].seqs, 4);
    volume_close(&v);
}

static void a_line_that_is_none_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "vllm 1 abc L4 1 256 2048 0 0 0 5",
        "vllm 1 abc L4 1 256 2048 0 0 2 5 5",
        "vllm 1 abc L4 1 256 2048 0 0 0 5 5 5",
        "vllm 1 abc L4 x 256 2048 0 0 0 5 5",
        "a-name-that-is-too-long 1 abc L4 1 256 2048 0 0 0 5 5",
        "vllm 1 abc L4 1 256 2048 0 0 0 99999999999999999 5",
    };
    struct arena a = {0};
    struct learned one;

    (void)state;
    assert_true(learned_parse(&one, &a, STR("vllm - - L4%20x 1 256 2048 0 0 1 5 6")));
    assert_string_equal(one.gpu, "L4 x");
    assert_string_equal(one.revision, "");
    assert_true(one.weights_fp8);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(learned_parse(&one, &a, str_from(bad[i])));
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_learned_is_there_for_the_next_plan, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(the_same_start_again_takes_the_place_of_the_old_one,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(of_too_many_the_oldest_goes, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test(a_line_that_is_none_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
