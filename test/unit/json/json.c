#include "json/json.h"

#include <stdio.h>
#include <string.h>

#include "../check.h"
#include "../child.h"

static struct json *parse(const char *text)
{
    struct err err = {0};
    struct json *doc = json_parse(str_from(text), 1000, "doc", &err);

    if (doc == NULL)
        fail_msg("%s", err.msg);
    return doc;
}

static bool parse_without_descriptors(void *ctx)
{
    struct rlimit limit = take_descriptors();
    struct err err = {0};
    bool failed = json_parse(STR("[]"), 10, "doc", &err) == NULL;

    (void)ctx;
    give_descriptors(limit);
    return failed && err.code == ERR_USAGE && strstr(err_hint_of(&err), "ulimit -n") != NULL;
}

/* Must run before the first document. */
static void without_a_descriptor_for_the_library_the_limit_is_named(void **state)
{
    (void)state;
    in_child(parse_without_descriptors, NULL);
}

static void getters_give_what_is_there(void **state)
{
    struct err err = {0};
    JSON_SCOPED *doc =
        parse("{\"name\":\"\\u00e9\",\"size\":9223372036854775807,\"yes\":true,\"no\":false}");
    struct str name;
    uint64_t size = 0;
    bool flag = false;

    (void)state;
    assert_int_equal(json_need_str(&name, doc, "name", &err), 0);
    assert_true(str_eqz(name, "\xc3\xa9"));
    assert_int_equal(json_need_u64(&size, doc, "size", &err), 0);
    assert_true(size == INT64_MAX);
    assert_int_equal(json_bool(&flag, doc, "yes", &err), 0);
    assert_true(flag);
    assert_int_equal(json_bool(&flag, doc, "no", &err), 0);
    assert_false(flag);
}

static void what_is_absent_or_null_keeps_its_value(void **state)
{
    struct err err = {0};
    JSON_SCOPED *doc = parse("{\"null\":null}");
    static const char *const keys[] = {"null", "absent"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct str text = STR("default");
        uint64_t n = 7;
        bool flag = true;

        assert_null(json_get(doc, keys[i]));
        assert_int_equal(json_str(&text, doc, keys[i], &err), 0);
        assert_true(str_eqz(text, "default"));
        assert_int_equal(json_u64(&n, doc, keys[i], &err), 0);
        assert_int_equal(n, 7);
        assert_int_equal(json_bool(&flag, doc, keys[i], &err), 0);
        assert_true(flag);
        assert_int_equal(json_need_str(&text, doc, keys[i], &err), -1);
        assert_non_null(strstr(err.msg, keys[i]));
        assert_int_equal(err.code, ERR_NET);
        assert_int_equal(json_need_u64(&n, doc, keys[i], &err), -1);
        assert_non_null(strstr(err.msg, keys[i]));
    }
}

static void a_number_is_whole_by_its_value_however_it_is_spelled(void **state)
{
    static const struct {
        const char *text;
        uint64_t want;
    } cases[] = {{"{\"key\":1.0}", 1},
                 {"{\"key\":1e3}", 1000},
                 {"{\"key\":-0.0}", 0},
                 {"{\"key\":9007199254740992.0}", UINT64_C(1) << 53},
                 {"{\"key\":9223372036854775807}", INT64_MAX}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct json *doc = parse(cases[i].text);
        struct err err = {0};
        uint64_t n = 77;

        assert_int_equal(json_need_u64(&n, doc, "key", &err), 0);
        assert_int_equal(n, cases[i].want);
        json_free(&doc);
    }
}

static void a_wrong_type_is_an_error_that_names_the_key(void **state)
{
    static const char *const values[] = {"[]",   "{}",     "1.5",  "-1",    "-1.0",
                                         "1e16", "1e-300", "true", "\"5\"", "7"};

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char text[64];
        struct json *doc;
        struct str s = STR("kept");
        uint64_t n = 77;
        bool flag = true;
        struct err err = {0};

        (void)snprintf(text, sizeof(text), "{\"key\":%s}", values[i]);
        doc = parse(text);
        if (values[i][0] != '"') {
            assert_int_equal(json_need_str(&s, doc, "key", &err), -1);
            assert_string_equal(err.msg, "\"key\" should be a string");
        }
        if (values[i][0] != '7') {
            assert_int_equal(json_need_u64(&n, doc, "key", &err), -1);
            assert_string_equal(err.msg, "\"key\" should be a whole number from 0");
        }
        if (values[i][0] != 't') {
            assert_int_equal(json_bool(&flag, doc, "key", &err), -1);
            assert_string_equal(err.msg, "\"key\" should be true or false");
        }
        assert_true(str_eqz(s, "kept"));
        assert_int_equal(n, 77);
        assert_true(flag);
        json_free(&doc);
        assert_null(doc);
    }
}

