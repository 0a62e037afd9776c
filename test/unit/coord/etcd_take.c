#include "coord/etcd_take.h"

#include "../check.h"
#include "coord/kept.h"

#define OURS   7
#define THEIRS 8
#define TTL_MS 15000

/* A view, what takes etcd's words into it, and a clock whose hands the tests turn. */
struct place {
    struct arena arena;
    uint64_t now_ms;
    struct clock clock;
    struct view *view;
    struct etcd_taking taking;
    int notes;
};

static uint64_t read_hands(const struct clock *c)
{
    const struct place *p = c->ctx;

    return p->now_ms;
}

static void count_note(void *ctx, bool warning, const char *text)
{
    struct place *p = ctx;

    (void)text;
    assert_true(warning);
    p->notes++;
}

static void set_up(struct place *p)
{
    *p = (struct place){.now_ms = 1000000,
                        .clock = {.now_ms = read_hands, .unix_ms = read_hands, .ctx = p}};
    p->view = view_new(&p->arena, &p->clock,
                       &(struct view_limits){.workers = 4, .bytes = (size_t)1 << 20});
    p->taking = (struct etcd_taking){
        .view = p->view, .ttl_ms = TTL_MS, .note = count_note, .ctx = p, .lease = OURS};
}

static void tear_down(struct place *p)
{
    view_free(&p->view);
    arena_free(&p->arena);
}

static struct str key_of(struct place *p, const char *id)
{
    return str_from(str_format(&p->arena, ETCD_WORKERS "%s", id));
}

/* The key of a worker as its coordinator would have put it. */
static struct etcd_kv kv_of(struct place *p, const char *id, enum fleet_state state,
                            uint64_t revision, uint64_t lease)
{
    struct buf value = buf_new(&p->arena, FLEET_MESSAGE_MAX);
    struct worker w = {.record = fleet_record_new(), .since_unix_ms = 5};

    w.record.id = id;
    w.record.instance = "i";
    w.record.host = "h";
    w.record.state = state;
    buf_addc(&value, '{');
    kept_put(&value, &w);
    buf_addc(&value, '}');
    return (struct etcd_kv){
        .key = key_of(p, id), .value = buf_str(&value), .lease = lease, .revision = revision};
}

static struct worker *take_put(struct place *p, const char *id, enum fleet_state state,
                               uint64_t revision, uint64_t lease)
{
    struct etcd_kv kv = kv_of(p, id, state, revision, lease);

    etcd_take(&p->taking, &kv, false);
    return view_find(p->view, str_from(id));
}

static struct worker *take_deleted(struct place *p, const char *id, uint64_t revision)
{
    struct etcd_kv kv = {.key = key_of(p, id), .revision = revision, .deleted = true};

    etcd_take(&p->taking, &kv, false);
    return view_find(p->view, str_from(id));
}

static void take_mark(struct place *p, enum etcd_batch_kind kind, uint64_t revision, bool other)
{
    struct etcd_batch batch = {.kind = kind, .revision = revision, .other_store = other};

    etcd_take_batch(&p->taking, &batch);
}

/* A whole list of kvs as of a revision. */
static void take_list(struct place *p, uint64_t revision, bool other, const struct etcd_kv *kvs,
                      size_t count)
{
    struct etcd_batch batch = {.kind = ETCD_LIST, .kvs = kvs, .count = count};

    take_mark(p, ETCD_LIST_BEGINS, revision, other);
    etcd_take_batch(&p->taking, &batch);
    take_mark(p, ETCD_LIST_ENDS, revision, false);
}

static void the_lease_of_a_key_tells_who_hears_the_beats(void **state)
{
    struct place p;
    const struct worker *w;

    (void)state;
    set_up(&p);
    w = take_put(&p, "w", FLEET_RUNNING, 10, OURS);
    assert_true(w->expected && !w->elsewhere);
    w = take_put(&p, "w", FLEET_RUNNING, 11, THEIRS);
    assert_true(!w->expected && w->elsewhere);
    w = take_put(&p, "w", FLEET_STOPPED, 12, 0);
    assert_true(!w->expected && !w->elsewhere);
    assert_int_equal(w->revision, 12);
    tear_down(&p);
}

