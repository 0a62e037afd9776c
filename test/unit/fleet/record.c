#include "fleet/record.h"

#include <string.h>

#include "../check.h"

#define TEXT_MAX ((size_t)1 << 20)

static const char whole[] =
    "{\"id\":\"gpu-1\",\"instance\":\"a1b2\",\"type\":\"vllm\",\"host\":\"node-7\",\"version\":\"0."
    "1."
    "0\",\"state\":\"downloading\",\"reason\":\"\",\"models\":[{\"name\":\"hf:org/"
    "name\",\"revision\":\"63a8\"},{\"name\":\"llava:7b\",\"revision\":\"\"}],\"url\":\"http://"
    "node-7:8000\",\"labels\":{\"zone\":\"a\",\"b\":\"\"},\"gpus\":[{\"uuid\":\"GPU-1\",\"total_"
    "mib\":23034,\"mig\":null,\"display\":false}],\"holds\":[{\"uuid\":\"GPU-1\",\"mib\":16384,"
    "\"planned_mib\":16675}],\"progress\":{\"bytes\":5,\"total\":9,\"bps\":2}";

/* 0, or -1 with err as fleet_record_read() left it. */
static int read_over(struct fleet_record *r, struct arena *a, const char *text, struct err *err)
{
    JSON_SCOPED *doc = json_parse(str_from(text), TEXT_MAX, "record", err);

    return doc == NULL ? -1 : fleet_record_read(r, a, doc, err);
}

static void what_was_written_is_read_back_as_it_was(void **state)
{
    ARENA_SCOPED a = {0};
    struct buf b = buf_new(&a, TEXT_MAX);
    struct fleet_record r = fleet_record_new();
    struct err err = {0};

    (void)state;
    assert_int_equal(read_over(&r, &a, str_format(&a, "%s}", whole), &err), 0);
    assert_int_equal(fleet_record_check(&r, &err), 0);
    assert_int_equal(r.state, FLEET_DOWNLOADING);
    assert_int_equal(r.model_count, 2);
    assert_string_equal(r.models[1].name, "llava:7b");
    assert_string_equal(r.labels[0].key, "zone");
    assert_int_equal(r.progress.total, 9);
    assert_int_equal(r.holds[0].planned_mib, 16675);
    buf_addc(&b, '{');
    fleet_record_put(&b, &r);
    assert_string_equal(b.ptr, whole);
}

static void a_report_changes_what_it_names_and_nothing_else(void **state)
{
    ARENA_SCOPED a = {0};
    struct fleet_record r = fleet_record_new();
    struct err err = {0};

    (void)state;
    assert_int_equal(read_over(&r, &a, str_format(&a, "%s}", whole), &err), 0);
    assert_int_equal(read_over(&r, &a,
                               "{\"state\":\"failed\",\"reason\":\"no GPU\",\"models\":[],\"id\":"
                               "null,\"of_next_year\":{}}",
                               &err),
                     0);
    assert_int_equal(r.state, FLEET_FAILED);
    assert_string_equal(r.reason, "no GPU");
    assert_int_equal(r.model_count, 0);
    assert_int_equal(r.label_count, 2);
    assert_string_equal(r.id, "gpu-1");
    assert_int_equal(r.progress.bytes, 5);
}

