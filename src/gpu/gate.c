#include "gpu/gate.h"

#include "text/buf.h"
#include "text/str.h"
#include "text/vec.h"

#define MIB ((uint64_t)1 << 20)
#define GB  ((uint64_t)1000000000)

bool gpu_gate_looks(const struct gpu_ask *ask)
{
    switch (ask->enable) {
    case GPU_ENABLE_TRUE: return true;
    case GPU_ENABLE_FALSE: return false;
    case GPU_ENABLE_AUTO: return ask->need != GPU_NEED_NONE;
    }
    return true;
}

/* Tenths of a GB, cut off: 7.99 GB must not read as 8.0 GB < 8. */
static const char *gigabytes(struct arena *a, uint64_t bytes)
{
    return str_format(a, "%ju.%ju", (uintmax_t)(bytes / GB), (uintmax_t)(bytes % GB / (GB / 10)));
}

/* As it was written: 8, 0.5, 12.25. */
static const char *as_asked(struct arena *a, uint64_t bytes)
{
    char *text = str_format(a, "%ju.%09ju", (uintmax_t)(bytes / GB), (uintmax_t)(bytes % GB));
    size_t len = strlen(text);

    while (text[len - 1] == '0')
        len--;
    if (text[len - 1] == '.')
        len--;
    text[len] = '\0';
    return text;
}

static uint64_t least_bytes(const struct gpu_ask *ask)
{
    return ask->min_named ? ask->min_bytes : ask->type_min_bytes;
}

static const char *least_text(struct arena *a, const struct gpu_ask *ask)
{
    if (ask->min_named)
        return str_format(a, "MIN_GPU_MEMORY_GB=%s", as_asked(a, ask->min_bytes));
    return str_format(a, "the %s GB that %s asks for", as_asked(a, ask->type_min_bytes),
                      ask->worker != NULL ? ask->worker : "the worker");
}

const char *gpu_gate_memory(struct arena *a, const struct gpu *gpu, const struct gpu_ask *ask)
{
    uint64_t least = least_bytes(ask);
    /* A file may know only what CUDA calls the total, which is a little less. */
    uint64_t mib = gpu->total_mib > 0 ? gpu->total_mib : gpu->cuda_total_mib;

    if (least == 0 || mib * MIB >= least)
        return NULL;
    if (mib == 0)
        return str_format(a, "%s: its memory is not known, and %s", gpu_short_name(a, gpu),
                          least_text(a, ask));
    return str_format(a, "%s %s GB < %s", gpu_short_name(a, gpu), gigabytes(a, mib * MIB),
                      least_text(a, ask));
}

/* Why this GPU will not do; NULL: it will. */
static const char *why_not(struct arena *a, const struct gpu *gpu, const struct gpu_ask *ask)
{
    if (gpu->state != GPU_OK)
        return str_format(a, "%s is %s: %s", gpu_short_name(a, gpu), gpu_state_name(gpu->state),
                          gpu->reason);
    return gpu_gate_memory(a, gpu, ask);
}

static void sort_out(struct gpu_verdict *v, struct arena *a, const struct gpu_inventory *inventory,
                     const struct gpu_ask *ask)
{
    VEC(const struct gpu *) usable = {0};
    VEC(const char *) left_out = {0};

    for (size_t i = 0; i < inventory->count; i++) {
        const struct gpu *gpu = &inventory->gpus[i];
        const char *why = why_not(a, gpu, ask);

        if (why == NULL)
            vec_push(a, &usable, gpu);
        else if (gpu->state != GPU_MIG_PARENT)
            vec_push(a, &left_out, why);
    }
    v->usable = usable.at;
    v->usable_count = usable.len;
    v->left_out_count = left_out.len;
    vec_push(a, &left_out, NULL);
    v->left_out = left_out.at;
}

static const char *worker_name(const struct gpu_ask *ask)
{
    return ask->worker != NULL ? ask->worker : "this worker";
}

/* What is wrong with the host as a whole. */
static const char *shortage(struct arena *a, const struct gpu_verdict *v,
                            const struct gpu_inventory *inventory)
{
    if (inventory->reason[0] != '\0' && v->left_out_count == 0)
        return str_format(a, "no GPU was found (%s)", inventory->reason);
    if (v->left_out_count == 0)
        return "no GPU was found";
    if (v->left_out_count == 1)
        return str_format(a, "the one GPU cannot be used (%s)", v->left_out[0]);
    return str_format(a, "none of %zu GPUs can be used", v->left_out_count);
}

static void judge(struct gpu_verdict *v, struct arena *a, const struct gpu_inventory *inventory,
                  const struct gpu_ask *ask)
{
    const char *lack = shortage(a, v, inventory);

    v->hint = str_format(a, "%s", inventory->hint);
    if (ask->enable == GPU_ENABLE_TRUE) {
        v->result = GPU_GATE_REFUSE;
        v->reason = str_format(a, "ENABLE_GPU=true, and %s", lack);
    } else if (ask->need == GPU_NEED_REQUIRED) {
        v->result = GPU_GATE_REFUSE;
        v->reason = str_format(a, "%s needs a GPU, and %s", worker_name(ask), lack);
    } else {
        v->result = GPU_GATE_WARN;
        v->cpu = true;
        v->reason = str_format(a, "%s starts on the CPU: %s", worker_name(ask), lack);
    }
}

void gpu_gate(struct gpu_verdict *out, struct arena *a, const struct gpu_inventory *inventory,
              const struct gpu_ask *ask)
{
    static const char *const nothing[] = {NULL};
    struct gpu_verdict v = {.left_out = nothing, .reason = "", .hint = ""};

    if (gpu_gate_looks(ask)) {
        sort_out(&v, a, inventory, ask);
        if (v.usable_count == 0)
            judge(&v, a, inventory, ask);
    } else {
        v.cpu = true;
        if (ask->need == GPU_NEED_REQUIRED) {
            v.result = GPU_GATE_WARN;
            v.reason = str_format(a, "%s needs a GPU and starts on the CPU: ENABLE_GPU=false",
                                  worker_name(ask));
        }
    }
    *out = v;
}

int gpu_gate_refuse(const struct gpu_verdict *verdict, struct err *err)
{
    ARENA_SCOPED a = {0};
    struct buf b = buf_new(&a, sizeof(err->msg) - 1);

    buf_addz(&b, verdict->reason);
    /* The one GPU's reason is part of the whole's. */
    for (size_t i = 0; verdict->left_out_count > 1 && verdict->left_out[i] != NULL; i++) {
        size_t before = b.len;

        buf_addf(&b, "%s%s", i == 0 ? ": " : "; ", verdict->left_out[i]);
        if (!b.cut)
            continue;
        buf_truncate(&b, before);
        break;
    }
    (void)err_set(err, ERR_GPU, "%s", b.ptr);
    if (verdict->hint[0] != '\0')
        return err_hint(err, "%s", verdict->hint);
    return -1;
}
