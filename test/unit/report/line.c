#include "report/line.h"

#include <string.h>

#include "../check.h"

#define TS UINT64_C(1795422662114) /* 2026-11-23T08:31:02.114Z */

static const struct report_part one_part[] = {{.path = "170370233dd5", .bytes = 1, .total = 2}};
static const struct report_part two_parts[] = {{.path = "a", .bytes = 1, .total = 2},
                                               {.path = "b", .bytes = 1, .total = 2}};

static void assert_text(const struct report_event *e, const char *expected)
{
    ARENA_SCOPED a = {0};
    struct buf b = buf_new(&a, LINE_MAX_BYTES);

    line_text(&b, e, TS);
    assert_string_equal(b.ptr, expected);
}

static void assert_json(const struct report_event *e, bool log, const char *expected)
{
    ARENA_SCOPED a = {0};
    struct buf b = buf_new(&a, LINE_MAX_BYTES);

    if (log)
        line_json_log(&b, e, TS);
    else
        line_json_event(&b, e, TS);
    assert_string_equal(b.ptr, expected);
}

static void progress_is_the_line_of_the_documentation(void **state)
{
    struct report_event e = {
        .kind = REPORT_PROGRESS,
        .model = "ollama:llava:7b",
        .bytes = 1950000000,
        .total = 4700000000,
        .bps = 310000000,
        .parts = one_part,
        .part_count = 1,
    };

    (void)state;
    assert_text(&e, "2026-11-23T08:31:02.114Z INFO Downloading model=ollama:llava:7b "
                    "file=170370233dd5 41% 2.0 of 4.7 GB 310 MB/s eta 9s\n");
    e.parts = two_parts;
    e.part_count = 2;
    e.bps = 0;
    assert_text(&e, "2026-11-23T08:31:02.114Z INFO Downloading model=ollama:llava:7b "
                    "41% 2.0 of 4.7 GB\n");
}

static void every_kind_has_its_line_of_text(void **state)
{
    static const char commit[] = "63a8b081895390a26e140280378bc85ec8bce07a";
    struct err err = {0};
    struct report_event cases[] = {
        {.kind = REPORT_START, .model = "hf:o/n", .bytes = 14500000000, .files = 12},
        {.kind = REPORT_START, .model = "hf:o/n", .bytes = 5, .files = 1, .present_bytes = 1000},
        {.kind = REPORT_START, .model = "ollama:m", .text = "by the Ollama at\nhttp://h:1"},
        {.kind = REPORT_WAITING, .model = "hf:o/n", .holder = "gpu 7"},
        {.kind = REPORT_WAITING, .model = "hf:o/n", .holder = "h", .bytes = 5, .total = 10},
        {.kind = REPORT_FILE, .model = "hf:o/n", .path = "a b", .bytes = 7, .digest = "sha256:x"},
        {.kind = REPORT_PUBLISHED, .model = "hf:o/n", .path = "/m/x", .revision = commit},
        {.kind = REPORT_PUBLISHED, .model = "ollama:m", .path = "http://h:1", .text = "it says"},
        {.kind = REPORT_PRESENT,
         .model = "hf:o/n",
         .revision = commit,
         .text = "revision 63a8b08, not checked for newer (--update)"},
        {.kind = REPORT_PRESENT, .model = "hf:o/n", .revision = commit},
        {.kind = REPORT_DONE, .models = 1, .total = 1, .duration_ms = 7},
        {.kind = REPORT_DONE, .models = 2, .total = 3, .bytes = 5000000, .duration_ms = 80000},
        {.kind = REPORT_NOTE, .level = REPORT_WARN, .text = "say it", .model = "hf:o/n"},
        {.kind = REPORT_FAILED, .model = "hf:o/n", .err = &err},
    };
    static const char *const expected[] = {
        "INFO Downloading model=hf:o/n 14.5 GB in 12 files",
        "INFO Downloading model=hf:o/n 5 B in 1 file, 1.0 kB already here",
        "INFO Downloading model=ollama:m by the Ollama at\\nhttp://h:1",
        "INFO Waiting model=hf:o/n holder=\"gpu 7\"",
        "INFO Waiting model=hf:o/n holder=h 50% 5 of 10 B",
        "DEBUG Verified model=hf:o/n file=\"a b\" 7 B digest=sha256:x",
        "INFO Published model=hf:o/n path=/m/x revision=63a8b081895390a26e140280378bc85ec8bce07a",
        "INFO Published model=ollama:m path=http://h:1 it says",
        "INFO Complete model=hf:o/n revision 63a8b08, not checked for newer (--update)",
        "INFO Complete model=hf:o/n revision 63a8b08",
        "INFO Done 1 model, nothing fetched in 0.007s",
        "INFO Done 2 of 3 models, 5.0 MB fetched in 1m20s, 62.5 kB/s",
        "WARN say it model=hf:o/n",
        "ERROR hf:o/n: gone model=hf:o/n hint=\"look elsewhere\"",
    };

    (void)state;
    (void)err_set(&err, ERR_NOT_FOUND, "hf:o/n: gone");
    (void)err_hint(&err, "look elsewhere");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ARENA_SCOPED a = {0};
        struct buf b = buf_new(&a, LINE_MAX_BYTES);

        buf_addf(&b, "2026-11-23T08:31:02.114Z %s\n", expected[i]);
        assert_text(&cases[i], b.ptr);
    }
}

