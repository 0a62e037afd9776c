#include "source/ollama_server_stream.h"

#include "../check.h"

#define BASE  "http://gpu1:11434"
#define MODEL "ollama:llava:7b"
#define HEAD  MODEL ": the Ollama at " BASE

static struct ollama_stream stream(struct arena *a)
{
    return (struct ollama_stream){.arena = a, .base = BASE, .model = MODEL};
}

static int say(struct ollama_stream *s, const char *line)
{
    struct err err = {0};
    int r = ollama_stream_line(s, str_from(line), &err);

    if (r < 0)
        fail_msg("%s: %s", line, err.msg);
    return r;
}

/* What a real server says of a model of two layers and a config. */
static void a_pull_goes_through_its_phases_to_success(void **state)
{
    ARENA_SCOPED a = {0};
    struct ollama_stream s = stream(&a);

    (void)state;
    assert_int_equal(say(&s, "{\"status\":\"pulling manifest\"}"), 0);
    assert_int_equal(s.phase, OLLAMA_MANIFEST);
    assert_int_equal(say(&s, "{\"status\":\"pulling aa\",\"digest\":\"sha256:aa\",\"total\":100}"),
                     0);
    assert_int_equal(s.phase, OLLAMA_PULLING);
    assert_int_equal(s.total, 100);
    assert_int_equal(s.completed, 0);
    say(&s, "{\"status\":\"pulling aa\",\"digest\":\"sha256:aa\",\"total\":100,\"completed\":60}");
    say(&s, "{\"status\":\"pulling aa\",\"digest\":\"sha256:aa\",\"total\":100,\"completed\":100}");
    say(&s, "{\"status\":\"pulling bb\",\"digest\":\"sha256:bb\",\"total\":10,\"completed\":4}");
    assert_int_equal(s.parts.len, 2);
    assert_int_equal(s.total, 110);
    assert_int_equal(s.completed, 104);
    assert_int_equal(say(&s, "{\"status\":\"verifying sha256 digest\"}"), 0);
    assert_int_equal(s.phase, OLLAMA_VERIFYING);
    assert_int_equal(say(&s, "{\"status\":\"writing manifest\"}"), 0);
    assert_int_equal(say(&s, "{\"status\":\"removing unused layers\"}"), 0);
    assert_int_equal(s.phase, OLLAMA_WRITING);
    assert_int_equal(say(&s, "{\"status\":\"success\"}"), 1);
    assert_int_equal(s.phase, OLLAMA_SUCCESS);
}

static void completed_may_go_back_and_what_was_there_is_not_fetched(void **state)
{
    ARENA_SCOPED a = {0};
    struct ollama_stream s = stream(&a);

    (void)state;
    say(&s, "{\"digest\":\"sha256:aa\",\"total\":100,\"completed\":30}");
    say(&s, "{\"digest\":\"sha256:aa\",\"total\":100,\"completed\":80}");
    assert_int_equal(s.completed, 80);
    say(&s, "{\"digest\":\"sha256:aa\",\"total\":100}");
    assert_int_equal(s.completed, 0);
    assert_int_equal(ollama_stream_fetched(&s), 50);
    say(&s, "{\"digest\":\"sha256:bb\",\"total\":7,\"completed\":7}");
    assert_int_equal(s.completed, 7);
    assert_int_equal(ollama_stream_fetched(&s), 50);
}

static void a_digest_is_a_name_and_needs_no_status(void **state)
{
    ARENA_SCOPED a = {0};
    struct ollama_stream s = stream(&a);

    (void)state;
    say(&s, "{\"digest\":\"sha256:model\",\"total\":5,\"completed\":9}");
    assert_int_equal(s.phase, OLLAMA_PULLING);
    assert_int_equal(s.completed, 5);
    say(&s, "{\"digest\":\"sha256:model\",\"total\":8,\"completed\":9}");
    assert_int_equal(s.total, 8);
    assert_int_equal(s.completed, 8);
    say(&s, "{\"digest\":\"\\u001b[2J\\n\",\"total\":1}");
    assert_string_equal(s.parts.at[1].digest, "\\x1b[2J\\x0a");
    say(&s, "{\"status\":\"something new\"}");
    say(&s, "{}");
    assert_int_equal(s.phase, OLLAMA_PULLING);
}

static void what_cannot_be_read_or_passes_a_limit_is_refused(void **state)
{
    static const struct {
        const char *line;
        enum err_code code;
        const char *says;
    } rows[] = {
        {"<html>", ERR_NET, HEAD ": a line of its answer: broken JSON at line 1, column 1: "},
        {"[1]", ERR_NET, HEAD ": a line of its answer is no object"},
        {"{\"status\":7}", ERR_NET, HEAD ": "},
        {"{\"digest\":\"a\",\"total\":-1}", ERR_NET, HEAD ": "},
        {"{\"digest\":\"a\",\"total\":\"1\"}", ERR_NET, HEAD ": "},
        {"{\"status\":\"a\",\"status\":\"success\"}", ERR_NET, HEAD ": a line of its answer: "},
        {"{\"digest\":\"a\",\"total\":1125899906842625}", ERR_LIMIT,
         HEAD " says a size that no model has"},
        {"{\"error\":\"max retries exceeded: EOF\"}", ERR_NET,
         HEAD " could not fetch it: max retries exceeded: EOF"},
        {"{\"error\":\"\"}", ERR_NET, HEAD " could not pull it: "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ARENA_SCOPED a = {0};
        struct ollama_stream s = stream(&a);
        struct err err = {0};

        assert_int_equal(ollama_stream_line(&s, str_from(rows[i].line), &err), -1);
        if (err.code != rows[i].code || strncmp(err.msg, rows[i].says, strlen(rows[i].says)) != 0)
            fail_msg("%s: %s", rows[i].line, err.msg);
        assert_int_equal(s.parts.len, 0);
    }
}

static void digests_have_a_length_and_a_number(void **state)
{
    ARENA_SCOPED a = {0};
    struct ollama_stream s = stream(&a);
    char line[400];
    struct err err = {0};
    int r = 0;

    (void)state;
    (void)snprintf(line, sizeof(line), "{\"digest\":\"%0200d\",\"total\":1}", 1);
    assert_int_equal(ollama_stream_line(&s, str_from(line), &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_string_equal(err.msg, HEAD " says a digest that is none");
    for (size_t i = 0; i <= OLLAMA_PARTS_MAX && r == 0; i++) {
        (void)snprintf(line, sizeof(line), "{\"digest\":\"%zu\",\"total\":1}", i);
        r = ollama_stream_line(&s, str_from(line), &err);
    }
    assert_int_equal(r, -1);
    assert_int_equal(s.parts.len, OLLAMA_PARTS_MAX);
    assert_string_equal(err.msg, HEAD " says more than 10000 digests");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pull_goes_through_its_phases_to_success),
        cmocka_unit_test(completed_may_go_back_and_what_was_there_is_not_fetched),
        cmocka_unit_test(a_digest_is_a_name_and_needs_no_status),
        cmocka_unit_test(what_cannot_be_read_or_passes_a_limit_is_refused),
        cmocka_unit_test(digests_have_a_length_and_a_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