static void what_is_older_than_what_is_known_changes_nothing(void **state)
{
    struct place p;
    const struct worker *w;
    uint64_t seq;
    struct etcd_kv kv;

    (void)state;
    set_up(&p);
    (void)take_put(&p, "w", FLEET_RUNNING, 10, OURS);
    seq = view_seq(p.view);
    (void)take_put(&p, "w", FLEET_STARTING, 10, THEIRS);
    (void)take_put(&p, "w", FLEET_STARTING, 9, THEIRS);
    w = take_deleted(&p, "w", 10);
    assert_int_equal(w->record.state, FLEET_RUNNING);
    assert_int_equal(view_seq(p.view), seq);
    /* But what was just read counts, whatever stands in the view. */
    kv = kv_of(&p, "w", FLEET_LAUNCHING, 4, THEIRS);
    etcd_take(&p.taking, &kv, true);
    assert_int_equal(w->record.state, FLEET_LAUNCHING);
    assert_int_equal(w->revision, 4);
    tear_down(&p);
}

static void a_live_key_that_vanishes_is_a_lost_worker_and_a_lasting_one_is_forgotten(void **state)
{
    struct place p;
    const struct worker *w;

    (void)state;
    set_up(&p);
    (void)take_put(&p, "w", FLEET_RUNNING, 10, THEIRS);
    p.now_ms += 50;
    w = take_deleted(&p, "w", 11);
    assert_true(w->lost && !w->elsewhere && !w->expected);
    assert_int_equal(w->since_unix_ms, p.now_ms);
    assert_int_equal(w->revision, 0);
    assert_true(p.taking.unwritten);
    w = take_deleted(&p, "w", 11);
    assert_non_null(w); /* the same, told again */
    (void)take_put(&p, "w", FLEET_STOPPED, 12, 0);
    assert_null(take_deleted(&p, "w", 13));
    assert_null(take_deleted(&p, "w", 14));
    tear_down(&p);
}

static void who_is_not_in_a_list_is_not_there_but_what_is_newer_than_it_stays(void **state)
{
    struct place p;
    struct etcd_kv listed[2];
    uint64_t seq;

    (void)state;
    set_up(&p);
    (void)take_put(&p, "a", FLEET_RUNNING, 10, THEIRS);
    (void)take_put(&p, "b", FLEET_RUNNING, 11, OURS);
    (void)take_put(&p, "c", FLEET_RUNNING, 30, OURS);
    (void)take_put(&p, "d", FLEET_RUNNING, 31, OURS);
    listed[0] = kv_of(&p, "a", FLEET_RUNNING, 10, THEIRS);
    listed[1] = kv_of(&p, "c", FLEET_STARTING, 12, OURS);
    assert_false(p.taking.listed);
    seq = view_seq(p.view);
    take_list(&p, 20, false, listed, 2);
    assert_true(p.taking.listed);
    assert_int_equal(view_seq(p.view), seq + 1); /* b alone has changed */
    assert_false(view_find(p.view, STR("a"))->lost);
    assert_true(view_find(p.view, STR("b"))->lost);
    assert_int_equal(view_find(p.view, STR("c"))->record.state, FLEET_RUNNING);
    assert_int_equal(view_find(p.view, STR("c"))->revision, 30);
    assert_false(view_find(p.view, STR("d"))->lost);
    tear_down(&p);
}

/* Lost and ended workers of a store that is no more are kept, to be written down again. */
static void another_store_counts_from_its_first_revision(void **state)
{
    struct place p;
    struct etcd_kv listed;

    (void)state;
    set_up(&p);
    (void)take_put(&p, "a", FLEET_RUNNING, 100, OURS);
    (void)take_put(&p, "b", FLEET_RUNNING, 101, OURS);
    (void)take_put(&p, "c", FLEET_STOPPED, 102, 0);
    listed = kv_of(&p, "a", FLEET_LAUNCHING, 3, THEIRS);
    take_list(&p, 5, true, &listed, 1);
    assert_int_equal(view_find(p.view, STR("a"))->record.state, FLEET_LAUNCHING);
    assert_true(view_find(p.view, STR("b"))->lost);
    assert_int_equal(view_find(p.view, STR("c"))->record.state, FLEET_STOPPED);
    assert_int_equal(view_find(p.view, STR("c"))->revision, 0);
    assert_true(p.taking.unwritten);
    (void)take_put(&p, "a", FLEET_RUNNING, 6, OURS);
    assert_int_equal(view_find(p.view, STR("a"))->record.state, FLEET_RUNNING);
    tear_down(&p);
}