static void events_are_the_objects_of_the_documentation(void **state)
{
#define HEAD "{\"ts\":\"2026-11-23T08:31:02.114Z\",\"event\":"
    struct err err = {0};

    (void)state;
    (void)err_set(&err, ERR_NO_SPACE, "full");
    assert_json(
        &(struct report_event){
            .kind = REPORT_START, .model = "m", .bytes = 5, .files = 2, .present_bytes = 3},
        false, HEAD "\"start\",\"model\":\"m\",\"bytes\":5,\"files\":2,\"bytes_present\":3}\n");
    assert_json(
        &(struct report_event){
            .kind = REPORT_PROGRESS, .model = "m", .bytes = 5, .total = 10, .bps = 2},
        false,
        HEAD "\"progress\",\"model\":\"m\",\"bytes\":5,\"total\":10,\"bps\":2,\"eta_s\":3}\n");
    assert_json(
        &(struct report_event){.kind = REPORT_PROGRESS, .model = "m", .bytes = 5, .total = 10},
        false,
        HEAD "\"progress\",\"model\":\"m\",\"bytes\":5,\"total\":10,\"bps\":0,\"eta_s\":null}\n");
    assert_json(
        &(struct report_event){
            .kind = REPORT_WAITING, .model = "m", .holder = "h", .bytes = 1, .total = 2},
        false,
        HEAD "\"waiting\",\"model\":\"m\",\"holder\":\"h\",\"progress\":{\"bytes\":1,"
             "\"total\":2,\"bps\":0}}\n");
    assert_json(
        &(struct report_event){
            .kind = REPORT_FILE, .model = "m", .path = "p\n", .bytes = 1, .digest = "d"},
        false, HEAD "\"file\",\"model\":\"m\",\"path\":\"p\\n\",\"bytes\":1,\"digest\":\"d\"}\n");
    assert_json(
        &(struct report_event){
            .kind = REPORT_PUBLISHED, .model = "m", .path = "p", .revision = "r"},
        false, HEAD "\"published\",\"model\":\"m\",\"path\":\"p\",\"revision\":\"r\"}\n");
    assert_json(&(struct report_event){.kind = REPORT_START, .model = "m", .text = "t"}, false,
                HEAD "\"start\",\"model\":\"m\",\"bytes\":0,\"files\":0,\"bytes_present\":0,"
                     "\"message\":\"t\"}\n");
    assert_json(
        &(struct report_event){.kind = REPORT_PUBLISHED, .model = "m", .path = "p", .text = "t"},
        false, HEAD "\"published\",\"model\":\"m\",\"path\":\"p\",\"message\":\"t\"}\n");
    assert_json(&(struct report_event){.kind = REPORT_PRESENT,
                                       .model = "m",
                                       .revision = "r",
                                       .bytes = 4,
                                       .files = 1,
                                       .text = "t"},
                false,
                HEAD "\"present\",\"model\":\"m\",\"revision\":\"r\",\"bytes\":4,\"files\":1,"
                     "\"message\":\"t\"}\n");
    assert_json(
        &(struct report_event){.kind = REPORT_DONE, .models = 3, .bytes = 5, .duration_ms = 1007},
        false, HEAD "\"done\",\"models\":3,\"bytes\":5,\"seconds\":1.007}\n");
    assert_json(&(struct report_event){.kind = REPORT_FAILED, .model = "m", .err = &err}, false,
                HEAD "\"error\",\"model\":\"m\",\"code\":\"NO_SPACE\",\"exit\":7,"
                     "\"message\":\"full\",\"hint\":\"free space on the volume, or use a larger "
                     "one\"}\n");
#undef HEAD
}

