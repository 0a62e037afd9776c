#include <assert.h>
#include <stdlib.h>

#include "gpu/place_inside.h"

/* One GPU while the search goes on. */
struct spot {
    uint64_t left;  /* MiB */
    uint64_t items; /* that are there, as bits */
};

struct search {
    const struct place_ask *ask;
    struct spot spots[PLACE_GPUS_MAX];
    uint64_t weights[PLACE_ITEMS_MAX];
    size_t order[PLACE_ITEMS_MAX];                     /* in which items are placed */
    uint64_t ever[PLACE_ITEMS_MAX][PLACE_OPTIONS_MAX]; /* where an option may go at all */
    uint64_t alike[PLACE_GPUS_MAX]; /* GPUs that are as this one, but for what is on them */
    struct place_choice now[PLACE_ITEMS_MAX];
    struct place_choice best[PLACE_ITEMS_MAX];
    struct place_score score; /* of now, without `used` */
    struct place_score best_score;
    uint64_t shy;  /* items that must not be beside some other */
    uint64_t used; /* GPUs with something on them */
    uint64_t nodes, limit;
    bool found, over;
};

/* ---- which GPUs are the same for every item ---- */

static bool same_links(const struct place_ask *ask, size_t x, size_t y)
{
    size_t n = ask->gpu_count;

    for (size_t k = 0; k < n && ask->links != NULL; k++) {
        if (k == x || k == y)
            continue;
        if (ask->links[x * n + k] != ask->links[y * n + k] ||
            ask->links[k * n + x] != ask->links[k * n + y])
            return false;
    }
    return ask->links == NULL || ask->links[x * n + y] == ask->links[y * n + x];
}

static bool same_mask(uint64_t mask, size_t x, size_t y)
{
    return (mask >> x & 1) == (mask >> y & 1);
}

static bool same_for_items(const struct place_ask *ask, size_t x, size_t y)
{
    for (size_t i = 0; i < ask->item_count; i++) {
        const struct place_item *item = &ask->items[i];

        if (!same_mask(item->pinned, x, y) || !same_mask(item->current, x, y))
            return false;
        for (size_t k = 0; k < item->option_count; k++) {
            if (!same_mask(item->options[k].gpus, x, y))
                return false;
        }
    }
    return true;
}

static bool same_gpu(const struct place_ask *ask, size_t x, size_t y)
{
    const struct place_gpu *a = &ask->gpus[x], *b = &ask->gpus[y];

    return a->class_id == b->class_id && a->group == b->group && a->sm == b->sm &&
           a->exclusive == b->exclusive && a->no_sets == b->no_sets && same_for_items(ask, x, y) &&
           same_links(ask, x, y);
}

/* ---- where an option may go ---- */

/* What of an option and a GPU never changes. */
static bool may_ever_go(const struct place_ask *ask, size_t item, const struct place_option *option,
                        size_t g)
{
    const struct place_item *of = &ask->items[item];
    const struct place_gpu *gpu = &ask->gpus[g];

    return gpu->capacity_mib >= option->need_mib &&
           (of->pinned == 0 || (of->pinned >> g & 1) != 0) &&
           (option->gpus == 0 || (option->gpus >> g & 1) != 0) &&
           !(gpu->no_sets && option->tp > 1) && (gpu->sm == 0 || gpu->sm >= option->min_sm);
}

/* Whoever is there can bear the item, and it them. */
static bool is_borne(const struct search *s, size_t item, size_t g)
{
    uint64_t there = s->spots[g].items;

    if (there == 0)
        return true;
    if (s->ask->gpus[g].exclusive || (there & s->ask->items[item].apart) != 0)
        return false;
    for (there &= s->shy; there != 0; there &= there - 1) {
        if ((s->ask->items[place_first(there)].apart >> item & 1) != 0)
            return false;
    }
    return true;
}

static uint64_t places_of(const struct search *s, size_t item, size_t option)
{
    uint64_t need = s->ask->items[item].options[option].need_mib;
    uint64_t bits = 0;

    for (uint64_t rest = s->ever[item][option]; rest != 0; rest &= rest - 1) {
        size_t g = place_first(rest);

        if (s->spots[g].left >= need && is_borne(s, item, g))
            bits |= UINT64_C(1) << g;
    }
    return bits;
}

/* Those of the places that can be in one set with g. */
static uint64_t beside(const struct search *s, uint64_t places, size_t g)
{
    const struct place_gpu *gpus = s->ask->gpus;
    uint64_t bits = 0;

    for (uint64_t rest = places; rest != 0; rest &= rest - 1) {
        size_t k = place_first(rest);

        if (gpus[k].class_id == gpus[g].class_id && gpus[k].group == gpus[g].group)
            bits |= UINT64_C(1) << k;
    }
    return bits;
}