static void a_lost_lease_leaves_no_worker_that_is_ours(void **state)
{
    struct place p;
    const struct worker *live;
    const struct worker *ended;

    (void)state;
    set_up(&p);
    live = take_put(&p, "a", FLEET_RUNNING, 10, OURS);
    ended = take_put(&p, "b", FLEET_STOPPED, 11, 0);
    etcd_disown(&p.taking);
    assert_true(live->elsewhere && !live->expected);
    assert_false(ended->elsewhere);
    assert_null(view_latest(p.view));
    tear_down(&p);
}

static void a_beat_elsewhere_is_never_longer_ago_than_the_time_to_live(void **state)
{
    struct place p;
    const struct worker *elsewhere;
    const struct worker *ours;

    (void)state;
    set_up(&p);
    elsewhere = take_put(&p, "a", FLEET_RUNNING, 10, THEIRS);
    ours = take_put(&p, "b", FLEET_RUNNING, 11, OURS);
    p.now_ms += 5000;
    etcd_vouch(&p.taking);
    assert_int_equal(view_listed(p.view, elsewhere).last_beat_s, 5);
    p.now_ms += 100000;
    etcd_vouch(&p.taking);
    assert_int_equal(view_listed(p.view, elsewhere).last_beat_s, TTL_MS / 1000);
    assert_int_equal(view_listed(p.view, ours).last_beat_s, 105);
    tear_down(&p);
}

static void what_cannot_be_taken_is_passed_over_and_said_once(void **state)
{
    struct place p;
    struct etcd_kv kv;

    (void)state;
    set_up(&p);
    for (const char *const *text = (const char *const[]){"", "{", "{}", "[]", NULL}; *text != NULL;
         text++) {
        kv = (struct etcd_kv){.key = key_of(&p, "w"), .value = str_from(*text), .revision = 3};
        etcd_take(&p.taking, &kv, false);
    }
    kv = kv_of(&p, "other", FLEET_RUNNING, 4, OURS);
    kv.key = key_of(&p, "w");
    etcd_take(&p.taking, &kv, false);
    assert_int_equal(view_count(p.view), 0);
    assert_int_equal(p.notes, 1);
    kv.key = STR(ETCD_COORDINATORS "7");
    etcd_take(&p.taking, &kv, false);
    assert_int_equal(p.notes, 1);
    for (const char *const *id = (const char *const[]){"a", "b", "c", "d", "e", NULL}; *id != NULL;
         id++)
        (void)take_put(&p, *id, FLEET_RUNNING, 5, OURS);
    assert_int_equal(view_count(p.view), 4);
    tear_down(&p);
}

static void a_state_that_stays_the_same_keeps_its_time(void **state)
{
    struct place p;
    const struct worker *w;
    uint64_t since_ms;

    (void)state;
    set_up(&p);
    w = take_put(&p, "w", FLEET_RUNNING, 10, THEIRS);
    since_ms = w->since_ms;
    p.now_ms += 1000;
    (void)take_put(&p, "w", FLEET_RUNNING, 11, OURS);
    assert_int_equal(w->since_ms, since_ms);
    (void)take_put(&p, "w", FLEET_DRAINING, 12, OURS);
    assert_int_equal(w->since_ms, since_ms + 1000);
    tear_down(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lease_of_a_key_tells_who_hears_the_beats),
        cmocka_unit_test(what_is_older_than_what_is_known_changes_nothing),
        cmocka_unit_test(a_live_key_that_vanishes_is_a_lost_worker_and_a_lasting_one_is_forgotten),
        cmocka_unit_test(who_is_not_in_a_list_is_not_there_but_what_is_newer_than_it_stays),
        cmocka_unit_test(another_store_counts_from_its_first_revision),
        cmocka_unit_test(a_lost_lease_leaves_no_worker_that_is_ours),
        cmocka_unit_test(a_beat_elsewhere_is_never_longer_ago_than_the_time_to_live),
        cmocka_unit_test(what_cannot_be_taken_is_passed_over_and_said_once),
        cmocka_unit_test(a_state_that_stays_the_same_keeps_its_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
