/*
 * The plan: which GPU takes what, with which settings, before a byte is downloaded.
 *
 *     names --gather.h-->  items with the facts of their models
 *     GPUs  --room.h-->    how much of each may be given away, which are the same
 *     items --options.h--> for each item the ways of running it, best first
 *           --gpu/place.h--> which way, on which GPUs
 *           --plan_make--> settings, verdicts, what would have to change      make.c, suggest.c
 *     plan  --write.h-->   JSON, a table, a picture, the settings as others read them
 *
 * Pure: everything here is a plain value in the arena that is passed in; nothing is looked at but
 * what the ask holds, so the same ask gives the same plan. Bytes inside, MiB outside. The rules are
 * those of gpu/memory.h and gpu/fit.h; doc/plan.md tells what the words mean, doc/memory-model.md
 * where the figures come from.
 */
#ifndef PLAN_PLAN_H
#define PLAN_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err/err.h"
#include "gpu/fit.h"
#include "gpu/gpu.h"
#include "gpu/place.h"
#include "mem/arena.h"
#include "model/facts.h"
#include "store/learned.h"

#define PLAN_CONTEXT         ((uint64_t)4096) /* where nobody names one, or the model's if less */
#define PLAN_CONTEXT_LEAST   ((uint64_t)2048) /* and it may be less where it has to */
#define PLAN_RESERVE         (256 * MEMORY_MIB)
#define PLAN_RESERVE_DISPLAY (1024 * MEMORY_MIB)
#define PLAN_REASONS_MAX     ((size_t)12)
#define PLAN_SUGGESTIONS_MAX ((size_t)12)

/* A model as it can be served: what was asked for, or a smaller form of it. */
struct plan_model {
    const char *name; /* short name of the catalog, or the reference */
    const char *ref;  /* "hf:org/name" */
    const struct model_facts *facts;
    const char *from;              /* "the catalog", "its headers at the origin", ... */
    const struct learned *learned; /* by earlier starts, store/learned.h; the newest last */
    size_t learned_count;
};

/* --dtype. */
enum plan_dtype {
    PLAN_DTYPE_AUTO, /* as the weights are; half where the GPU has no bfloat16 */
    PLAN_DTYPE_HALF,
    PLAN_DTYPE_BFLOAT16, /* refused where the GPU has none */
    PLAN_DTYPE_FP8,      /* 16-bit weights packed at load: vLLM's --quantization fp8 */
};

/* What is said on the command line; of each number 0: not said. */
struct plan_wish {
    uint64_t context;
    uint64_t seqs;
    uint64_t batch_tokens;
    uint32_t utilization; /* thousandths */
    uint32_t tp;
    bool eager;
    bool kv_fp8;
    enum plan_dtype dtype;
};

/* One instance of an engine. */
struct plan_item {
    const char *name;   /* "mistral-7b-instruct", "ocr/ollama"; no two are the same */
    const char *worker; /* type; NULL: a model alone */
    size_t group;       /* which word named it: the items of one worker stand together */
    enum memory_engine engine;
    /*
     * vLLM and servers: the forms of the one model, best first. Ollama: all models of the server,
     * of which one is loaded at a time; the one that needs most decides.
     */
    const struct plan_model *models;
    size_t model_count;
    const struct plan_model *others; /* forms that are not to be taken, but may be suggested */
    size_t other_count;
    bool required; /* the plan fails without it */
    bool cpu;      /* may do without a GPU */
    bool no_gpu;   /* wants none */
    uint32_t priority;
    uint64_t min_gpu_bytes;     /* as MIN_GPU_MEMORY_GB: no smaller GPU is taken */
    const char *const *pins;    /* GPUs by UUID, a start of it, or index; ends NULL; NULL: any */
    const char *const *current; /* UUIDs of those its worker holds; NULL: it does not run */
};

/* What a worker that runs holds of a GPU, plan/running.h. */
struct plan_held {
    const char *who;
    uint64_t bytes;
    size_t item; /* the first of those that are planned in its place; SIZE_MAX: none is */
};

/* A GPU that the plan may use or says why not. */
struct plan_gpu {
    const struct gpu *gpu;
    const char *host; /* NULL: this one */
    uint64_t managed; /* bytes of what is used that workers hold which are planned anew */
    const struct plan_held *held; /* by workers that run, as far as it is known */
    size_t held_count;
    uint64_t capacity; /* bytes that may be given away; by plan_make() */
    uint64_t given;    /* bytes that are; by plan_make() */
};

struct plan_ask {
    struct plan_gpu *gpus; /* capacity and given are filled in */
    size_t gpu_count;
    const struct plan_item *items;
    size_t item_count;
    struct plan_wish wish;
    bool spread;
    uint64_t reserve; /* bytes kept free on each GPU; UINT64_MAX: the defaults */
    uint64_t node_limit;
};

struct plan_reason {
    const char *code; /* "context-reduced": for programs */
    const char *text; /* for people */
};

struct plan_suggestion {
    const char *change; /* "--context 2048", "a GPU of 24 GB" */
    uint64_t need;      /* bytes */
    enum fit_verdict verdict;
    uint64_t kv_tokens;
};

struct plan_placed {
    const struct plan_item *item;
    const struct plan_model *model; /* the form that was taken; Ollama: the one that decides */
    enum fit_verdict verdict;
    struct fit fit; /* with the settings below, on the smallest of its GPUs */
    struct memory_settings settings;
    bool shared;             /* others live on a GPU of it */
    const size_t *gpus;      /* indices of the ask's GPUs */
    size_t gpu_count;        /* 0: not placed, or on the CPU */
    uint64_t taken;          /* bytes of each of its GPUs */
    uint64_t left;           /* bytes that its neighbours leave of the fullest of them */
    const size_t *best_gpus; /* where it was judged, if it is not placed; gpus else */
    size_t best_count;
    struct plan_reason reasons[PLAN_REASONS_MAX];
    size_t reason_count;
    struct plan_suggestion suggestions[PLAN_SUGGESTIONS_MAX];
    size_t suggestion_count;
};

struct plan {
    const struct plan_ask *ask;
    struct plan_placed *placed; /* in the order of the items */
    bool optimal;
    bool works; /* every required item runs */
};

/*
 * ERR_LIMIT for more items or GPUs than a search takes, ERR_USAGE for a pin that names no GPU or
 * several. That something does not fit is no error: plan->works says so.
 */
int plan_make(struct plan *out, struct arena *a, const struct plan_ask *ask,
              struct err *err) MUST_CHECK;

/* Of a plan that does not work: ERR_GPU with the first required item that does not run. */
int plan_failure(const struct plan *plan, struct err *err);

/* "NVIDIA L4" and the like; "GPU-5c3f2a1b on host". */
const char *plan_gpu_name(struct arena *a, const struct plan_gpu *gpu);

/* How two GPUs are joined; GPU_LINK_SYS, the worst, where nothing is told. */
enum gpu_link_kind plan_link(const struct plan_gpu *x, const struct plan_gpu *y);

/* Bytes that the item needs on each GPU, as it is shown: of vLLM inside its budget. */
uint64_t plan_need(const struct plan_placed *placed);

#endif