/* Of the places all that are now the same as g. */
static uint64_t alike_now(const struct search *s, uint64_t places, size_t g)
{
    uint64_t bits = 0;

    for (uint64_t rest = places & s->alike[g]; rest != 0; rest &= rest - 1) {
        size_t k = place_first(rest);

        if (s->spots[k].left == s->spots[g].left &&
            (s->spots[k].items == 0) == (s->spots[g].items == 0) &&
            ((s->spots[k].items ^ s->spots[g].items) & s->shy) == 0)
            bits |= UINT64_C(1) << k;
    }
    return bits;
}

static bool has_set(const struct search *s, uint64_t places, uint32_t tp)
{
    if (tp <= 1)
        return places != 0;
    for (uint64_t rest = places; rest != 0; rest &= rest - 1) {
        if (place_count(beside(s, places, place_first(rest))) >= tp)
            return true;
    }
    return false;
}

/* ---- the bound ---- */

/* Adds of each component the most that an item can still bring, as if it were alone. */
static void add_most(struct place_score *score, const struct search *s, size_t item)
{
    const struct place_item *of = &s->ask->items[item];
    struct place_score most = {.sets = UINT64_MAX};
    bool fits = false;

    for (size_t k = 0; k < of->option_count; k++) {
        const struct place_option *o = &of->options[k];
        uint64_t sets = o->tp > 1 ? o->tp : 0;

        /* What brings no more than is known already need not be looked at. */
        if (fits && most.firm >= !o->counts_less && most.quality >= o->quality && most.sets <= sets)
            continue;
        if (o->tp > 0 && !has_set(s, places_of(s, item, k), o->tp))
            continue;
        fits = true;
        most.firm |= !o->counts_less;
        most.quality = o->quality > most.quality ? o->quality : most.quality;
        most.sets = sets < most.sets ? sets : most.sets;
    }
    if (!fits)
        return;
    if (of->required)
        score->required += s->weights[item];
    else
        score->optional += s->weights[item];
    score->firm += most.firm;
    score->quality += most.quality;
    score->kept += of->current != 0;
    /* Who stays out takes no set, but then something that counts more is missing. */
    score->sets += most.sets;
}

static uint64_t used_now(const struct search *s)
{
    uint64_t least = UINT64_MAX;

    if (!s->ask->spread)
        return place_count(s->used);
    for (uint64_t bits = s->used; bits != 0; bits &= bits - 1) {
        if (s->spots[place_first(bits)].left < least)
            least = s->spots[place_first(bits)].left;
    }
    return least;
}

static bool is_hopeless(const struct search *s, size_t depth)
{
    struct place_score most = s->score;

    if (!s->found)
        return false;
    for (size_t d = depth; d < s->ask->item_count; d++)
        add_most(&most, s, s->order[d]);
    most.used = used_now(s);
    return place_compare(s->ask, &most, &s->best_score) <= 0;
}

/* ---- the search ---- */

static void search_from(struct search *s, size_t depth);

static void put_on(struct search *s, size_t item, uint64_t gpus, uint64_t need, bool on)
{
    for (uint64_t bits = gpus; bits != 0; bits &= bits - 1) {
        struct spot *spot = &s->spots[place_first(bits)];

        spot->left = on ? spot->left - need : spot->left + need;
        spot->items ^= UINT64_C(1) << item;
    }
}

/* Goes on with the item at depth placed so. */
static void go_with(struct search *s, size_t depth, struct place_choice choice)
{
    size_t item = s->order[depth];
    struct place_score score = s->score;
    uint64_t used = s->used;
    uint64_t need = choice.placed ? s->ask->items[item].options[choice.option].need_mib : 0;

    if (++s->nodes > s->limit) {
        s->over = true;
        return;
    }
    s->now[item] = choice;
    place_add(&s->score, s->ask, s->weights, item, &choice);
    put_on(s, item, choice.gpus, need, true);
    s->used |= choice.gpus;
    if (!is_hopeless(s, depth + 1))
        search_from(s, depth + 1);
    put_on(s, item, choice.gpus, need, false);
    s->used = used;
    s->score = score;
}

