#include "gpu/place.h"

#include <string.h>

#include "../check.h"

#define ITEMS   4
#define OPTIONS 3
#define GPUS    4
#define LOADS   20000

/* A small world made of a seed. */
struct world {
    struct place_gpu gpus[GPUS];
    struct place_option options[ITEMS][OPTIONS];
    struct place_item items[ITEMS];
    uint8_t links[GPUS * GPUS];
    struct place_ask ask;
};

static uint64_t next(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 33;
}

static bool one_in(uint64_t *seed, uint64_t n)
{
    return next(seed) % n == 0;
}

static struct place_option random_option(uint64_t *seed)
{
    static const uint32_t tps[] = {1, 1, 1, 2, 2, 4, 0};

    return (struct place_option){
        .need_mib = 1 + next(seed) % 12,
        .tp = tps[next(seed) % 7],
        .min_sm = one_in(seed, 6) ? 80 : 0,
        .gpus = one_in(seed, 6) ? 1 + next(seed) % 15 : 0,
        .quality = (uint32_t)(next(seed) % 4),
        .counts_less = one_in(seed, 4),
    };
}

static void make_world(struct world *w, uint64_t seed)
{
    uint64_t s = seed * 977 + 13;
    size_t gpus = 1 + next(&s) % GPUS, items = 1 + next(&s) % ITEMS;

    *w = (struct world){0};
    for (size_t g = 0; g < gpus; g++) {
        uint32_t class_id = (uint32_t)(next(&s) % 2);

        w->gpus[g] = (struct place_gpu){.capacity_mib = one_in(&s, 3) ? 8 + next(&s) % 12 : 12,
                                        .class_id = class_id,
                                        .group = one_in(&s, 5),
                                        .sm = class_id == 0 ? 89 : 75,
                                        .exclusive = one_in(&s, 6),
                                        .no_sets = one_in(&s, 6)};
    }
    for (size_t i = 0; i < items; i++) {
        size_t count = next(&s) % (OPTIONS + 1);

        for (size_t k = 0; k < count; k++)
            w->options[i][k] = random_option(&s);
        w->items[i] = (struct place_item){
            .options = w->options[i],
            .option_count = count,
            .priority = (uint32_t)(next(&s) % 3),
            .required = !one_in(&s, 3),
            .pinned = one_in(&s, 5) ? 1 + next(&s) % 15 : 0,
            .current = one_in(&s, 3) ? UINT64_C(1) << next(&s) % gpus : 0,
            .apart = one_in(&s, 6) ? next(&s) % 16 & ~(UINT64_C(1) << i) : 0,
        };
        if (one_in(&s, 6))
            w->items[i].current = 3;
    }
    for (size_t g = 0; g < gpus; g++) {
        for (size_t k = 0; k < g; k++) {
            uint8_t link = (uint8_t)(next(&s) % 3);

            w->links[g * gpus + k] = link;
            w->links[k * gpus + g] = link;
        }
    }
    w->ask = (struct place_ask){.gpus = w->gpus,
                                .gpu_count = gpus,
                                .items = w->items,
                                .item_count = items,
                                .links = one_in(&s, 2) ? w->links : NULL,
                                .spread = one_in(&s, 2)};
}

/* ---- a search that tries everything, and judges by the words of the header ---- */

static bool suits(const struct place_ask *ask, const struct place_item *item,
                  const struct place_option *o, size_t g)
{
    return !(o->tp > 1 && ask->gpus[g].no_sets) && (o->gpus == 0 || (o->gpus >> g & 1) != 0) &&
           (item->pinned == 0 || (item->pinned >> g & 1) != 0) &&
           (ask->gpus[g].sm == 0 || ask->gpus[g].sm >= o->min_sm);
}

static bool is_a_set(const struct place_ask *ask, const struct place_item *item,
                     const struct place_choice *c)
{
    const struct place_option *o = &item->options[c->option];
    size_t first = (size_t)__builtin_ctzll(c->gpus | UINT64_C(1) << 63);

    if ((uint32_t)__builtin_popcountll(c->gpus) != o->tp)
        return false;
    for (size_t g = first; g < ask->gpu_count; g++) {
        if ((c->gpus >> g & 1) != 0 &&
            (ask->gpus[g].class_id != ask->gpus[first].class_id ||
             ask->gpus[g].group != ask->gpus[first].group || !suits(ask, item, o, g)))
            return false;
    }
    return true;
}

