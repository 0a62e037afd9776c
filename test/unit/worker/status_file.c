#include "worker/status_file.h"

#include <string.h>

#include "../check.h"
#include "../store/scratch.h"
#include "digest/digest.h"

static struct status full(void)
{
    static const char *const models[] = {"hf:org/name", "ollama:llava:7b", NULL};

    return (struct status){.state = FLEET_DOWNLOADING,
                           .reason = "a\nb \"c\" %41 \001",
                           .type = "vllm",
                           .id = "w-1",
                           .host = "node 1",
                           .boot = "b00t",
                           .pid = 4711,
                           .pid_namespace = UINT64_MAX,
                           .start_ticks = 99,
                           .command_pid = 4712,
                           .restarts = 3,
                           .since_unix_ms = 1700000000000,
                           .beat_ms = 12345,
                           .model = "hf:org/name",
                           .bytes = 10,
                           .total = 20,
                           .bps = 5,
                           .models = models,
                           .model_count = 2};
}

/* The text with its seal put right again, as someone would who means harm. */
static struct str sealed_anew(struct arena *a, struct str text, const char *from, const char *to)
{
    struct buf b = buf_new(a, STATUS_BYTES_MAX);
    const char *end = strstr(text.ptr, "\nend ") + 1;
    const char *at = from[0] == '\0' ? end : strstr(text.ptr, from);

    assert_non_null(at);
    buf_add(&b, (struct str){text.ptr, (size_t)(at - text.ptr)});
    buf_addz(&b, to);
    at += strlen(from);
    buf_add(&b, (struct str){at, (size_t)(end - at)});
    buf_addf(&b, "end %08x\n", digest_crc32c(0, b.ptr, b.len));
    return buf_str(&b);
}

static void what_is_written_is_read_back(void **state)
{
    struct scratch *s = *state;
    struct status was = full();
    struct str text = status_format(&s->arena, &was);
    struct status got = {0};

    assert_true(status_parse(&got, &s->arena, text));
    assert_string_equal(status_format(&s->arena, &got).ptr, text.ptr);
    assert_int_equal(got.state, FLEET_DOWNLOADING);
    assert_string_equal(got.reason, was.reason);
    assert_string_equal(got.host, "node 1");
    assert_int_equal(got.pid, 4711);
    assert_int_equal(got.pid_namespace, UINT64_MAX);
    assert_int_equal(got.beat_ms, 12345);
    assert_int_equal(got.bps, 5);
    assert_int_equal(got.model_count, 2);
    assert_string_equal(got.models[1], "ollama:llava:7b");
    assert_null(got.models[2]);
}

static void an_empty_status_is_read_back_too(void **state)
{
    static const char *const none[] = {NULL};
    struct scratch *s = *state;
    struct status was = {
        .reason = "", .type = "", .id = "", .host = "", .boot = "", .model = "", .models = none};
    struct status got = full();

    assert_true(status_parse(&got, &s->arena, status_format(&s->arena, &was)));
    assert_int_equal(got.state, FLEET_STARTING);
    assert_string_equal(got.reason, "");
    assert_int_equal(got.model_count, 0);
    assert_null(got.models[0]);
}

static void a_torn_file_is_no_status_wherever_it_ends(void **state)
{
    struct scratch *s = *state;
    struct status was = full();
    struct str text = status_format(&s->arena, &was);
    struct status got = {.pid = 7};

    for (size_t len = 0; len < text.len; len++)
        assert_false(status_parse(&got, &s->arena, (struct str){text.ptr, len}));
    assert_int_equal(got.pid, 7);
}

static void a_changed_byte_is_noticed(void **state)
{
    struct scratch *s = *state;
    struct status was = full();
    struct str text = status_format(&s->arena, &was);
    char *copy = str_dup(&s->arena, text);
    struct status got;

    for (size_t i = 0; i < text.len; i++) {
        copy[i] ^= 1;
        if (status_parse(&got, &s->arena, (struct str){copy, text.len}))
            fail_msg("byte %zu", i);
        copy[i] ^= 1;
    }
}

static void a_sealed_text_of_another_form_is_refused(void **state)
{
    static const char *const rows[][2] = {
        {"hostler-status 1", "hostler-status 2"},
        {"hostler-status 1", "hostler-receipt 1"},
        {"state downloading", "state flying"},
        {"state downloading", "state"},
        {"pid 4711", "pid -1"},
        {"pid 4711", "pid 4711 1"},
        {"pid 4711", "pid 18446744073709551616"},
        {"pid 4711\n", ""},
        {"bytes 10", "bytes ten"},
        {"id w-1", "id w-1 w-2"},
        {"id w-1", "name w-1"},
        {"", "model a b\n"},
        {"", "more a\n"},
        {"", "\n"},
    };
    struct scratch *s = *state;
    struct status was = full();
    struct str text = status_format(&s->arena, &was);
    struct status got;

    assert_true(status_parse(&got, &s->arena, sealed_anew(&s->arena, text, "pid 4711", "pid 1")));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (status_parse(&got, &s->arena, sealed_anew(&s->arena, text, rows[i][0], rows[i][1])))
            fail_msg("taken: \"%s\" for \"%s\"", rows[i][1], rows[i][0]);
    }
}

static void models_have_an_end(void **state)
{
    struct scratch *s = *state;
    const char **models = arena_array(&s->arena, const char *, STATUS_MODELS + 2);
    struct status was = full();
    struct status got;

    for (size_t i = 0; i <= STATUS_MODELS; i++)
        models[i] = "m";
    was.models = models;
    was.model_count = STATUS_MODELS;
    assert_true(status_parse(&got, &s->arena, status_format(&s->arena, &was)));
    assert_int_equal(got.model_count, STATUS_MODELS);
    was.model_count = STATUS_MODELS + 1;
    assert_false(status_parse(&got, &s->arena, status_format(&s->arena, &was)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(what_is_written_is_read_back),
        SCRATCH_TEST(an_empty_status_is_read_back_too),
        SCRATCH_TEST(a_torn_file_is_no_status_wherever_it_ends),
        SCRATCH_TEST(a_changed_byte_is_noticed),
        SCRATCH_TEST(a_sealed_text_of_another_form_is_refused),
        SCRATCH_TEST(models_have_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
