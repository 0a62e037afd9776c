#include "coord/events.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../check.h"
#include "scene.h"

#define TEXT_MAX ((size_t)8 << 20)

/* A view with a clock of its own, and the frames of one client. */
struct stage {
    struct arena arena;
    struct hands hands;
    struct view *view;
    struct events events;
};

static void open_stage(struct stage *s, struct str last_id)
{
    *s = (struct stage){0};
    hands_init(&s->hands);
    s->view = view_new(&s->arena, &s->hands.clock,
                       &(struct view_limits){.workers = 100000, .bytes = 64 << 20});
    events_init(&s->events, s->view, last_id);
}

static void close_stage(struct stage *s)
{
    events_done(&s->events);
    view_free(&s->view);
    arena_free(&s->arena);
}

static void add(struct stage *s, const char *id)
{
    struct fleet_record record = a_record(id, "i");

    (void)view_add(s->view, &record);
}

static void change(struct stage *s, const char *id)
{
    view_changed(s->view, view_find(s->view, str_from(id)));
}

static void drop(struct stage *s, const char *id)
{
    view_remove(s->view, view_find(s->view, str_from(id)));
}

/* What is to be written now, taken in pieces of so many bytes. */
static const char *take(struct stage *s, size_t piece)
{
    struct buf text = buf_new(&s->arena, TEXT_MAX);
    char part[4096];
    size_t len;

    while ((len = events_read(&s->events, part, piece)) > 0)
        buf_add(&text, (struct str){part, len});
    assert_false(text.cut);
    assert_false(events_due(&s->events));
    return buf_str(&text).len > 0 ? text.ptr : "";
}

/* The client comes back with the id that it saw last. */
static void resume(struct stage *s, const char *last_id)
{
    events_done(&s->events);
    events_init(&s->events, s->view, str_from(last_id));
}

static const char *id_of(struct stage *s, uint64_t seq)
{
    return str_format(&s->arena, "%s-%" PRIu64, view_epoch(s->view), seq);
}

static void assert_head(struct stage *s, const char *text, const char *event, const char *rest)
{
    assert_string_equal(text, str_format(&s->arena, "event: %s\nid: %s\ndata: {%s]}\n\n", event,
                                         id_of(s, view_seq(s->view)), rest));
}

/* The ids of the workers of a frame, in its order. */
static const char *ids_in(struct stage *s, const char *text)
{
    struct buf ids = buf_new(&s->arena, TEXT_MAX);
    const char *at = strstr(text, "\"workers\":[");

    while (at != NULL && (at = strstr(at, "{\"id\":\"")) != NULL) {
        at += strlen("{\"id\":\"");
        buf_addf(&ids, "%.*s ", (int)strcspn(at, "\""), at);
    }
    return ids.len > 0 ? ids.ptr : "";
}

static void the_first_frame_is_a_reset_with_all_that_is_known(void **state)
{
    struct stage s;
    const char *text;

    (void)state;
    open_stage(&s, (struct str){0});
    assert_true(events_due(&s.events));
    assert_head(&s, take(&s, 4096), "reset", "\"workers\":[");
    add(&s, "a");
    add(&s, "b");
    change(&s, "a");
    resume(&s, "");
    text = take(&s, 4096);
    assert_ptr_equal(strstr(text, "event: reset\n"), text);
    assert_null(strstr(text, "\"gone\""));
    assert_string_equal(ids_in(&s, text), "b a ");
    close_stage(&s);
}

static void nothing_new_is_a_comment_now_and_then(void **state)
{
    struct stage s;

    (void)state;
    open_stage(&s, (struct str){0});
    add(&s, "a");
    (void)take(&s, 4096);
    for (unsigned i = 0; i < 3; i++) {
        hands_turn(&s.hands, EVENTS_IDLE_MS - 1);
        assert_string_equal(take(&s, 4096), "");
        hands_turn(&s.hands, 1);
        assert_string_equal(take(&s, 4096), ":\n\n");
    }
    close_stage(&s);
}

