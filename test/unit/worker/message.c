#include "worker/message.h"

#include <string.h>

#include "../check.h"

static struct fleet_record record(enum fleet_state state)
{
    struct fleet_record r = fleet_record_new();

    r.id = "w";
    r.instance = "i1";
    r.host = "h";
    r.state = state;
    r.gpus = STR("[{\"uuid\":\"GPU-1\"}]");
    return r;
}

static const char *body(struct arena *a, enum beats_message kind, const struct fleet_record *taken,
                        const struct fleet_record *now, bool lean)
{
    struct message_moves moves = {0};

    return str_dup(a, message_body(a, kind, taken, now, &moves, lean));
}

static void a_registration_has_all_and_a_report_what_changed(void **state)
{
    ARENA_SCOPED a = {0};
    struct fleet_record taken = record(FLEET_RUNNING);
    struct fleet_record now = record(FLEET_RUNNING);

    (void)state;
    now.url = "http://10.0.0.7:8000";
    assert_int_equal(message_change(&taken, &now), BEATS_MEMBERS);
    assert_non_null(strstr(body(&a, BEATS_REGISTER, &taken, &now, false), "GPU-1"));
    assert_null(strstr(body(&a, BEATS_REGISTER, &taken, &now, true), "GPU-1"));
    assert_string_equal(body(&a, BEATS_REPORT, &taken, &now, false),
                        "{\"instance\":\"i1\",\"url\":\"http://10.0.0.7:8000\"}");
    now = record(FLEET_RUNNING);
    assert_int_equal(message_change(&taken, &now), BEATS_SAME);
    now.progress.bytes = 5;
    assert_int_equal(message_change(&taken, &now), BEATS_PROGRESS);
    assert_string_equal(body(&a, BEATS_BEAT, &taken, &now, false),
                        "{\"instance\":\"i1\",\"progress\":{\"bytes\":5,\"total\":0,\"bps\":0}}");
    now.state = FLEET_DRAINING;
    assert_int_equal(message_change(&taken, &now), BEATS_STATE);
}

static void what_was_missed_is_told_oldest_first_and_within_a_limit(void **state)
{
    ARENA_SCOPED a = {0};
    struct fleet_record now = record(FLEET_RUNNING);
    struct message_moves moves = {0};
    const char *text;

    (void)state;
    message_moved(&moves, FLEET_GATING, 1000);
    message_moved(&moves, FLEET_LAUNCHING, 2000);
    message_moved(&moves, FLEET_RUNNING, 3000);
    text = str_dup(&a, message_body(&a, BEATS_REGISTER, &now, &now, &moves, false));
    assert_non_null(
        strstr(text, "\"missed\":[{\"state\":\"gating\",\"since\":\"1970-01-01T00:00:01.000Z\"},"
                     "{\"state\":\"launching\",\"since\":\"1970-01-01T00:00:02.000Z\"}]"));
    for (uint64_t i = 0; i < 100; i++)
        message_moved(&moves, FLEET_LAUNCHING, 4000 + i);
    assert_int_equal(moves.count, MESSAGE_MISSED_MAX + 1);
    assert_int_equal(moves.at[moves.count - 1].unix_ms, 4099);
}

static void the_last_message_says_how_it_ended(void **state)
{
    ARENA_SCOPED a = {0};
    struct fleet_record now = record(FLEET_FAILED);
    struct message_moves moves = {0};
    const char *text;

    (void)state;
    now.reason = "vllm \"x\" ended";
    text = str_dup(&a, message_leave(&a, &now, &moves));
    assert_non_null(strstr(text, "\"state\":\"failed\""));
    assert_non_null(strstr(text, "\"reason\":\"vllm \\\"x\\\" ended\""));
    assert_non_null(strstr(text, "\"instance\":\"i1\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_registration_has_all_and_a_report_what_changed),
        cmocka_unit_test(what_was_missed_is_told_oldest_first_and_within_a_limit),
        cmocka_unit_test(the_last_message_says_how_it_ended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