static bool has_room(const struct place_ask *ask, const struct place_choice *c, size_t g)
{
    uint64_t sum = 0, there = 0;

    for (size_t i = 0; i < ask->item_count; i++) {
        if (!c[i].placed || !(c[i].gpus >> g & 1))
            continue;
        sum += ask->items[i].options[c[i].option].need_mib;
        there |= UINT64_C(1) << i;
    }
    for (size_t i = 0; i < ask->item_count; i++) {
        if ((there >> i & 1) != 0 && (there & ask->items[i].apart) != 0)
            return false;
    }
    return sum <= ask->gpus[g].capacity_mib &&
           !(ask->gpus[g].exclusive && __builtin_popcountll(there) > 1);
}

static bool is_allowed(const struct place_ask *ask, const struct place_choice *c)
{
    bool good = true;

    for (size_t i = 0; i < ask->item_count; i++)
        good &= !c[i].placed || is_a_set(ask, &ask->items[i], &c[i]);
    for (size_t g = 0; g < ask->gpu_count; g++)
        good &= has_room(ask, c, g);
    return good;
}

/* Placed ones of one kind at each priority, the highest first. */
static int compare_placed(const struct place_ask *ask, const struct place_choice *a,
                          const struct place_choice *b, bool required)
{
    for (int priority = 3; priority >= 0; priority--) {
        int more = 0;

        for (size_t i = 0; i < ask->item_count; i++) {
            if ((int)ask->items[i].priority == priority && ask->items[i].required == required)
                more += a[i].placed - b[i].placed;
        }
        if (more != 0)
            return more;
    }
    return 0;
}

static int64_t worst_link(const struct place_ask *ask, uint64_t gpus)
{
    int64_t worst = 0;

    for (size_t i = 0; ask->links != NULL && i < ask->gpu_count * ask->gpu_count; i++) {
        uint64_t pair = UINT64_C(1) << i / ask->gpu_count | UINT64_C(1) << i % ask->gpu_count;

        if ((gpus & pair) == pair && __builtin_popcountll(pair) == 2 && ask->links[i] > worst)
            worst = ask->links[i];
    }
    return worst;
}

/* Of one placed item, by the order of what counts. */
static int64_t worth(const struct place_ask *ask, const struct place_item *item,
                     const struct place_choice *c, int what)
{
    const struct place_option *o = &item->options[c->option];
    const int64_t all[] = {!o->counts_less, (int64_t)o->quality,
                           c->gpus != 0 && (item->current | c->gpus) == item->current,
                           o->tp > 1 ? -(int64_t)o->tp : 0, -worst_link(ask, c->gpus)};

    return all[what];
}

static int64_t sum_of(const struct place_ask *ask, const struct place_choice *c, int what)
{
    int64_t sum = 0;

    for (size_t i = 0; i < ask->item_count; i++)
        sum += c[i].placed ? worth(ask, &ask->items[i], &c[i], what) : 0;
    return sum;
}

static int64_t use_of(const struct place_ask *ask, const struct place_choice *c)
{
    int64_t used = 0, least = INT64_MAX;

    for (size_t g = 0; g < ask->gpu_count; g++) {
        int64_t rest = (int64_t)ask->gpus[g].capacity_mib;
        bool busy = false;

        for (size_t i = 0; i < ask->item_count; i++) {
            if (!c[i].placed || !(c[i].gpus >> g & 1))
                continue;
            busy = true;
            rest -= (int64_t)ask->items[i].options[c[i].option].need_mib;
        }
        used += busy;
        if (busy && rest < least)
            least = rest;
    }
    return ask->spread ? least : -used;
}

static int compare(const struct place_ask *ask, const struct place_choice *a,
                   const struct place_choice *b)
{
    int placed = compare_placed(ask, a, b, true);

    if (placed == 0)
        placed = compare_placed(ask, a, b, false);
    if (placed != 0)
        return placed;
    for (int what = 0; what < 5; what++) {
        int64_t more = sum_of(ask, a, what) - sum_of(ask, b, what);

        if (more != 0)
            return more > 0 ? 1 : -1;
    }
    return use_of(ask, a) > use_of(ask, b) ? 1 : use_of(ask, a) < use_of(ask, b) ? -1 : 0;
}

