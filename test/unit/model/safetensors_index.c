#include "model/safetensors_index.h"

#include "../check.h"
#include "text/buf.h"

static struct err parse(struct safetensors_index *out, struct arena *a, const char *text)
{
    struct err err = {0};

    *out = (struct safetensors_index){0};
    (void)(safetensors_index_parse(out, a, str_from(text), &err) == 0);
    return err;
}

static void the_shards_are_named_once_and_sorted(void **state)
{
    ARENA_SCOPED a = {0};
    struct safetensors_index index;

    (void)state;
    assert_int_equal(parse(&index, &a,
                           "{\"metadata\":{\"total_size\":12},\"weight_map\":{"
                           "\"c\":\"m-2.safetensors\",\"a\":\"m-1.safetensors\","
                           "\"b\":\"m-1.safetensors\",\"d\":\"m-2.safetensors\"}}")
                         .code,
                     ERR_NONE);
    assert_int_equal(index.shard_count, 2);
    assert_string_equal(index.shards[0], "m-1.safetensors");
    assert_string_equal(index.shards[1], "m-2.safetensors");
}

static void an_index_without_tensors_has_no_shards(void **state)
{
    ARENA_SCOPED a = {0};
    struct safetensors_index index;

    (void)state;
    assert_int_equal(parse(&index, &a, "{\"weight_map\":{}}").code, ERR_NONE);
    assert_int_equal(index.shard_count, 0);
}

static void what_is_no_index_is_refused_with_the_reason(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"{", "index of shards: broken JSON at line 1, column 1: string or '}' expected near end "
              "of file"},
        {"[]", "index of shards: it has no weight_map"},
        {"{\"weight_map\":[\"a\"]}", "index of shards: it has no weight_map"},
        {"{\"weight_map\":{\"t\":1}}",
         "index of shards: weight_map: \"t\" lies in no file of this folder"},
        {"{\"weight_map\":{\"t\":\"../../x\"}}",
         "index of shards: weight_map: \"t\" lies in no file of this folder"},
        {"{\"weight_map\":{\"t\":\"sub/x\"}}",
         "index of shards: weight_map: \"t\" lies in no file of this folder"},
        {"{\"weight_map\":{\"t\\n\":\"\"}}",
         "index of shards: weight_map: \"t\\x0a\" lies in no file of this folder"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ARENA_SCOPED a = {0};
        struct safetensors_index index;
        struct err err = parse(&index, &a, cases[i].text);

        assert_int_equal(err.code, ERR_LIMIT);
        assert_string_equal(err.msg, cases[i].message);
        assert_null(index.shards);
    }
}

/* A map of count tensors, each in a file of its own. */
static struct str many(struct arena *a, size_t count)
{
    struct buf b = buf_new(a, (size_t)4 << 20);

    buf_addz(&b, "{\"weight_map\":{");
    for (size_t i = 0; i < count; i++)
        buf_addf(&b, "%s\"t%zu\":\"f%zu\"", i == 0 ? "" : ",", i, i);
    buf_addz(&b, "}}");
    return buf_str(&b);
}

static void there_may_be_so_many_shards_and_no_more(void **state)
{
    ARENA_SCOPED a = {0};
    struct safetensors_index index;
    struct err err = {0};

    (void)state;
    assert_int_equal(
        safetensors_index_parse(&index, &a, many(&a, SAFETENSORS_INDEX_SHARDS_MAX), &err), 0);
    assert_int_equal(index.shard_count, SAFETENSORS_INDEX_SHARDS_MAX);
    assert_int_equal(
        safetensors_index_parse(&index, &a, many(&a, SAFETENSORS_INDEX_SHARDS_MAX + 1), &err), -1);
    assert_string_equal(err.msg, "index of shards: weight_map: more than 10000 files");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shards_are_named_once_and_sorted),
        cmocka_unit_test(an_index_without_tensors_has_no_shards),
        cmocka_unit_test(what_is_no_index_is_refused_with_the_reason),
        cmocka_unit_test(there_may_be_so_many_shards_and_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