static void arrays_are_walked_by_index(void **state)
{
    JSON_SCOPED *doc = parse("[\"a\",2,{},null]");
    struct str text;
    uint64_t n;

    (void)state;
    assert_true(json_is_array(doc));
    assert_false(json_is_object(doc));
    assert_int_equal(json_len(doc), 4);
    assert_true(json_as_str(&text, json_at(doc, 0)));
    assert_true(str_eqz(text, "a"));
    assert_false(json_as_u64(&n, json_at(doc, 0)));
    assert_true(json_as_u64(&n, json_at(doc, 1)));
    assert_int_equal(n, 2);
    assert_false(json_as_str(&text, json_at(doc, 1)));
    assert_true(json_is_object(json_at(doc, 2)));
    assert_false(json_as_str(&text, json_at(doc, 3)));
    assert_null(json_at(doc, 4));
    assert_int_equal(json_len(json_at(doc, 2)), 0);
    assert_null(json_get(doc, "key"));
    assert_false(json_is_array(NULL));
    assert_false(json_is_object(NULL));
}

static int join_keys(void *ctx, struct str key, const struct json *value)
{
    uint64_t n = 0;

    buf_add(ctx, key);
    return json_as_u64(&n, value) && n == 3 ? 33 : 0;
}

static int never(void *ctx, struct str key, const struct json *value)
{
    (void)ctx;
    (void)key;
    (void)value;
    return 1;
}

static void members_come_in_the_order_of_the_document(void **state)
{
    JSON_SCOPED *doc = parse("{\"z\":1,\"a\":2,\"m\":3,\"b\":4}");
    JSON_SCOPED *list = parse("[{\"y\":1,\"x\":3.5}]");
    ARENA_SCOPED a = {0};
    struct buf keys = buf_new(&a, 100);

    (void)state;
    assert_int_equal(json_each(doc, join_keys, &keys), 33);
    assert_string_equal(keys.ptr, "zam");
    buf_truncate(&keys, 0);
    assert_int_equal(json_each(json_at(list, 0), join_keys, &keys), 0);
    assert_string_equal(keys.ptr, "yx");
    assert_int_equal(json_each(json_get(doc, "z"), never, NULL), 0);
    assert_int_equal(json_each(NULL, never, NULL), 0);
}

static void broken_text_is_refused_with_its_place(void **state)
{
    static const char *const bad[] = {
        "",      "{",  "[1,]",  "{\"a\":1,\"a\":2}", "{a:1}",         "[1] x",
        "\"a\"", "\"", "[\"\\", "[\"\xff\"]",        "[\"\\u0000\"]", "[\"a\nb\"]",
        "[01]",  "]",  "[nul]", "[1e999]",           "[\"\\ud800\"]", "[9223372036854775808]",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err err = {0};

        if (json_parse(str_from(bad[i]), 100, "answer of host", &err) != NULL)
            fail_msg("%s was taken", bad[i]);
        assert_int_equal(err.code, ERR_NET);
        assert_non_null(strstr(err.msg, "answer of host: broken JSON at line "));
    }
}

static void more_bytes_than_the_limit_are_refused(void **state)
{
    struct err err = {0};
    JSON_SCOPED *doc = json_parse(STR("[1,2]"), 5, "doc", &err);

    (void)state;
    assert_non_null(doc);
    assert_null(json_parse(STR("[1,2]"), 4, "doc", &err));
    assert_int_equal(err.code, ERR_LIMIT);
}

static void nesting_ends_at_the_depth(void **state)
{
    struct err err = {0};
    ARENA_SCOPED a = {0};
    struct buf b = buf_new(&a, 1000);
    struct json *doc;

    (void)state;
    for (int i = 0; i < JSON_DEPTH; i++)
        buf_addc(&b, '[');
    buf_addz(&b, "\"[[[\\\"[[[[\"");
    for (int i = 0; i < JSON_DEPTH; i++)
        buf_addc(&b, ']');
    doc = json_parse(buf_str(&b), 1000, "doc", &err);
    assert_non_null(doc);
    json_free(&doc);
    buf_truncate(&b, 0);
    buf_addz(&b, "[{},{},");
    for (int i = 0; i < JSON_DEPTH; i++)
        buf_addz(&b, "{\"a\":");
    assert_null(json_parse(buf_str(&b), 1000, "doc", &err));
    assert_int_equal(err.code, ERR_LIMIT);
    assert_non_null(strstr(err.msg, "64"));
}

