/*
 * Does it run: one model on one GPU, or on each of a set of equal ones, with given settings. Pure.
 *
 *     fit      runs, with room to spare: estimates may be 512 MiB off
 *     tight    runs by the sum, with less to spare than the sum may be wrong
 *     partial  Ollama: some of the layers go to the GPU, the rest to the CPU
 *     cpu      runs without a GPU (given by whoever plans, never by fit_judge())
 *     no       is too large for the budget
 *     nostart  would fit into the budget, but so much is not free now: vLLM refuses to start
 *     refused  does not run on this GPU however much memory it has: compute capability, tensor
 *              parallel rules, MIG
 *
 * vLLM's share of the GPU (gpu_memory_utilization) is in thousandths here: 920 is 0.92. It is of
 * the total, whatever is free; the CUDA context comes on top of it.
 */
#ifndef GPU_FIT_H
#define GPU_FIT_H

#include <stdbool.h>
#include <stdint.h>

#include "gpu/memory.h"
#include "mem/arena.h"

#define FIT_BAND        (512 * MEMORY_MIB) /* less to spare is tight */
#define FIT_CUSHION     (256 * MEMORY_MIB) /* added to the need where a GPU is shared */
#define FIT_UTILIZATION ((uint32_t)920)    /* vLLM's own default */
#define FIT_TP_MAX      ((uint32_t)16)

enum fit_verdict {
    FIT_FIT,
    FIT_TIGHT,
    FIT_PARTIAL,
    FIT_CPU,
    FIT_NO,
    FIT_NOSTART,
    FIT_REFUSED,
    FIT_VERDICTS,
};

/* A GPU as far as it matters here; of a set the smallest of each. */
struct fit_gpu {
    uint64_t total; /* bytes, as CUDA counts them */
    uint64_t free;  /* bytes that this instance may have */
    uint32_t sm;    /* compute capability times 10: 89; 0: not known */
    bool mig;       /* an instance: of a set of one only */
};

struct fit_ask {
    const struct model_facts *facts;
    struct memory_settings settings;
    uint32_t utilization; /* vLLM; thousandths; 0: the best that can be had */
    bool shared;          /* others live on this GPU too: no more than is needed is taken */
    bool bfloat16;        /* asked for: nothing else will do */
};

struct fit {
    enum fit_verdict verdict;
    struct memory_need need;
    uint64_t budget; /* vLLM: its share of the total; else what is free */
    int64_t avail;   /* of the budget for the cache; negative: so much is missing before it */
    int64_t slack;   /* of the budget when one request has its cache */
    uint64_t taken;  /* of the GPU while it runs: budget and context, or what Ollama wants free */
    uint64_t kv_tokens;
    uint32_t utilization; /* thousandths; 0: the engine has none */
    uint32_t utilization_min;
    uint32_t utilization_max; /* may be below utilization_min: then none works */
    uint64_t layers;          /* Ollama */
    uint64_t layers_on_gpu;
    bool half;        /* bfloat16 weights on a GPU without it: to be run as float16 */
    const char *code; /* of what forbids it: "tensor-parallel", "compute-capability", "mig"; NULL */
    const char *text; /* the same as a sentence, in the arena */
};

void fit_judge(struct fit *out, struct arena *a, const struct fit_ask *ask,
               const struct fit_gpu *gpu);

/*
 * NULL, or why vLLM would not split this model over so many GPUs: heads, key and value heads,
 * intermediate size, vision heads, groups of quantised weights.
 */
const char *fit_split(struct arena *a, const struct model_facts *facts, uint32_t tp);

/* The share that an instance takes which lives beside others; may be over 1000. */
uint32_t fit_shared_utilization(const struct memory_need *need, uint64_t total);

/* Bytes of the total that a share is: rounded up, as vLLM does. */
uint64_t fit_budget(uint64_t total, uint32_t utilization);

/* What vLLM takes where it is not told, by the card: batch_tokens and seqs of the settings. */
void fit_vllm_defaults(struct memory_settings *settings, const char *gpu_name, uint64_t total,
                       bool mig);

/* From worst to best: refused, no, nostart, partial, cpu, tight, fit. */
int fit_rank(enum fit_verdict verdict);

/* Runs at all, if not well: fit, tight, partial, cpu. */
bool fit_runs(enum fit_verdict verdict);

const char *fit_verdict_name(enum fit_verdict verdict);

#endif
