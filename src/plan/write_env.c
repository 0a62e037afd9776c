/* The plan as variables, for scripts that start engines: `. ./plan.env`. */
#include <string.h>

#include "plan/write_args.h"

static size_t count_of(const struct write_ask *ask, enum memory_engine engine)
{
    size_t count = 0;

    for (size_t i = 0; i < ask->plan->ask->item_count; i++)
        count +=
            ask->plan->placed[i].item->engine == engine && fit_runs(ask->plan->placed[i].verdict);
    return count;
}

/* "VLLM", or of several "GPU_WORKER_MISTRAL_VLLM", "OCR_OLLAMA". */
static const char *prefix_of(const struct write_ask *ask, const struct plan_placed *placed)
{
    static const char *const engines[MEMORY_ENGINES] = {
        [MEMORY_VLLM] = "VLLM", [MEMORY_OLLAMA] = "OLLAMA", [MEMORY_SERVER] = "EMBEDDING"};
    const char *engine = engines[placed->item->engine];
    const char *plain = write_name(ask, placed);
    bool ends = placed->item->engine == MEMORY_OLLAMA && str_ends(str_from(plain), STR("-ollama"));
    char *name =
        ends ? str_format(ask->arena, "%s", plain) : str_format(ask->arena, "%s_%s", plain, engine);

    if (count_of(ask, placed->item->engine) == 1)
        return engine;
    for (char *c = name; *c != '\0'; c++) {
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
        else if (*c == '-')
            *c = '_';
    }
    return name[0] >= '0' && name[0] <= '9' ? str_format(ask->arena, "_%s", name) : name;
}

static void put(struct buf *out, const char *prefix, const char *name, const char *value)
{
    buf_addf(out, "%s_%s=", prefix, name);
    write_shell(out, value);
    buf_addc(out, '\n');
}

static void put_number(struct buf *out, const struct write_ask *ask, const char *prefix,
                       const char *name, uint64_t n)
{
    put(out, prefix, name, str_format(ask->arena, "%llu", (unsigned long long)n));
}

static void put_gpus(struct buf *out, const struct write_ask *ask, const char *prefix,
                     const struct plan_placed *placed)
{
    struct buf list = buf_new(ask->arena, PLACE_TP_MAX * (GPU_TEXT + 1));

    for (size_t i = 0; i < placed->gpu_count; i++)
        buf_addf(&list, "%s%s", i > 0 ? "," : "", write_gpu(ask, placed, i));
    put(out, prefix, "GPU_UUIDS", list.len > 0 ? list.ptr : "");
}

static void put_vllm(struct buf *out, const struct write_ask *ask, const char *prefix,
                     const struct plan_placed *placed)
{
    const struct memory_settings *s = &placed->settings;
    struct buf share = buf_new(ask->arena, 16);
    struct buf args = buf_new(ask->arena, 4096);
    const char *const *words = write_vllm_args(ask, placed);

    plan_put_share(&share, placed->fit.utilization);
    if (placed->fit.utilization != 0)
        put(out, prefix, "GPU_MEMORY_UTILIZATION", share.ptr);
    put_number(out, ask, prefix, "MAX_MODEL_LEN", s->context);
    put_number(out, ask, prefix, "TENSOR_PARALLEL_SIZE", s->tp > 1 ? s->tp : 1);
    put_number(out, ask, prefix, "MAX_NUM_SEQS", s->seqs);
    put_number(out, ask, prefix, "MAX_NUM_BATCHED_TOKENS", s->batch_tokens);
    for (size_t i = 1; words[i] != NULL; i++) {
        buf_addz(&args, i > 1 ? " " : "");
        buf_addz(&args, words[i]);
    }
    put(out, prefix, "ARGS", args.ptr);
}

static void put_item(struct buf *out, const struct write_ask *ask, const struct plan_placed *placed)
{
    const char *prefix = prefix_of(ask, placed);

    write_comment(out, ask, "%s: %s", placed->item->name, fit_verdict_name(placed->verdict));
    write_host(out, ask, placed);
    put(out, prefix, "MODEL", placed->model->ref);
    put_gpus(out, ask, prefix, placed);
    if (placed->item->engine == MEMORY_VLLM) {
        put_vllm(out, ask, prefix, placed);
    } else if (placed->item->engine == MEMORY_OLLAMA) {
        const struct write_variable *v = write_environment(ask, placed);

        for (; v->name != NULL; v++) {
            if (str_starts(str_from(v->name), STR("OLLAMA_")))
                put(out, prefix, v->name + strlen("OLLAMA_"), v->value);
        }
    }
}

void plan_write_env(struct buf *out, const struct write_ask *ask)
{
    size_t count;
    const size_t *order = write_order(ask, &count);

    for (size_t i = 0; i < count; i++)
        put_item(out, ask, &ask->plan->placed[order[i]]);
    write_left_out(out, ask);
}
