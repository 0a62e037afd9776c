#include "../transfer/scripted.h"
#include "transfer/http.h"
#include "worker/ready.h"

#define OK(body)           "HTTP/1.1 200 OK\r\n\r\n" body
#define STATUS(code, body) "HTTP/1.1 " #code " Such\r\n\r\n" body
#define TAGS(name)         OK("{\"models\":[{\"name\":\"other\"},{\"name\":\"" name "\"}]}")
#define NAMES(...)         ((const char *const[]){__VA_ARGS__, NULL})

/* One try of a check against a server that plays these answers; its port goes into check->url. */
struct trying {
    struct arena arena;
    struct scripted server;
    struct err err;
};

static int try_it(struct trying *t, struct ready_check check, const char *const *answers)
{
    struct net_config net = {.clock = clock_real(), .give_up_ms = 1000};
    struct http_client *client;
    int r;

    *t = (struct trying){0};
    scripted_start(&t->server, answers);
    client = http_client_new(&net, &t->err);
    assert_non_null(client);
    check.url = str_format(&t->arena, "http://127.0.0.1:%u", t->server.port);
    r = ready_try(&check, &t->arena, client, NULL, &t->err);
    scripted_stop(&t->server);
    http_client_free(&client);
    return r;
}

/* Which paths were asked, one a line. */
static const char *asked(struct trying *t)
{
    const char *all = "";

    for (size_t i = 0; i < t->server.asked; i++) {
        struct str rest = str_from(t->server.requests[i]);
        struct str method;
        struct str path;

        (void)str_cut(&rest, ' ', &method);
        (void)str_cut(&rest, ' ', &path);
        all = str_format(&t->arena, "%s" STR_FMT " " STR_FMT "\n", all, STR_ARG(method),
                         STR_ARG(path));
    }
    return all;
}

static void an_address_answers_with_any_status_of_success(void **state)
{
    static const struct {
        const char *answer;
        int got;
    } rows[] = {{OK(""), 0},           {STATUS(204, ""), 0},   {STATUS(299, "x"), 0},
                {STATUS(304, ""), -1}, {STATUS(404, "x"), -1}, {STATUS(503, "x"), -1}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct trying t;

        assert_int_equal(
            try_it(&t, (struct ready_check){.kind = READY_HTTP}, NAMES(rows[i].answer)),
            rows[i].got);
        assert_int_equal(t.server.asked, 1);
        if (rows[i].got < 0)
            assert_non_null(strstr(t.err.msg, "answers with status "));
        arena_free(&t.arena);
    }
}

static void vllm_must_be_healthy_first_and_then_list_all_names(void **state)
{
    static const char healthy[] = OK("");
    static const char two[] = OK("{\"data\":[{\"id\":\"A\"},{\"id\":\"b\"}]}");
    const struct ready_check of = {.kind = READY_VLLM, .names = NAMES("a", "B")};
    struct trying t;

    (void)state;
    assert_int_equal(try_it(&t, of, NAMES(STATUS(503, ""))), -1);
    assert_string_equal(asked(&t), "GET /health\n");
    arena_free(&t.arena);

    assert_int_equal(try_it(&t, of, NAMES(healthy, two)), 0);
    assert_string_equal(asked(&t), "GET /health\nGET /v1/models\n");
    arena_free(&t.arena);

    assert_int_equal(try_it(&t, of, NAMES(healthy, OK("{\"data\":[{\"id\":\"A\"}]}"))), -1);
    assert_non_null(strstr(t.err.msg, "/v1/models does not list B yet"));
    arena_free(&t.arena);
}

static void what_is_no_list_lists_nothing(void **state)
{
    static const char *const bodies[] = {
        OK("{}"),
        OK("{\"models\":null}"),
        OK("{\"models\":{\"name\":\"m\"}}"),
        OK("{\"models\":[\"m\",1,null,[{\"name\":\"m\"}],{\"name\":1},{\"title\":\"m\"}]}"),
        OK("[]"),
        OK("not JSON"),
        OK(""),
    };
    const struct ready_check of = {.kind = READY_OLLAMA, .names = NAMES("m")};

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct trying t;

        assert_int_equal(try_it(&t, of, NAMES(bodies[i])), -1);
        assert_true(t.err.code == ERR_NET);
        arena_free(&t.arena);
    }
}