static void try_all(const struct place_ask *ask, struct place_choice *now,
                    struct place_choice *best, size_t item)
{
    if (item == ask->item_count) {
        if (is_allowed(ask, now) && compare(ask, now, best) > 0)
            memcpy(best, now, ITEMS * sizeof(*best));
        return;
    }
    now[item] = (struct place_choice){0};
    try_all(ask, now, best, item + 1);
    for (size_t k = 0; k < ask->items[item].option_count; k++) {
        for (uint64_t gpus = 0; gpus < UINT64_C(1) << ask->gpu_count; gpus++) {
            if ((uint32_t)__builtin_popcountll(gpus) != ask->items[item].options[k].tp)
                continue;
            now[item] = (struct place_choice){.placed = true, .option = k, .gpus = gpus};
            try_all(ask, now, best, item + 1);
        }
    }
    now[item] = (struct place_choice){0};
}

static void thousands_of_random_loads_are_placed_as_well_as_by_trying_everything(void **state)
{
    struct arena a = {0};

    (void)state;
    for (uint64_t seed = 0; seed < LOADS; seed++) {
        struct place_choice now[ITEMS] = {0}, best[ITEMS] = {0};
        struct place_score score;
        struct place_result r;
        struct world w;

        make_world(&w, seed);
        place_search(&r, &a, &w.ask);
        assert_true(r.optimal);
        assert_true(is_allowed(&w.ask, r.choices));
        try_all(&w.ask, now, best, 0);
        if (compare(&w.ask, r.choices, best) != 0)
            fail_msg("load %llu is placed worse than it can be", (unsigned long long)seed);
        score = place_score_of(&w.ask, r.choices);
        assert_int_equal(place_compare(&w.ask, &score, &r.score), 0);
        arena_free(&a);
    }
}

static void the_score_orders_choices_as_its_words_say(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < LOADS; seed++) {
        struct place_choice c[2][ITEMS] = {0};
        struct place_score s[2];
        uint64_t rnd = seed + 77;
        struct world w;
        int is, wanted;

        make_world(&w, seed);
        for (size_t side = 0; side < 2; side++) {
            for (size_t i = 0; i < w.ask.item_count; i++) {
                if (w.items[i].option_count == 0 || one_in(&rnd, 4))
                    continue;
                c[side][i] = (struct place_choice){.placed = true,
                                                   .option = next(&rnd) % w.items[i].option_count,
                                                   .gpus = next(&rnd) % (1u << w.ask.gpu_count)};
            }
        }
        if (!is_allowed(&w.ask, c[0]) || !is_allowed(&w.ask, c[1]))
            continue;
        s[0] = place_score_of(&w.ask, c[0]);
        s[1] = place_score_of(&w.ask, c[1]);
        is = place_compare(&w.ask, &s[0], &s[1]);
        wanted = compare(&w.ask, c[0], c[1]);
        assert_int_equal((is > 0) - (is < 0), (wanted > 0) - (wanted < 0));
    }
}

static void more_memory_never_gives_a_worse_plan(void **state)
{
    struct arena a = {0};

    (void)state;
    for (uint64_t seed = 0; seed < LOADS; seed++) {
        struct place_result before, after;
        struct world w;

        make_world(&w, seed);
        w.ask.spread = false;
        place_search(&before, &a, &w.ask);
        for (size_t g = 0; g < w.ask.gpu_count; g++)
            w.gpus[g].capacity_mib += 3;
        place_search(&after, &a, &w.ask);
        assert_true(place_compare(&w.ask, &after.score, &before.score) >= 0);
        arena_free(&a);
    }
}

static void a_search_that_is_ended_says_so_and_has_something(void **state)
{
    struct place_gpu gpus[8];
    struct place_option option[8] = {{0}};
    struct place_item items[8];
    const struct place_ask ask = {
        .gpus = gpus, .gpu_count = 8, .items = items, .item_count = 8, .node_limit = 8};
    struct arena a = {0};
    struct place_result r;

    (void)state;
    for (size_t i = 0; i < 8; i++) {
        gpus[i] = (struct place_gpu){.capacity_mib = 10 + i};
        option[i] = (struct place_option){.need_mib = 4 + i % 3, .tp = 1};
        items[i] = (struct place_item){.options = &option[i], .option_count = 1, .required = true};
    }
    place_search(&r, &a, &ask);
    assert_false(r.optimal);
    assert_true(r.choices[0].placed);
    assert_true(is_allowed(&ask, r.choices));
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thousands_of_random_loads_are_placed_as_well_as_by_trying_everything),
        cmocka_unit_test(the_score_orders_choices_as_its_words_say),
        cmocka_unit_test(more_memory_never_gives_a_worse_plan),
        cmocka_unit_test(a_search_that_is_ended_says_so_and_has_something),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