static void free_takes_nothing_too(void **state)
{
    struct json *doc = NULL;

    (void)state;
    json_free(&doc);
    assert_null(doc);
}

static void strings_are_quoted_and_escaped(void **state)
{
    ARENA_SCOPED a = {0};
    struct buf b = buf_new(&a, 1000);

    (void)state;
    json_put_str(&b, STR("a\"\\/\b\f\n\r\t\x01\x7f\0\xc3\xa9\xff\xf0\x9f\x98\x80\xc3"));
    assert_string_equal(b.ptr,
                        "\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u007f\\u0000\xc3\xa9\xef\xbf\xbd"
                        "\xf0\x9f\x98\x80\xef\xbf\xbd\"");
}

static void what_is_written_is_read_back(void **state)
{
    ARENA_SCOPED a = {0};
    struct err err = {0};
    struct buf b = buf_new(&a, 1000);
    struct json *doc;
    struct str text;
    uint64_t n;

    (void)state;
    buf_addc(&b, '{');
    json_put_member(&b, "name", STR("a\"\n\x02"));
    json_put_member_u64(&b, "size", INT64_MAX);
    json_put_key(&b, "list");
    buf_addz(&b, "[{");
    json_put_member_u64(&b, "n", 1);
    buf_addz(&b, "}]}");
    assert_string_equal(b.ptr, "{\"name\":\"a\\\"\\n\\u0002\",\"size\":9223372036854775807,"
                               "\"list\":[{\"n\":1}]}");
    doc = json_parse(buf_str(&b), 1000, "doc", &err);
    assert_non_null(doc);
    assert_int_equal(json_need_str(&text, doc, "name", &err), 0);
    assert_true(str_eqz(text, "a\"\n\x02"));
    assert_int_equal(json_need_u64(&n, doc, "size", &err), 0);
    assert_true(n == INT64_MAX);
    json_free(&doc);
}

static void a_value_is_written_as_it_stands_in_its_document(void **state)
{
    static const char text[] = "{\"a\":[1,-2,\"\\\"\\u0001\",true,false,null,{}],\"b\":{\"c\":1.5,"
                               "\"d\":[]},\"e\":\"\xc3\xa4\"}";
    struct arena a = {0};
    struct buf b = buf_new(&a, 1000);
    struct err err = {0};
    JSON_SCOPED *doc = json_parse(str_from(text), 1000, "text", &err);

    (void)state;
    assert_non_null(doc);
    json_put_value(&b, doc);
    assert_string_equal(b.ptr, text);
    arena_free(&a);
}

static void a_list_of_texts_is_a_member(void **state)
{
    static const char *const texts[] = {"a", "", "\"b\"", "not this one"};
    struct arena a = {0};
    struct buf b = buf_new(&a, 1000);

    (void)state;
    buf_addc(&b, '{');
    json_put_member_list(&b, "none", NULL, 0);
    json_put_member_list(&b, "one", texts, 1);
    json_put_member_list(&b, "three", texts, 3);
    buf_addc(&b, '}');
    assert_string_equal(b.ptr, "{\"none\":[],\"one\":[\"a\"],"
                               "\"three\":[\"a\",\"\",\"\\\"b\\\"\"]}");
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_descriptor_for_the_library_the_limit_is_named),
        cmocka_unit_test(getters_give_what_is_there),
        cmocka_unit_test(what_is_absent_or_null_keeps_its_value),
        cmocka_unit_test(a_number_is_whole_by_its_value_however_it_is_spelled),
        cmocka_unit_test(a_wrong_type_is_an_error_that_names_the_key),
        cmocka_unit_test(arrays_are_walked_by_index),
        cmocka_unit_test(members_come_in_the_order_of_the_document),
        cmocka_unit_test(broken_text_is_refused_with_its_place),
        cmocka_unit_test(more_bytes_than_the_limit_are_refused),
        cmocka_unit_test(nesting_ends_at_the_depth),
        cmocka_unit_test(free_takes_nothing_too),
        cmocka_unit_test(strings_are_quoted_and_escaped),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(a_list_of_texts_is_a_member),
        cmocka_unit_test(a_value_is_written_as_it_stands_in_its_document),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