/* The place to look at first: one that is in use already, with the least room; else the least. */
static size_t next_place(const struct search *s, uint64_t places)
{
    size_t best = place_first(places);

    for (uint64_t bits = places; bits != 0; bits &= bits - 1) {
        size_t g = place_first(bits);
        bool used = s->spots[g].items != 0, best_used = s->spots[best].items != 0;

        if (s->ask->spread      ? s->spots[g].left > s->spots[best].left
            : used != best_used ? used
                                : s->spots[g].left < s->spots[best].left)
            best = g;
    }
    return best;
}

/* Every set of `more` further GPUs out of places; of those that are alike only the first few. */
static void go_sets(struct search *s, size_t depth, struct place_choice choice, uint64_t places,
                    uint32_t more)
{
    if (more == 0) {
        go_with(s, depth, choice);
        return;
    }
    while (place_count(places) >= more && !s->over) {
        size_t g = choice.gpus == 0 ? next_place(s, places) : place_first(places);
        struct place_choice with = choice;

        with.gpus |= UINT64_C(1) << g;
        places &= ~(UINT64_C(1) << g);
        go_sets(s, depth, with, beside(s, places, g), more - 1);
        places &= ~alike_now(s, places, g);
    }
}

static void search_from(struct search *s, size_t depth)
{
    const struct place_item *item;

    if (depth == s->ask->item_count) {
        struct place_score score = s->score;

        score.used = used_now(s);
        if (!s->found || place_compare(s->ask, &score, &s->best_score) > 0) {
            s->found = true;
            s->best_score = score;
            for (size_t i = 0; i < depth; i++)
                s->best[i] = s->now[i];
        }
        return;
    }
    item = &s->ask->items[s->order[depth]];
    for (size_t k = 0; k < item->option_count && !s->over; k++) {
        const struct place_option *option = &item->options[k];
        struct place_choice choice = {.placed = true, .option = k};

        if (option->tp == 0)
            go_with(s, depth, choice);
        else
            go_sets(s, depth, choice, places_of(s, s->order[depth], k), option->tp);
    }
    if (!s->over)
        go_with(s, depth, (struct place_choice){0});
}

/* ---- the order ---- */

static uint64_t least_need(const struct place_item *item)
{
    uint64_t least = UINT64_MAX;

    for (size_t k = 0; k < item->option_count; k++) {
        uint64_t need = item->options[k].need_mib * item->options[k].tp;

        least = need < least ? need : least;
    }
    return item->option_count == 0 ? 0 : least;
}

/* Required ones first, and of those the ones that need most. */
static bool comes_before(const struct place_ask *ask, size_t x, size_t y)
{
    const struct place_item *a = &ask->items[x], *b = &ask->items[y];

    return a->required != b->required ? a->required : least_need(a) > least_need(b);
}

static void begin(struct search *s)
{
    const struct place_ask *ask = s->ask;

    for (size_t g = 0; g < ask->gpu_count; g++) {
        s->spots[g].left = ask->gpus[g].capacity_mib;
        for (size_t k = 0; k < ask->gpu_count; k++)
            s->alike[g] |= (uint64_t)(k != g && same_gpu(ask, g, k)) << k;
    }
    for (size_t i = 0; i < ask->item_count; i++) {
        size_t at = i;

        for (size_t k = 0; k < ask->items[i].option_count; k++) {
            for (size_t g = 0; g < ask->gpu_count; g++)
                s->ever[i][k] |= (uint64_t)may_ever_go(ask, i, &ask->items[i].options[k], g) << g;
        }

        for (; at > 0 && comes_before(ask, i, s->order[at - 1]); at--)
            s->order[at] = s->order[at - 1];
        s->order[at] = i;
    }
    for (size_t i = 0; i < ask->item_count; i++)
        s->shy |= ask->items[i].apart | (uint64_t)(ask->items[i].apart != 0) << i;
    place_weigh(s->weights, ask);
}

void place_search(struct place_result *out, struct arena *a, const struct place_ask *ask)
{
    struct search *s;
    struct place_choice *choices = arena_array(a, struct place_choice, ask->item_count + 1);
    struct arena_mark mark = arena_mark(a);

    assert(ask->gpu_count <= PLACE_GPUS_MAX && ask->item_count <= PLACE_ITEMS_MAX);
    s = arena_new(a, struct search);
    s->ask = ask;
    s->limit = ask->node_limit != 0 ? ask->node_limit : PLACE_NODE_LIMIT;
    begin(s);
    search_from(s, 0);
    for (size_t i = 0; i < ask->item_count; i++)
        choices[i] = s->best[i];
    *out = (struct place_result){
        .choices = choices, .score = s->best_score, .optimal = !s->over, .nodes = s->nodes};
    if (!s->found)
        out->score = place_score_of(ask, choices);
    arena_rewind(a, mark);
}