static void what_is_broken_or_too_long_is_refused_and_changes_nothing(void **state)
{
    static const struct {
        const char *text;
        enum err_code code;
        const char *words;
    } bad[] = {
        {"[]", ERR_NET, "should be an object"},
        {"{\"id\":7}", ERR_NET, "\"id\" should be a string"},
        {"{\"id\":\"a\\nb\"}", ERR_NET, "\"id\" has a control character"},
        {"{\"host\":\"\\u009b31m\"}", ERR_NET, "\"host\" has a control character"},
        {"{\"reason\":\"\\u2028\"}", ERR_NET, "\"reason\" has a control character"},
        {"{\"instance\":\"a/b\"}", ERR_NET, "\"instance\" should be letters"},
        {"{\"state\":\"lost\"}", ERR_NET, "\"state\" should be"},
        {"{\"url\":\"javascript:alert(1)\"}", ERR_LIMIT, "\"url\""},
        {"{\"models\":{}}", ERR_NET, "\"models\" should be a list"},
        {"{\"models\":[\"a\"]}", ERR_NET, "\"models\" should hold objects"},
        {"{\"models\":[{\"revision\":\"a\"}]}", ERR_NET, "without a name"},
        {"{\"labels\":[]}", ERR_NET, "\"labels\" should be an object"},
        {"{\"labels\":{\"a\":1}}", ERR_LIMIT, "\"labels\" has a value"},
        {"{\"labels\":{\"\":\"\"}}", ERR_LIMIT, "\"labels\" has a key"},
        {"{\"gpus\":{}}", ERR_NET, "\"gpus\" should be a list"},
        {"{\"gpus\":[1]}", ERR_NET, "\"gpus\" should hold objects"},
        {"{\"holds\":{}}", ERR_NET, "\"holds\" should be a list"},
        {"{\"holds\":[1]}", ERR_NET, "\"holds\" should hold objects"},
        {"{\"holds\":[{\"mib\":-1}]}", ERR_NET,
         "\"holds\": \"mib\" should be a whole number from 0"},
        {"{\"progress\":{\"bytes\":-1}}", ERR_NET, "\"progress\": \"bytes\" should be"},
        {"{\"progress\":[]}", ERR_NET, "\"progress\" should be an object"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ARENA_SCOPED a = {0};
        struct fleet_record r = fleet_record_new();
        struct fleet_record before = r;
        struct err err = {0};

        assert_int_equal(read_over(&r, &a, bad[i].text, &err), -1);
        assert_int_equal(err.code, bad[i].code);
        if (strstr(err.msg, bad[i].words) == NULL)
            fail_msg("%s: %s", bad[i].text, err.msg);
        assert_memory_equal(&r, &before, sizeof(r));
    }
}

/* {"KEY":OPEN x, x, ... CLOSE} with count times the element. */
static const char *many(struct arena *a, const char *head, const char *element, size_t count,
                        const char *tail)
{
    struct buf b = buf_new(a, TEXT_MAX);

    buf_addz(&b, head);
    for (size_t i = 0; i < count; i++)
        buf_addf(&b, "%s%s", i > 0 && element[0] == '{' ? "," : "", element);
    buf_addz(&b, tail);
    return b.ptr;
}

static void the_limits_are_taken_and_one_more_is_not(void **state)
{
    static const struct {
        const char *head;
        const char *element;
        size_t most;
        const char *tail;
    } limits[] = {
        {"{\"id\":\"", "a", FLEET_ID_MAX, "\"}"},
        {"{\"instance\":\"", "a", FLEET_INSTANCE_MAX, "\"}"},
        {"{\"type\":\"", "a", FLEET_TYPE_MAX, "\"}"},
        {"{\"host\":\"", "a", FLEET_HOST_MAX, "\"}"},
        {"{\"version\":\"", "a", FLEET_VERSION_MAX, "\"}"},
        {"{\"reason\":\"", "a", FLEET_REASON_MAX, "\"}"},
        {"{\"url\":\"http://h/", "a", FLEET_URL_MAX - 9, "\"}"},
        {"{\"models\":[{\"name\":\"", "a", FLEET_MODEL_MAX, "\"}]}"},
        {"{\"models\":[{\"name\":\"a\",\"revision\":\"", "a", FLEET_REVISION_MAX, "\"}]}"},
        {"{\"models\":[", "{\"name\":\"a\"}", FLEET_MODELS_MAX, "]}"},
        {"{\"labels\":{\"", "a", FLEET_KEY_MAX, "\":\"\"}}"},
        {"{\"labels\":{\"a\":\"", "a", FLEET_VALUE_MAX, "\"}}"},
        {"{\"gpus\":[", "{}", FLEET_GPUS_MAX, "]}"},
        {"{\"holds\":[", "{}", FLEET_HOLDS_MAX, "]}"},
        {"{\"holds\":[{\"uuid\":\"", "a", FLEET_UUID_MAX, "\"}]}"},
        {"{\"gpus\":[{\"uuid\":\"", "a", FLEET_GPUS_BYTES - 13, "\"}]}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        for (size_t more = 0; more < 2; more++) {
            ARENA_SCOPED a = {0};
            struct fleet_record r = fleet_record_new();
            struct err err = {0};
            const char *text =
                many(&a, limits[i].head, limits[i].element, limits[i].most + more, limits[i].tail);

            if (read_over(&r, &a, text, &err) != (more == 0 ? 0 : -1))
                fail_msg("%s, %zu more: %s", limits[i].head, more, err.msg);
            assert_int_equal(err.code, more == 0 ? ERR_NONE : ERR_LIMIT);
        }
    }
}

static void one_label_more_than_there_may_be_is_refused(void **state)
{
    (void)state;
    for (size_t more = 0; more < 2; more++) {
        ARENA_SCOPED a = {0};
        struct buf b = buf_new(&a, TEXT_MAX);
        struct fleet_record r = fleet_record_new();
        struct err err = {0};

        buf_addz(&b, "{\"labels\":{");
        for (size_t i = 0; i < FLEET_LABELS_MAX + more; i++)
            buf_addf(&b, "%s\"k%zu\":\"v\"", i > 0 ? "," : "", i);
        buf_addz(&b, "}}");
        assert_int_equal(read_over(&r, &a, b.ptr, &err), more == 0 ? 0 : -1);
    }
}

static void a_registration_needs_id_instance_and_host(void **state)
{
    static const char *const texts[] = {"{\"instance\":\"i\",\"host\":\"h\"}",
                                        "{\"id\":\"w\",\"host\":\"h\"}",
                                        "{\"id\":\"w\",\"instance\":\"i\",\"host\":\"\"}"};
    static const char *const names[] = {"\"id\" is missing", "\"instance\" is missing",
                                        "\"host\" is missing"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        ARENA_SCOPED a = {0};
        struct fleet_record r = fleet_record_new();
        struct err err = {0};

        assert_int_equal(read_over(&r, &a, texts[i], &err), 0);
        assert_int_equal(fleet_record_check(&r, &err), -1);
        assert_string_equal(err.msg, names[i]);
    }
}

static void a_copy_outlives_its_source_and_fits_the_room_that_was_told(void **state)
{
    struct arena source = {0};
    ARENA_SCOPED a = {0};
    struct buf before = buf_new(&a, TEXT_MAX);
    struct buf after = buf_new(&a, TEXT_MAX);
    struct fleet_record r = fleet_record_new();
    struct fleet_record copied;
    struct err err = {0};
    struct arena exact = {0};

    (void)state;
    assert_int_equal(read_over(&r, &source, str_format(&a, "%s}", whole), &err), 0);
    fleet_record_put(&before, &r);
    arena_reserve(&exact, fleet_record_bytes(&r));
    fleet_record_copy(&copied, &exact, &r);
    assert_true((size_t)(exact.end - exact.next) <= fleet_record_bytes(&r));
    assert_true(arena_is_one_block(&exact));
    arena_free(&source);
    fleet_record_put(&after, &copied);
    assert_string_equal(after.ptr, before.ptr);
    arena_free(&exact);
}

static void a_listing_is_read_back_lost_or_not(void **state)
{
    (void)state;
    for (int lost = 0; lost < 2; lost++) {
        ARENA_SCOPED a = {0};
        struct buf b = buf_new(&a, TEXT_MAX);
        struct fleet_listed listed = {.record = fleet_record_new(),
                                      .lost = lost == 1,
                                      .since_unix_ms = UINT64_C(1795510862114),
                                      .last_beat_s = 3};
        struct fleet_listed got;
        struct err err = {0};
        JSON_SCOPED *doc = NULL;

        assert_int_equal(read_over(&listed.record, &a, str_format(&a, "%s}", whole), &err), 0);
        fleet_listed_put(&b, &listed);
        assert_non_null(strstr(b.ptr, "\"since\":\"2026-11-24T"));
        doc = json_parse(buf_str(&b), TEXT_MAX, "listing", &err);
        assert_non_null(doc);
        assert_int_equal(fleet_listed_read(&got, &a, doc, &err), 0);
        assert_int_equal(got.lost, lost);
        assert_string_equal(fleet_listed_state(&got), lost == 1 ? "lost" : "downloading");
        assert_int_equal(got.since_unix_ms, listed.since_unix_ms);
        assert_int_equal(got.last_beat_s, 3);
    }
}

static void a_listing_without_its_own_members_is_refused(void **state)
{
    static const char *const texts[] = {
        "{\"id\":\"w\",\"instance\":\"i\",\"host\":\"h\"}",
        "{\"id\":\"w\",\"instance\":\"i\",\"host\":\"h\",\"state\":\"gone\",\"since\":\"2026-11-"
        "23T08:"
        "31:02.114Z\",\"last_beat_s\":1}",
        "{\"id\":\"w\",\"instance\":\"i\",\"host\":\"h\",\"state\":\"lost\",\"since\":"
        "\"yesterday\","
        "\"last_beat_s\":1}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        ARENA_SCOPED a = {0};
        struct fleet_listed got;
        struct err err = {0};
        JSON_SCOPED *doc = json_parse(str_from(texts[i]), TEXT_MAX, "listing", &err);

        assert_non_null(doc);
        assert_int_equal(fleet_listed_read(&got, &a, doc, &err), -1);
        assert_int_equal(err.code, ERR_NET);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read_back_as_it_was),
        cmocka_unit_test(a_report_changes_what_it_names_and_nothing_else),
        cmocka_unit_test(what_is_broken_or_too_long_is_refused_and_changes_nothing),
        cmocka_unit_test(the_limits_are_taken_and_one_more_is_not),
        cmocka_unit_test(one_label_more_than_there_may_be_is_refused),
        cmocka_unit_test(a_registration_needs_id_instance_and_host),
        cmocka_unit_test(a_copy_outlives_its_source_and_fits_the_room_that_was_told),
        cmocka_unit_test(a_listing_is_read_back_lost_or_not),
        cmocka_unit_test(a_listing_without_its_own_members_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
