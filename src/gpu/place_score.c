#include "gpu/place_inside.h"

void place_weigh(uint64_t weights[static PLACE_ITEMS_MAX], const struct place_ask *ask)
{
    uint64_t sum = 0;
    uint64_t done = 0;

    /* From the lowest priority up. */
    for (size_t left = ask->item_count; left > 0;) {
        uint32_t lowest = UINT32_MAX;
        uint64_t weight = sum + 1;

        for (size_t i = 0; i < ask->item_count; i++) {
            if ((done >> i & 1) == 0 && ask->items[i].priority < lowest)
                lowest = ask->items[i].priority;
        }
        for (size_t i = 0; i < ask->item_count; i++) {
            if ((done >> i & 1) != 0 || ask->items[i].priority != lowest)
                continue;
            weights[i] = weight;
            sum += weight;
            done |= UINT64_C(1) << i;
            left--;
        }
    }
}

uint8_t place_worst_link(const struct place_ask *ask, uint64_t gpus)
{
    uint8_t worst = 0;

    if (ask->links == NULL)
        return 0;
    for (uint64_t rest = gpus; rest != 0; rest &= rest - 1) {
        size_t i = place_first(rest);

        for (uint64_t others = rest & (rest - 1); others != 0; others &= others - 1) {
            uint8_t link = ask->links[i * ask->gpu_count + place_first(others)];

            worst = link > worst ? link : worst;
        }
    }
    return worst;
}

void place_add(struct place_score *score, const struct place_ask *ask, const uint64_t *weights,
               size_t item, const struct place_choice *choice)
{
    const struct place_item *of = &ask->items[item];
    const struct place_option *option;

    if (!choice->placed)
        return;
    option = &of->options[choice->option];
    if (of->required)
        score->required += weights[item];
    else
        score->optional += weights[item];
    score->firm += !option->counts_less;
    score->quality += option->quality;
    score->kept += choice->gpus != 0 && (choice->gpus & ~of->current) == 0;
    if (option->tp > 1) {
        score->sets += option->tp;
        score->links += place_worst_link(ask, choice->gpus);
    }
}

struct place_score place_score_of(const struct place_ask *ask, const struct place_choice *choices)
{
    uint64_t weights[PLACE_ITEMS_MAX];
    struct place_score score = {0};
    uint64_t rest[PLACE_GPUS_MAX];
    uint64_t least = UINT64_MAX;
    uint64_t used = 0;

    place_weigh(weights, ask);
    for (size_t g = 0; g < ask->gpu_count; g++)
        rest[g] = ask->gpus[g].capacity_mib;
    for (size_t i = 0; i < ask->item_count; i++) {
        place_add(&score, ask, weights, i, &choices[i]);
        for (uint64_t bits = choices[i].placed ? choices[i].gpus : 0; bits != 0; bits &= bits - 1)
            rest[place_first(bits)] -= ask->items[i].options[choices[i].option].need_mib;
        used |= choices[i].placed ? choices[i].gpus : 0;
    }
    for (uint64_t bits = used; bits != 0; bits &= bits - 1)
        least = rest[place_first(bits)] < least ? rest[place_first(bits)] : least;
    score.used = ask->spread ? least : place_count(used);
    return score;
}

static int more(uint64_t a, uint64_t b)
{
    return a == b ? 0 : a > b ? 1 : -1;
}

int place_compare(const struct place_ask *ask, const struct place_score *a,
                  const struct place_score *b)
{
    const int steps[] = {
        more(a->required, b->required),
        more(a->optional, b->optional),
        more(a->firm, b->firm),
        more(a->quality, b->quality),
        more(a->kept, b->kept),
        more(b->sets, a->sets),
        more(b->links, a->links),
        ask->spread ? more(a->used, b->used) : more(b->used, a->used),
    };

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (steps[i] != 0)
            return steps[i];
    }
    return 0;
}