static void who_comes_back_gets_what_it_missed_and_no_more(void **state)
{
    struct stage s;
    const char *seen;

    (void)state;
    open_stage(&s, (struct str){0});
    add(&s, "a");
    add(&s, "b");
    add(&s, "c");
    seen = id_of(&s, view_seq(s.view));
    resume(&s, seen);
    assert_string_equal(take(&s, 4096), ":\n\n");
    change(&s, "b");
    add(&s, "d");
    change(&s, "b");
    drop(&s, "c");
    resume(&s, seen);
    assert_string_equal(ids_in(&s, take(&s, 4096)), "d b ");
    resume(&s, seen);
    assert_non_null(strstr(take(&s, 4096), "event: change\n"));
    resume(&s, seen);
    assert_non_null(strstr(take(&s, 4096), "data: {\"gone\":[\"c\"],\"workers\":[{"));
    resume(&s, id_of(&s, view_seq(s.view) - 1));
    assert_head(&s, take(&s, 4096), "change", "\"gone\":[\"c\"],\"workers\":[");
    close_stage(&s);
}

static void an_id_that_is_unknown_gets_a_reset(void **state)
{
    struct stage s;

    (void)state;
    open_stage(&s, (struct str){0});
    for (size_t i = 0; i < 12; i++)
        add(&s, str_format(&s.arena, "%zu", i));
    for (size_t i = 0; i < 9; i++) {
        const char *epoch = view_epoch(s.view);
        const char *ids[] = {
            "",
            "-",
            "nonsense",
            epoch,
            str_format(&s.arena, "%s-", epoch),
            str_format(&s.arena, "%s--1", epoch),
            str_format(&s.arena, "%s-13", epoch),
            str_format(&s.arena, "%s-99999999999999999999999", epoch),
            str_format(&s.arena, "%.15sx-5", epoch),
        };

        resume(&s, ids[i]);
        assert_non_null(strstr(take(&s, 4096), "event: reset\n"));
        resume(&s, str_format(&s.arena, "%s-5", epoch));
        assert_non_null(strstr(take(&s, 4096), "event: change\n"));
    }
    close_stage(&s);
}

static void an_id_that_is_older_than_what_is_remembered_gets_a_reset(void **state)
{
    struct stage s;
    uint64_t seen;

    (void)state;
    open_stage(&s, (struct str){0});
    add(&s, "stays");
    add(&s, "first");
    drop(&s, "first");
    seen = view_seq(s.view) - 1; /* saw it come, not go */
    for (size_t i = 1; i < VIEW_GONE_MAX; i++) {
        add(&s, "next");
        drop(&s, "next");
    }
    resume(&s, id_of(&s, seen));
    assert_non_null(strstr(take(&s, 4096), "{\"gone\":[\"first\",\"next\",\"next\","));
    add(&s, "last");
    drop(&s, "last");
    resume(&s, id_of(&s, seen));
    assert_non_null(strstr(take(&s, 4096), "event: reset\n"));
    /* Who saw the first one go misses nothing that was forgotten. */
    resume(&s, id_of(&s, seen + 1));
    assert_non_null(strstr(take(&s, 4096), "data: {\"gone\":[\"next\",\"next\","));
    close_stage(&s);
}

/* No worker stands in that frame, so no worker's number says how far the client is. */
static void who_has_left_is_told_once(void **state)
{
    struct stage s;

    (void)state;
    open_stage(&s, (struct str){0});
    add(&s, "stays");
    add(&s, "goes");
    (void)take(&s, 4096);
    drop(&s, "goes");
    hands_turn(&s.hands, EVENTS_MS);
    assert_head(&s, take(&s, 4096), "change", "\"gone\":[\"goes\"],\"workers\":[");
    hands_turn(&s.hands, EVENTS_MS);
    assert_false(events_due(&s.events));
    assert_string_equal(take(&s, 4096), "");
    close_stage(&s);
}

static void a_client_that_falls_behind_what_is_remembered_gets_a_reset_on_its_line(void **state)
{
    struct stage s;
    const char *text;

    (void)state;
    open_stage(&s, (struct str){0});
    add(&s, "stays");
    (void)take(&s, 4096);
    for (size_t i = 0; i <= VIEW_GONE_MAX; i++) {
        add(&s, "next");
        drop(&s, "next");
    }
    hands_turn(&s.hands, EVENTS_MS);
    text = take(&s, 4096);
    assert_ptr_equal(strstr(text, "event: reset\n"), text);
    assert_string_equal(ids_in(&s, text), "stays ");
    close_stage(&s);
}

