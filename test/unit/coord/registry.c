#include "coord/registry.h"

#include <stdlib.h>

#include "../check.h"
#include "../remove_tree.h"
#include "scene.h"

#define TTL_MS  15000
#define KEEP_MS 60000
#define HOUR_MS 3600000
#define BEAT_MS 5000
/* As often as the server ticks. */
#define TICK_MS 250

/* A registry on a file of SQLite, and the hands of its clock. */
struct stage {
    struct arena arena;
    struct hands hands;
    char folder[32];
    struct registry *registry;
    unsigned notes;
};

static void count_note(void *ctx, bool warning, const char *text)
{
    struct stage *s = ctx;

    (void)warning;
    (void)text;
    s->notes++;
}

static void open_registry(struct stage *s)
{
    struct err err = {0};
    struct registry_options options = {
        .clock = &s->hands.clock,
        .data_dir = s->folder,
        .driver = "sqlite",
        .ttl_ms = TTL_MS,
        .keep_ms = KEEP_MS,
        .limits = {.workers = 100, .bytes = (size_t)1 << 20},
        .note = count_note,
        .ctx = s,
    };

    s->registry = registry_open(&s->arena, &options, &err);
    if (s->registry == NULL)
        fail_msg("%s", err.msg);
}

static void set_up(struct stage *s)
{
    *s = (struct stage){.folder = "/tmp/registry-XXXXXX"};
    assert_non_null(mkdtemp(s->folder));
    hands_init(&s->hands);
    open_registry(s);
}

static void tear_down(struct stage *s)
{
    assert_int_equal(s->notes, 0);
    registry_close(&s->registry);
    assert_int_equal(remove_tree(s->folder), 0);
    arena_free(&s->arena);
}

static struct worker *find(const struct stage *s, const char *id)
{
    return view_find(registry_view(s->registry), str_from(id));
}

static uint64_t seq(const struct stage *s)
{
    return view_seq(registry_view(s->registry));
}

static void enrol(struct stage *s, const struct fleet_record *record)
{
    struct err err = {0};

    assert_int_equal(registry_register(s->registry, record, &err), REGISTRY_OK);
}

static void enrol_running(struct stage *s, const char *id)
{
    struct fleet_record record = a_record(id, "i");

    record.state = FLEET_RUNNING;
    enrol(s, &record);
}

/* A beat that says how many bytes have come. */
static void beat(struct stage *s, const char *id, uint64_t bytes)
{
    struct worker *w = find(s, id);
    struct fleet_record said = w->record;
    struct err err = {0};

    said.progress = (struct fleet_progress){.bytes = bytes, .total = 1000000};
    assert_int_equal(registry_beat(s->registry, w, &said, &err), REGISTRY_OK);
}

static void report(struct stage *s, const char *id, enum fleet_state now, uint64_t bytes)
{
    struct worker *w = find(s, id);
    struct fleet_record said = w->record;
    struct err err = {0};

    said.state = now;
    said.progress = (struct fleet_progress){.bytes = bytes, .total = 1000000};
    assert_int_equal(registry_report(s->registry, w, &said, &err), REGISTRY_OK);
}

/* So much time goes by, the registry being called as the server does. */
static void pass(struct stage *s, uint64_t ms)
{
    for (; ms > 0; ms -= ms < TICK_MS ? ms : TICK_MS) {
        hands_turn(&s->hands, ms < TICK_MS ? ms : TICK_MS);
        registry_tick(s->registry);
    }
}

/* Worker w, of which the record is what it said when it registered. */
static struct fleet_record set_up_downloading(struct stage *s, uint64_t bytes)
{
    struct fleet_record record = a_record("w", "i");

    set_up(s);
    record.state = FLEET_DOWNLOADING;
    record.progress = (struct fleet_progress){.bytes = bytes, .total = 1000000};
    enrol(s, &record);
    return record;
}

static void only_what_has_changed_makes_a_change(void **state)
{
    struct stage s;
    struct fleet_record record = set_up_downloading(&s, 7);
    uint64_t before = seq(&s);

    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        pass(&s, BEAT_MS);
        beat(&s, "w", 7);
        report(&s, "w", FLEET_DOWNLOADING, 7);
        enrol(&s, &record);
        assert_int_equal(seq(&s), before);
    }
    report(&s, "w", FLEET_RUNNING, 7);
    assert_true(seq(&s) > before);
    before = seq(&s);
    record.state = FLEET_RUNNING;
    record.reason = "as good as new";
    enrol(&s, &record);
    assert_true(seq(&s) > before);
    tear_down(&s);
}

