#include "coord/etcd_text.h"

#include "../check.h"

#define HEADER "\"header\":{\"cluster_id\":\"14841639068965178418\",\"revision\":\"42\"}"

static void bodies_are_as_the_gateway_takes_them(void **state)
{
    ARENA_SCOPED a = {0};
    struct buf b = buf_new(&a, 1000);

    (void)state;
    etcd_put_txn(&b, STR("/h/w"), 12, STR("v"), 77);
    assert_string_equal(
        b.ptr, "{\"compare\":[{\"target\":\"MOD\",\"result\":\"EQUAL\",\"key\":\"L2gvdw==\","
               "\"mod_revision\":\"12\"}],\"success\":[{\"request_put\":{\"key\":\"L2gvdw==\","
               "\"value\":\"dg==\",\"lease\":\"77\"}}],\"failure\":[{\"request_range\":{"
               "\"key\":\"L2gvdw==\"}}]}");
    buf_truncate(&b, 0);
    etcd_put_txn(&b, STR("/h/w"), 0, (struct str){0}, 0);
    assert_string_equal(
        b.ptr, "{\"compare\":[{\"target\":\"MOD\",\"result\":\"EQUAL\",\"key\":\"L2gvdw==\","
               "\"mod_revision\":\"0\"}],\"success\":[{\"request_delete_range\":{"
               "\"key\":\"L2gvdw==\"}}],\"failure\":[{\"request_range\":{\"key\":\"L2gvdw==\"}}]}");
    buf_truncate(&b, 0);
    etcd_put_put(&b, STR("/h/w"), STR(""), 0);
    assert_string_equal(b.ptr, "{\"key\":\"L2gvdw==\",\"value\":\"\"}");
    buf_truncate(&b, 0);
    etcd_put_range(&b, STR("/h/w"), STR("/h/"), 64, 42);
    assert_string_equal(b.ptr, "{\"key\":\"L2gvdw==\",\"range_end\":\"L2gw\",\"limit\":\"64\","
                               "\"revision\":\"42\"}");
    buf_truncate(&b, 0);
    etcd_put_watch(&b, STR("/h/"), 43);
    assert_string_equal(b.ptr, "{\"create_request\":{\"fragment\":true,\"key\":\"L2gv\","
                               "\"range_end\":\"L2gw\",\"start_revision\":\"43\"}}");
}

static int read_answer(struct etcd_answer *out, struct arena *a, const char *text, struct err *err)
{
    JSON_SCOPED *doc = json_parse(str_from(text), 10000, "an answer", err);

    assert_non_null(doc);
    return etcd_read_answer(out, a, doc, err);
}

static void answers_are_read_as_etcd_writes_them(void **state)
{
    ARENA_SCOPED a = {0};
    struct etcd_answer answer;
    struct err err = {0};

    (void)state;
    assert_int_equal(read_answer(&answer, &a,
                                 "{" HEADER ",\"succeeded\":true,\"responses\":[{\"response_put\":{"
                                 "\"header\":{\"revision\":\"42\"}}}]}",
                                 &err),
                     0);
    assert_true(answer.succeeded);
    assert_int_equal(answer.revision, 42);
    assert_int_equal(answer.count, 0);
    assert_int_equal(
        read_answer(
            &answer, &a,
            "{" HEADER ",\"responses\":[{\"response_range\":{\"header\":{\"revision\":\"42\"},"
            "\"kvs\":[{\"key\":\"L2gvdw==\",\"create_revision\":\"2\",\"mod_revision\":\"9\","
            "\"version\":\"1\",\"value\":\"dg==\",\"lease\":\"9223372036854775807\"}],"
            "\"count\":\"1\"}}]}",
            &err),
        0);
    assert_false(answer.succeeded);
    assert_int_equal(answer.count, 1);
    assert_true(str_eqz(answer.kvs[0].key, "/h/w"));
    assert_true(str_eqz(answer.kvs[0].value, "v"));
    assert_int_equal(answer.kvs[0].revision, 9);
    assert_int_equal(answer.kvs[0].lease, INT64_MAX);
    assert_int_equal(read_answer(&answer, &a,
                                 "{" HEADER ",\"kvs\":[{\"key\":\"L2gvdw==\",\"mod_revision\":9}],"
                                 "\"more\":true}",
                                 &err),
                     0);
    assert_true(answer.more);
    assert_int_equal(answer.kvs[0].value.len, 0);
    assert_int_equal(read_answer(&answer, &a, "{" HEADER "}", &err), 0);
    assert_int_equal(answer.count, 0);
}

