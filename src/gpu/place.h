/*
 * Who goes where: the exact search over items and GPUs. Pure, and knows nothing of models: an item
 * has options, best first, each with a need of memory on so many GPUs.
 *
 * Depth first, the item with the largest least need first; for each option the sets of GPUs of one
 * class (same model and size, same host), but of GPUs that are alike in class, memory left and use
 * only the first; then "not placed". A branch is cut whose best possible score is no better than
 * the best found. Beyond node_limit the best that was found is returned, not proven optimal.
 *
 * The goal, lexicographic: items placed, those of higher priority first, a required one before any
 * that may go to the CPU > quality of the options > stays where it is > fewer
 * GPUs for tensor parallel > best links > fewest GPUs in use, or with spread the largest least
 * rest of memory of those in use.
 * Source: facts of 5.1 and 5.2, see doc/memory-model.md.
 */
#ifndef GPU_PLACE_H
#define GPU_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mem/arena.h"

#define PLACE_GPUS_MAX    ((size_t)64) /* of one search; sets are bits of a uint64_t */
#define PLACE_ITEMS_MAX   ((size_t)64)
#define PLACE_OPTIONS_MAX ((size_t)64) /* of one item */
#define PLACE_TP_MAX      ((size_t)16)
#define PLACE_NODE_LIMIT  UINT64_C(20000000)

struct place_gpu {
    uint64_t capacity_mib; /* what may be given away in all */
    uint32_t class_id;     /* same: same model and size on one host; sets are of one class */
    uint32_t group;        /* the host; GPUs of two hosts are never in one set */
    uint32_t sm;           /* compute capability times 10: 89; 0: not known, suits everything */
    bool exclusive;        /* takes one item only: exclusive-process, a MIG instance */
    bool no_sets;          /* a MIG instance: tp of 1 alone */
};

/* One way of running an item. */
struct place_option {
    uint64_t need_mib; /* on each of its GPUs */
    uint32_t tp;       /* GPUs that it takes, 1 and more; 0: it runs on the CPU */
    uint32_t min_sm;   /* 0: any */
    uint64_t gpus;     /* those it may be on, as bits; 0: any */
    uint32_t quality;  /* more is better: of what it is made is the caller's matter */
    bool counts_less;  /* a tight or partial fit: ranks below every option that is none */
};

struct place_item {
    const struct place_option *options; /* best first */
    size_t option_count;
    uint32_t priority; /* more is more important */
    bool required;     /* else it may stay out without harm to those that are */
    uint64_t pinned;   /* GPUs it must use, as bits; 0: any */
    uint64_t current;  /* GPUs it has now, of which it should take no others; 0: none */
    uint64_t apart;    /* items, as bits, that must not share a GPU with it */
};

struct place_ask {
    const struct place_gpu *gpus;
    size_t gpu_count;
    const struct place_item *items;
    size_t item_count;
    /* links[i * gpu_count + j]: 0 best (NVLink) .. 5 worst, as enum gpu_link_kind; NULL: not known
     */
    const uint8_t *links;
    bool spread;
    uint64_t node_limit; /* 0: PLACE_NODE_LIMIT */
};

struct place_choice {
    bool placed;
    size_t option; /* of its item */
    uint64_t gpus; /* as bits */
};

/* What makes one result better than another, compared field by field; public for tests. */
struct place_score {
    uint64_t required; /* of the required ones placed; one outweighs all of lower priority */
    uint64_t optional;
    uint64_t firm; /* placed by an option that does not count less */
    uint64_t quality;
    uint64_t kept;
    uint64_t sets;  /* less is better: GPUs of sets of more than one */
    uint64_t links; /* less is better: the sum of the worst link in each set */
    uint64_t used; /* less is better; with spread: the least rest of a GPU in use, more is better */
};

struct place_result {
    struct place_choice *choices; /* one for each item, in the ask's order */
    struct place_score score;
    bool optimal; /* the search came to its end */
    uint64_t nodes;
};

/* Never fails; limits above are the caller's to keep (asserted). */
void place_search(struct place_result *out, struct arena *a, const struct place_ask *ask);

/* The score of given choices, which must be allowed; < 0, 0, > 0: a is worse, as good, better. */
struct place_score place_score_of(const struct place_ask *ask, const struct place_choice *choices);
int place_compare(const struct place_ask *ask, const struct place_score *a,
                  const struct place_score *b);

#endif
