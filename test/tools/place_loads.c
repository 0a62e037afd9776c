/*
 * Random loads for the search for places, and how long it takes: GPUS ITEMS LOADS as arguments. One
 * line of JSON: milliseconds in the median and at worst, and how many loads came to the node limit.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "gpu/place.h"
#include "text/num.h"

#define OPTIONS 6

static uint64_t next(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 33;
}

static double now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int by_size(const void *x, const void *y)
{
    const double *a = x, *b = y;

    return (*a > *b) - (*a < *b);
}

/* Engines as they are: two forms of a model, whole or shortened, on one GPU or on two. */
static struct place_item load_item(struct arena *a, uint64_t *seed)
{
    struct place_option *options = arena_array(a, struct place_option, OPTIONS);
    uint64_t need = 3000 + next(seed) % 21000;
    size_t count = 0;

    for (uint32_t form = 0; form < 2; form++) {
        for (uint32_t tp = 1; tp <= 2; tp++)
            options[count++] =
                (struct place_option){.need_mib = need / (form + 1) / tp + (uint64_t)tp * 600,
                                      .tp = tp,
                                      .quality = 4 - 2 * form};
        options[count++] = (struct place_option){
            .need_mib = need / (form + 1) - 400, .tp = 1, .quality = 3 - 2 * form};
    }
    return (struct place_item){.options = options,
                               .option_count = count,
                               .priority = (uint32_t)(next(seed) % 3),
                               .required = next(seed) % 4 != 0};
}

static double run_one(uint64_t seed, size_t gpu_count, size_t item_count, bool *ret_over)
{
    static const uint64_t sizes[] = {24124, 24124, 45468, 81008};
    ARENA_SCOPED a = {0};
    struct place_gpu *gpus = arena_array(&a, struct place_gpu, gpu_count + 1);
    struct place_item *items = arena_array(&a, struct place_item, item_count + 1);
    const struct place_ask ask = {
        .gpus = gpus, .gpu_count = gpu_count, .items = items, .item_count = item_count};
    struct place_result result;
    double start;

    for (size_t i = 0; i < gpu_count; i++) {
        size_t kind = next(&seed) % 4;

        gpus[i] = (struct place_gpu){.capacity_mib = sizes[kind] - next(&seed) % 2 * 3000,
                                     .class_id = (uint32_t)kind};
    }
    for (size_t i = 0; i < item_count; i++)
        items[i] = load_item(&a, &seed);
    start = now_ms();
    place_search(&result, &a, &ask);
    *ret_over = !result.optimal;
    return now_ms() - start;
}

int main(int argc, char **argv)
{
    uint64_t n[3];
    struct err err;
    double *took;
    size_t over = 0;

    for (int i = 0; i < 3; i++) {
        if (argc != 4 || num_parse_u64(&n[i], str_from(argv[i + 1]), 100000, &err) < 0 ||
            n[i] == 0 || (i < 2 && n[i] > PLACE_GPUS_MAX)) {
            (void)fprintf(stderr, "usage: place_loads GPUS ITEMS LOADS\n");
            return 2;
        }
    }
    took = calloc(n[2], sizeof(*took));
    if (took == NULL)
        return 1;
    for (uint64_t i = 0; i < n[2]; i++) {
        bool is_over;

        took[i] = run_one(i * 7919 + 17, n[0], n[1], &is_over);
        over += is_over;
    }
    qsort(took, n[2], sizeof(*took), by_size);
    (void)printf("{\"median_ms\":%.3f,\"worst_ms\":%.3f,\"over\":%zu}\n", took[n[2] / 2],
                 took[n[2] - 1], over);
    free(took);
    return 0;
}