static void there_are_four_frames_a_second_at_most_and_the_last_change_is_told(void **state)
{
    struct stage s;
    unsigned frames = 0;
    const char *last = "";

    (void)state;
    open_stage(&s, (struct str){0});
    add(&s, "a");
    (void)take(&s, 4096);
    for (unsigned i = 0; i < 1000; i++) {
        const char *text;

        change(&s, "a");
        hands_turn(&s.hands, 10);
        text = take(&s, 4096);
        frames += text[0] != '\0';
        last = text[0] != '\0' ? text : last;
    }
    assert_int_equal(frames, 40);
    assert_non_null(strstr(last, id_of(&s, view_seq(s.view))));
    close_stage(&s);
}

static void what_changes_while_a_frame_is_written_stands_in_the_next(void **state)
{
    struct stage s;
    char part[4096];
    const char *next;
    struct buf text;
    size_t len;

    (void)state;
    open_stage(&s, (struct str){0});
    for (size_t i = 0; i < 500; i++)
        add(&s, str_format(&s.arena, "w%03zu", i));
    text = buf_new(&s.arena, TEXT_MAX);
    /* Far enough for one piece of text to be taken, and more to be made. */
    while (text.len < 40000 && (len = events_read(&s.events, part, 100)) > 0)
        buf_add(&text, (struct str){part, len});
    assert_non_null(strstr(text.ptr, "\"id\":\"w000\""));
    assert_null(strstr(text.ptr, "\"id\":\"w499\""));
    change(&s, "w000");
    change(&s, "w499");
    drop(&s, "w498");
    drop(&s, "w001");
    add(&s, "w001");
    while ((len = events_read(&s.events, part, 100)) > 0)
        buf_add(&text, (struct str){part, len});
    assert_null(strstr(text.ptr, "\"id\":\"w498\""));
    assert_null(strstr(text.ptr, "\"id\":\"w499\""));
    assert_non_null(strstr(text.ptr, "\"id\":\"w497\""));
    assert_non_null(strstr(text.ptr, "]}\n\n"));
    assert_null(strstr(text.ptr, "event: change"));
    hands_turn(&s.hands, EVENTS_MS);
    next = take(&s, 4096);
    assert_non_null(strstr(next, "{\"gone\":[\"w498\",\"w001\"],"));
    assert_string_equal(ids_in(&s, next), "w000 w499 w001 ");
    close_stage(&s);
}

static void a_client_that_takes_single_bytes_gets_the_same(void **state)
{
    struct stage s;
    const char *whole;

    (void)state;
    open_stage(&s, (struct str){0});
    for (size_t i = 0; i < 300; i++)
        add(&s, str_format(&s.arena, "\"\\\n%zu", i));
    whole = take(&s, 4096);
    resume(&s, "");
    assert_string_equal(take(&s, 1), whole);
    /* A name of many lines is one line of data. */
    assert_int_equal(strcspn(strstr(whole, "data: "), "\n") +
                         (size_t)(strstr(whole, "data: ") - whole) + 2,
                     strlen(whole));
    close_stage(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_frame_is_a_reset_with_all_that_is_known),
        cmocka_unit_test(nothing_new_is_a_comment_now_and_then),
        cmocka_unit_test(who_comes_back_gets_what_it_missed_and_no_more),
        cmocka_unit_test(an_id_that_is_unknown_gets_a_reset),
        cmocka_unit_test(an_id_that_is_older_than_what_is_remembered_gets_a_reset),
        cmocka_unit_test(who_has_left_is_told_once),
        cmocka_unit_test(a_client_that_falls_behind_what_is_remembered_gets_a_reset_on_its_line),
        cmocka_unit_test(there_are_four_frames_a_second_at_most_and_the_last_change_is_told),
        cmocka_unit_test(what_changes_while_a_frame_is_written_stands_in_the_next),
        cmocka_unit_test(a_client_that_takes_single_bytes_gets_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