static void what_etcd_would_not_answer_is_refused(void **state)
{
    static const char *const texts[] = {
        "{}",
        "[]",
        "{\"header\":{\"revision\":\"x\"}}",
        "{\"header\":{\"revision\":\"18446744073709551616\"}}",
        "{\"header\":{\"revision\":true}}",
        "{" HEADER ",\"succeeded\":1}",
        "{" HEADER ",\"kvs\":[{\"key\":\"?\"}]}",
        "{" HEADER ",\"kvs\":[{\"key\":5}]}",
        "{" HEADER ",\"kvs\":[{\"value\":\"x\"}]}",
        "{" HEADER ",\"kvs\":[{\"lease\":\"-1\"}]}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        ARENA_SCOPED a = {0};
        struct etcd_answer answer;
        struct err err = {0};

        assert_int_equal(read_answer(&answer, &a, texts[i], &err), -1);
        assert_int_not_equal(err.code, ERR_NONE);
    }
}

static int read_lease(uint64_t *ret_id, uint64_t *ret_ttl_s, const char *text)
{
    struct err err = {0};
    JSON_SCOPED *doc = json_parse(str_from(text), 10000, "an answer", &err);

    assert_non_null(doc);
    return etcd_read_lease(ret_id, ret_ttl_s, doc, &err);
}

static void a_lease_without_a_time_to_live_is_no_more(void **state)
{
    uint64_t id = 0;
    uint64_t ttl_s = 1;

    (void)state;
    assert_int_equal(read_lease(&id, &ttl_s, "{" HEADER ",\"ID\":\"77\",\"TTL\":\"15\"}"), 0);
    assert_int_equal(id, 77);
    assert_int_equal(ttl_s, 15);
    assert_int_equal(read_lease(&id, &ttl_s, "{\"result\":{" HEADER ",\"ID\":\"78\"}}"), 0);
    assert_int_equal(id, 78);
    assert_int_equal(ttl_s, 0);
    assert_int_equal(read_lease(&id, &ttl_s, "{\"TTL\":\"15\"}"), -1);
    assert_int_equal(read_lease(&id, &ttl_s, "{\"ID\":\"a\"}"), -1);
    assert_int_equal(id, 78);
}

static void the_lines_of_a_watch_are_read_as_etcd_writes_them(void **state)
{
    ARENA_SCOPED a = {0};
    struct etcd_heard heard;
    struct err err = {0};

    (void)state;
    assert_int_equal(
        etcd_read_heard(&heard, &a, STR("{\"result\":{" HEADER ",\"created\":true}}"), &err), 0);
    assert_true(heard.created);
    assert_int_equal(heard.revision, 42);
    assert_int_equal(
        etcd_read_heard(
            &heard, &a,
            STR("{\"result\":{\"header\":{},\"canceled\":true,\"compact_revision\":\"4\"}}"), &err),
        0);
    assert_true(heard.cancelled && heard.compacted);
    assert_int_equal(
        etcd_read_heard(
            &heard, &a,
            STR("{\"result\":{" HEADER ",\"fragment\":true,\"events\":[{\"kv\":{\"key\":"
                "\"L2gvdw==\",\"mod_revision\":\"41\",\"value\":\"dg==\",\"lease\":\"7\"}},"
                "{\"type\":\"DELETE\",\"kv\":{\"key\":\"L2gvdw==\",\"mod_revision\":\"42\"}}"
                "]}}"),
            &err),
        0);
    assert_true(heard.partial);
    assert_int_equal(heard.count, 2);
    assert_false(heard.kvs[0].deleted);
    assert_true(heard.kvs[1].deleted);
    assert_int_equal(heard.kvs[1].revision, 42);
}

static void a_watch_that_ends_says_why(void **state)
{
    static const char *const lines[] = {
        "{", "[]", "{\"error\":{\"grpc_code\":14,\"message\":\"\x1b[2Jno leader\"}}",
        "{\"result\":{\"events\":[{\"type\":1}]}}", "{\"result\":{\"canceled\":\"x\"}}"};

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        ARENA_SCOPED a = {0};
        struct etcd_heard heard;
        struct err err = {0};

        assert_int_equal(etcd_read_heard(&heard, &a, str_from(lines[i]), &err), -1);
        assert_null(strchr(err.msg, '\x1b'));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_are_as_the_gateway_takes_them),
        cmocka_unit_test(answers_are_read_as_etcd_writes_them),
        cmocka_unit_test(what_etcd_would_not_answer_is_refused),
        cmocka_unit_test(a_lease_without_a_time_to_live_is_no_more),
        cmocka_unit_test(the_lines_of_a_watch_are_read_as_etcd_writes_them),
        cmocka_unit_test(a_watch_that_ends_says_why),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