/* Ten times a second, by beats and by reports that say no more. */
static void progress_makes_a_change_once_a_second_and_the_last_one_is_told(void **state)
{
    struct stage s;
    uint64_t before;

    (void)state;
    (void)set_up_downloading(&s, 0);
    before = seq(&s);
    for (unsigned i = 1; i <= 105; i++) {
        hands_turn(&s.hands, 100);
        registry_tick(s.registry);
        if (i % 2 == 0)
            beat(&s, "w", i);
        else
            report(&s, "w", FLEET_DOWNLOADING, i);
    }
    assert_int_equal(seq(&s) - before, 10);
    assert_int_equal(find(&s, "w")->record.progress.bytes, 105);
    pass(&s, 500);
    assert_int_equal(seq(&s) - before, 11);
    pass(&s, 2000);
    assert_int_equal(seq(&s) - before, 11);
    tear_down(&s);
}

/* An hour ahead, an hour back, two back, while one beats and one is silent. */
static void steps_of_the_wall_clock_lose_nobody_and_keep_nobody(void **state)
{
    const int64_t steps[] = {HOUR_MS, -HOUR_MS, -2 * (int64_t)HOUR_MS, 0};

    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct stage s;

        set_up(&s);
        enrol_running(&s, "beats");
        enrol_running(&s, "silent");
        pass(&s, BEAT_MS);
        s.hands.unix_ms += (uint64_t)steps[i];
        for (unsigned passed = 2 * BEAT_MS; passed <= TTL_MS; passed += BEAT_MS) {
            beat(&s, "beats", 0);
            assert_false(find(&s, "silent")->lost);
            pass(&s, BEAT_MS);
        }
        assert_false(find(&s, "beats")->lost);
        assert_true(find(&s, "silent")->lost);
        tear_down(&s);
    }
}

static void who_is_lost_is_forgotten_after_its_time_whatever_the_wall_clock_says(void **state)
{
    const int64_t steps[] = {HOUR_MS, -HOUR_MS};

    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct stage s;

        set_up(&s);
        enrol_running(&s, "w");
        pass(&s, TTL_MS);
        assert_true(find(&s, "w")->lost);
        s.hands.unix_ms += (uint64_t)steps[i];
        pass(&s, KEEP_MS - TICK_MS);
        assert_non_null(find(&s, "w"));
        pass(&s, 1000);
        assert_null(find(&s, "w"));
        tear_down(&s);
    }
}

static void nobody_is_lost_for_the_time_in_which_the_coordinator_stood_still(void **state)
{
    struct stage s;

    (void)state;
    set_up(&s);
    enrol_running(&s, "w");
    hands_turn(&s.hands, HOUR_MS);
    registry_tick(s.registry);
    pass(&s, TTL_MS - TICK_MS);
    assert_false(find(&s, "w")->lost);
    pass(&s, TICK_MS);
    assert_true(find(&s, "w")->lost);
    tear_down(&s);
}

static void whoever_beats_again_is_no_longer_lost_and_that_is_a_change(void **state)
{
    struct stage s;
    uint64_t before;

    (void)state;
    set_up(&s);
    enrol_running(&s, "w");
    before = seq(&s);
    pass(&s, TTL_MS - TICK_MS);
    assert_false(find(&s, "w")->lost);
    pass(&s, TICK_MS);
    assert_true(find(&s, "w")->lost);
    assert_int_equal(seq(&s), before + 1);
    beat(&s, "w", 0);
    assert_false(find(&s, "w")->lost);
    assert_int_equal(seq(&s), before + 2);
    pass(&s, TTL_MS);
    assert_true(find(&s, "w")->lost);
    tear_down(&s);
}

/* The file says nothing of beats, so its workers have a whole time to live to come back in. */
static void
after_a_restart_on_a_clock_that_went_back_those_that_come_back_are_not_lost(void **state)
{
    struct stage s;

    (void)state;
    set_up(&s);
    enrol_running(&s, "beats");
    enrol_running(&s, "silent");
    registry_close(&s.registry);
    s.hands.unix_ms -= HOUR_MS;
    open_registry(&s);
    pass(&s, TTL_MS - TICK_MS);
    assert_false(find(&s, "silent")->lost);
    beat(&s, "beats", 0);
    pass(&s, TICK_MS);
    assert_true(find(&s, "silent")->lost);
    assert_false(find(&s, "beats")->lost);
    tear_down(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_has_changed_makes_a_change),
        cmocka_unit_test(progress_makes_a_change_once_a_second_and_the_last_one_is_told),
        cmocka_unit_test(steps_of_the_wall_clock_lose_nobody_and_keep_nobody),
        cmocka_unit_test(who_is_lost_is_forgotten_after_its_time_whatever_the_wall_clock_says),
        cmocka_unit_test(nobody_is_lost_for_the_time_in_which_the_coordinator_stood_still),
        cmocka_unit_test(whoever_beats_again_is_no_longer_lost_and_that_is_a_change),
        cmocka_unit_test(
            after_a_restart_on_a_clock_that_went_back_those_that_come_back_are_not_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