static void ollama_is_not_asked_to_load_unless_that_is_wanted(void **state)
{
    struct ready_check of = {.kind = READY_OLLAMA, .names = NAMES("llava:7b")};
    struct trying t;

    (void)state;
    assert_int_equal(try_it(&t, of, NAMES(TAGS("llava:7b"))), 0);
    assert_string_equal(asked(&t), "GET /api/tags\n");
    arena_free(&t.arena);

    of.preload_ms = 5000;
    assert_int_equal(try_it(&t, of, NAMES(TAGS("llava:7b"), OK("{}"))), 0);
    assert_string_equal(asked(&t), "GET /api/tags\nPOST /api/generate\n");
    arena_free(&t.arena);

    assert_int_equal(try_it(&t, of, NAMES(TAGS("other"), OK("{}"))), -1);
    assert_string_equal(asked(&t), "GET /api/tags\n");
    arena_free(&t.arena);
}

static void what_only_embeds_is_loaded_by_embedding_and_nothing_else_is(void **state)
{
    static const char embeds[] = STATUS(400, "{\"error\":\"\\\"m\\\" does not support generate\"}");
    const struct ready_check of = {.kind = READY_OLLAMA, .names = NAMES("m"), .preload_ms = 5000};
    struct trying t;

    (void)state;
    assert_int_equal(try_it(&t, of, NAMES(TAGS("m"), embeds, OK("{}"))), 0);
    assert_string_equal(asked(&t), "GET /api/tags\nPOST /api/generate\nPOST /api/embed\n");
    arena_free(&t.arena);

    assert_int_equal(try_it(&t, of, NAMES(TAGS("m"), STATUS(500, "no memory"))), -1);
    assert_string_equal(asked(&t), "GET /api/tags\nPOST /api/generate\n");
    assert_non_null(strstr(t.err.msg, "cannot load m: it answers with status 500: no memory"));
    arena_free(&t.arena);
}

static void a_port_takes_connections_or_does_not(void **state)
{
    struct ready_check of = {.kind = READY_TCP};
    struct scripted s;
    struct err err = {0};

    (void)state;
    scripted_start(&s, NAMES(OK("")));
    of.port = (uint16_t)s.port;
    assert_int_equal(ready_try(&of, NULL, NULL, NULL, &err), 0);
    scripted_stop(&s);
    assert_int_equal(ready_try(&of, NULL, NULL, NULL, &err), -1);
    assert_non_null(strstr(err.msg, "of this host takes no connection"));
}

static void a_command_must_end_with_status_0(void **state)
{
    static const struct {
        const char *script;
        const char *why; /* NULL: it holds */
    } rows[] = {
        {"exit 0", NULL},
        {"test \"$A\" = 1", NULL},
        {"exit 3", "/bin/sh ended with status 3"},
        {"kill -KILL $$", "/bin/sh ended with signal 9"},
    };
    char *variables[] = {(char[]){"A=1"}, NULL};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char script[32];
        char *argv[] = {(char[]){"/bin/sh"}, (char[]){"-c"}, script, NULL};
        const struct ready_check of = {.kind = READY_CMD, .argv = argv};
        struct err err = {0};

        (void)snprintf(script, sizeof(script), "%s", rows[i].script);
        assert_int_equal(ready_try(&of, NULL, NULL, variables, &err), rows[i].why == NULL ? 0 : -1);
        assert_string_equal(err.msg, rows[i].why == NULL ? "" : rows[i].why);
    }
}

static void a_command_that_is_not_there_is_not_ready(void **state)
{
    char *argv[] = {(char[]){"/nowhere/at-all"}, NULL};
    char *variables[] = {NULL};
    const struct ready_check of = {.kind = READY_CMD, .argv = argv};
    struct err err = {0};

    (void)state;
    assert_int_equal(ready_try(&of, NULL, NULL, variables, &err), -1);
    assert_string_equal(err.msg, "/nowhere/at-all ended with status 127");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_answers_with_any_status_of_success),
        cmocka_unit_test(vllm_must_be_healthy_first_and_then_list_all_names),
        cmocka_unit_test(what_is_no_list_lists_nothing),
        cmocka_unit_test(ollama_is_not_asked_to_load_unless_that_is_wanted),
        cmocka_unit_test(what_only_embeds_is_loaded_by_embedding_and_nothing_else_is),
        cmocka_unit_test(a_port_takes_connections_or_does_not),
        cmocka_unit_test(a_command_must_end_with_status_0),
        cmocka_unit_test(a_command_that_is_not_there_is_not_ready),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
