/*
 * May a worker start on this host, as far as GPUs go? The rule of ENABLE_GPU and MIN_GPU_MEMORY_GB;
 * pure: it looks at the inventory that it is given and at nothing else.
 *
 *     struct gpu_ask ask = {.worker = "vllm", .need = GPU_NEED_REQUIRED, ...};
 *
 *     if (gpu_gate_looks(&ask) && gpu_look(&inventory, a, &look, err) < 0)
 *         return -1;
 *     gpu_gate(&verdict, a, &inventory, &ask);
 *     ... each of verdict.left_out and, of a WARN, verdict.reason is told ...
 *     if (verdict.result == GPU_GATE_REFUSE)
 *         return gpu_gate_refuse(&verdict, err);
 *
 * | ENABLE_GPU | worker needs | usable GPU | none usable |
 * |---|---|---|---|
 * | auto | required | pass | refuse |
 * | auto | preferred | pass | warn: the CPU is used |
 * | auto | none | pass, without a look | pass, without a look |
 * | true | any | pass | refuse |
 * | false | required | warn: the CPU is used, without a look | the same |
 * | false | preferred, none | pass, without a look | the same |
 *
 * A GPU is usable if its state is ok and it has the memory asked for: in bytes of what NVML calls
 * its total, of each GPU or MIG instance by itself, so that a card sold as 8 GB passes 8.
 */
#ifndef GPU_GATE_H
#define GPU_GATE_H

#include "gpu/gpu.h"

enum gpu_need {
    GPU_NEED_NONE,
    GPU_NEED_PREFERRED,
    GPU_NEED_REQUIRED,
};

enum gpu_enable {
    GPU_ENABLE_AUTO,
    GPU_ENABLE_TRUE,
    GPU_ENABLE_FALSE,
};

struct gpu_ask {
    const char *worker; /* the type's name, for messages; NULL: none */
    enum gpu_need need;
    enum gpu_enable enable;
    uint64_t type_min_bytes; /* what the worker type says; 0: nothing */
    bool min_named;          /* MIN_GPU_MEMORY_GB is set and wins over the type */
    uint64_t min_bytes;      /* its value; 0: none is asked */
};

enum gpu_gate_result {
    GPU_GATE_PASS,
    GPU_GATE_WARN,
    GPU_GATE_REFUSE,
};

struct gpu_verdict {
    enum gpu_gate_result result;
    bool cpu;                  /* passed, and no GPU will be used */
    const struct gpu **usable; /* in the inventory's order */
    size_t usable_count;
    const char *const *left_out; /* "GPU-5c3f2a1b 5.9 GB < MIN_GPU_MEMORY_GB=8"; ends NULL */
    size_t left_out_count;
    const char *reason; /* of a WARN or REFUSE: one line; else "" */
    const char *hint;   /* "" if there is none */
};

/* Whether the rule needs an inventory at all. With ENABLE_GPU=false no library is opened. */
bool gpu_gate_looks(const struct gpu_ask *ask);

/* inventory may be NULL where gpu_gate_looks() says that it is not needed. */
void gpu_gate(struct gpu_verdict *out, struct arena *a, const struct gpu_inventory *inventory,
              const struct gpu_ask *ask);

/*
 * "GPU-5c3f2a1b 5.9 GB < MIN_GPU_MEMORY_GB=8"; NULL: the GPU has the memory that is asked for.
 */
const char *gpu_gate_memory(struct arena *a, const struct gpu *gpu, const struct gpu_ask *ask);

/* ERR_GPU with the reason, why each GPU will not do as far as there is room, the hint. */
int gpu_gate_refuse(const struct gpu_verdict *verdict, struct err *err);

#endif