static void the_json_log_has_levels_and_names_of_notes(void **state)
{
    (void)state;
    assert_json(
        &(struct report_event){
            .kind = REPORT_NOTE, .level = REPORT_WARN, .event = "ephemeral", .text = "x\xff"},
        true,
        "{\"ts\":\"2026-11-23T08:31:02.114Z\",\"level\":\"warn\",\"event\":\"ephemeral\","
        "\"message\":\"x\xef\xbf\xbd\"}\n");
    assert_json(&(struct report_event){.kind = REPORT_NOTE, .level = REPORT_DEBUG, .text = "x"},
                false,
                "{\"ts\":\"2026-11-23T08:31:02.114Z\",\"level\":\"debug\",\"event\":\"note\","
                "\"message\":\"x\"}\n");
}

static void an_error_is_two_lines_and_no_byte_of_it_is_raw(void **state)
{
    ARENA_SCOPED a = {0};
    struct buf b = buf_new(&a, LINE_MAX_BYTES);
    struct err err = {0};

    (void)state;
    (void)err_set(&err, ERR_NET, "no \x1b[2J\nhostler: all is well");
    line_error(&b, &err);
    assert_string_equal(b.ptr, "hostler: no \\x1b[2J\\nhostler: all is well\n");
    (void)err_hint(&err, "wait\r");
    buf_truncate(&b, 0);
    line_error(&b, &err);
    assert_non_null(strstr(b.ptr, "\nhint: wait\\r\n"));
}

static void a_line_that_is_too_long_still_ends(void **state)
{
    ARENA_SCOPED a = {0};
    struct buf b = buf_new(&a, 40);

    (void)state;
    line_text(
        &b, &(struct report_event){.kind = REPORT_NOTE, .text = "a very long text, much too long"},
        TS);
    assert_int_equal(b.len, 40);
    assert_int_equal(b.ptr[39], '\n');
}

static void the_remaining_time_is_known_only_with_a_speed(void **state)
{
    (void)state;
    assert_true(line_eta_s(0, 10, 0) == UINT64_MAX);
    assert_true(line_eta_s(10, 10, 1) == 0);
    assert_true(line_eta_s(11, 10, 1) == 0);
    assert_true(line_eta_s(0, 10, 3) == 4);
}

static void shares_are_right_at_the_ends_of_the_range(void **state)
{
    static const struct {
        uint64_t bytes;
        uint64_t total;
        const char *text;
    } cases[] = {
        {0, 0, "100% 0 of 0 B"},
        {0, 10, "0% 0 of 10 B"},
        {999, 1000, "99% 999 B of 1.0 kB"},
        {UINT64_MAX - 1, UINT64_MAX, "99% 18.4 of 18.4 EB"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ARENA_SCOPED a = {0};
        struct buf b = buf_new(&a, 100);

        line_put_share(&b, cases[i].bytes, cases[i].total);
        assert_string_equal(b.ptr, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(progress_is_the_line_of_the_documentation),
        cmocka_unit_test(every_kind_has_its_line_of_text),
        cmocka_unit_test(events_are_the_objects_of_the_documentation),
        cmocka_unit_test(the_json_log_has_levels_and_names_of_notes),
        cmocka_unit_test(an_error_is_two_lines_and_no_byte_of_it_is_raw),
        cmocka_unit_test(a_line_that_is_too_long_still_ends),
        cmocka_unit_test(the_remaining_time_is_known_only_with_a_speed),
        cmocka_unit_test(shares_are_right_at_the_ends_of_the_range),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
