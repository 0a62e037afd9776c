/* The plan as JSON: the document of doc/plan.md. What does not apply is null. */
#include "gpu/inventory.h"
#include "json/json.h"
#include "plan/write.h"

static void put_number(struct buf *out, const char *key, uint64_t value, bool applies)
{
    json_put_key(out, key);
    if (applies)
        buf_addf(out, "%llu", (unsigned long long)value);
    else
        buf_addz(out, "null");
}

static void put_share(struct buf *out, const char *key, uint32_t share, bool applies)
{
    json_put_key(out, key);
    if (applies)
        plan_put_share(out, share);
    else
        buf_addz(out, "null");
}

static void put_bool(struct buf *out, const char *key, bool value)
{
    json_put_key(out, key);
    buf_addz(out, value ? "true" : "false");
}

static uint64_t mib_of(const struct memory_need *need, enum memory_part part)
{
    return memory_mib(need->part[part]);
}

/* Figures of the sum; weights with what vLLM counts to them, activation with what lies beside. */
static void put_sum(struct buf *out, const struct plan_placed *placed)
{
    const struct memory_need *need = &placed->fit.need;
    bool gpu = placed->verdict != FIT_CPU;

    json_put_member_u64(out, "need_mib", memory_mib(plan_need(placed)));
    put_number(out, "budget_mib", memory_mib(placed->fit.budget), gpu);
    json_put_key(out, "avail_mib");
    if (gpu)
        buf_addf(out, "%lld", (long long)memory_mib_signed(placed->fit.avail));
    else
        buf_addz(out, "null");
    json_put_key(out, "slack_mib");
    if (gpu)
        buf_addf(out, "%lld", (long long)memory_mib_signed(placed->fit.slack));
    else
        buf_addz(out, "null");
    put_number(out, "kv_tokens", placed->fit.kv_tokens, gpu);
    json_put_member_u64(out, "kv_bytes_per_token", need->kv_token);
    json_put_member_u64(out, "weights_mib",
                        memory_mib(need->part[MEMORY_WEIGHTS] + need->part[MEMORY_ROPE]));
    json_put_member_u64(out, "activation_mib", mib_of(need, MEMORY_ACTIVATION));
    json_put_member_u64(out, "other_mib", mib_of(need, MEMORY_OTHER));
    json_put_member_u64(out, "graphs_mib", mib_of(need, MEMORY_GRAPHS));
    json_put_member_u64(out, "projector_mib", mib_of(need, MEMORY_PROJECTOR));
    json_put_member_u64(out, "margin_mib", mib_of(need, MEMORY_MARGIN));
    json_put_member_u64(out, "kv_mib", mib_of(need, MEMORY_KV));
    json_put_member_u64(out, "context_mib", mib_of(need, MEMORY_CONTEXT));
}

static void put_settings(struct buf *out, const struct plan_placed *placed)
{
    const struct memory_settings *s = &placed->settings;
    const struct fit *fit = &placed->fit;
    bool vllm = s->engine == MEMORY_VLLM;
    bool judged = vllm && placed->best_count > 0;
    bool ollama = s->engine == MEMORY_OLLAMA && placed->verdict != FIT_CPU;

    put_share(out, "utilization", fit->utilization, judged);
    put_share(out, "utilization_min", fit->utilization_min, judged);
    put_share(out, "utilization_max", fit->utilization_max, judged);
    json_put_member_u64(out, "context", s->context);
    json_put_member_u64(out, "tp", s->tp > 1 ? s->tp : 1);
    put_bool(out, "eager", s->eager);
    put_number(out, "max_num_seqs", s->seqs, vllm);
    put_number(out, "max_num_batched_tokens", s->batch_tokens, vllm);
    json_put_member(out, "kv_cache_dtype", s->kv_fp8 ? STR("fp8") : STR("auto"));
    json_put_member(out, "dtype",
                    s->weights_fp8 ? STR("fp8")
                    : fit->half    ? STR("half")
                                   : STR("auto"));
    put_number(out, "layers", fit->layers, ollama);
    put_number(out, "layers_on_gpu", fit->layers_on_gpu, ollama);
}

static void put_gpus(struct buf *out, const struct plan *plan, const struct plan_placed *placed)
{
    json_put_key(out, "gpus");
    buf_addc(out, '[');
    for (size_t i = 0; i < placed->gpu_count; i++) {
        if (i > 0)
            buf_addc(out, ',');
        json_put_str(out, str_from(plan->ask->gpus[placed->gpus[i]].gpu->uuid));
    }
    buf_addc(out, ']');
}

static void put_reasons(struct buf *out, const struct plan_placed *placed)
{
    json_put_key(out, "reasons");
    buf_addc(out, '[');
    for (size_t i = 0; i < placed->reason_count; i++) {
        buf_addz(out, i > 0 ? ",{" : "{");
        json_put_member(out, "code", str_from(placed->reasons[i].code));
        json_put_member(out, "text", str_from(placed->reasons[i].text));
        buf_addc(out, '}');
    }
    buf_addc(out, ']');
    json_put_key(out, "suggestions");
    buf_addc(out, '[');
    for (size_t i = 0; i < placed->suggestion_count; i++) {
        const struct plan_suggestion *s = &placed->suggestions[i];

        buf_addz(out, i > 0 ? ",{" : "{");
        json_put_member(out, "change", str_from(s->change));
        json_put_member_u64(out, "need_mib", memory_mib(s->need));
        json_put_member(out, "verdict", str_from(fit_verdict_name(s->verdict)));
        json_put_member_u64(out, "kv_tokens", s->kv_tokens);
        buf_addc(out, '}');
    }
    buf_addc(out, ']');
}

static void put_parts(struct buf *out, const struct plan_placed *placed)
{
    json_put_key(out, "parts");
    buf_addc(out, '[');
    for (int part = 0, put = 0; part < MEMORY_PARTS; part++) {
        if (placed->fit.need.part[part] == 0)
            continue;
        buf_addz(out, put++ > 0 ? ",{" : "{");
        json_put_member(out, "part", str_from(memory_part_name((enum memory_part)part)));
        json_put_member_u64(out, "mib", memory_mib(placed->fit.need.part[part]));
        json_put_member(out, "source", str_from(memory_source_name(placed->fit.need.source[part])));
        buf_addc(out, '}');
    }
    buf_addc(out, ']');
}

static void put_item(struct buf *out, const struct plan *plan, const struct plan_placed *placed)
{
    const struct plan_item *item = placed->item;

    buf_addc(out, '{');
    json_put_member(out, "name", str_from(item->name));
    json_put_key(out, "worker");
    if (item->worker != NULL)
        json_put_str(out, str_from(item->worker));
    else
        buf_addz(out, "null");
    json_put_member(out, "model", str_from(placed->model->ref));
    json_put_key(out, "models");
    buf_addc(out, '[');
    for (size_t i = 0; i < item->model_count; i++) {
        if (i > 0)
            buf_addc(out, ',');
        json_put_str(out, str_from(item->models[i].ref));
    }
    buf_addc(out, ']');
    json_put_member(out, "engine", str_from(memory_engine_name(item->engine)));
    put_bool(out, "required", item->required);
    json_put_member(out, "verdict", str_from(fit_verdict_name(placed->verdict)));
    put_sum(out, placed);
    put_settings(out, placed);
    put_gpus(out, plan, placed);
    json_put_member(out, "facts_from", str_from(placed->model->from));
    put_parts(out, placed);
    put_reasons(out, placed);
    buf_addc(out, '}');
}

/* Reality, beside the parts that the plan gives. */
static void put_running(struct buf *out, const struct plan_gpu *gpu)
{
    json_put_key(out, "running");
    buf_addc(out, '[');
    for (size_t i = 0; i < gpu->held_count; i++) {
        buf_addz(out, i > 0 ? ",{" : "{");
        json_put_member(out, "worker", str_from(gpu->held[i].who));
        json_put_member_u64(out, "mib", memory_mib(gpu->held[i].bytes));
        buf_addc(out, '}');
    }
    buf_addc(out, ']');
}

static void put_ledger_line(struct buf *out, const struct plan *plan, size_t gpu)
{
    const struct plan_gpu *at = &plan->ask->gpus[gpu];
    bool first = true;

    buf_addc(out, '{');
    json_put_member(out, "uuid", str_from(at->gpu->uuid));
    if (at->host != NULL)
        json_put_member(out, "host", str_from(at->host));
    json_put_member_u64(out, "capacity_mib", at->capacity / MEMORY_MIB);
    json_put_member_u64(out, "used_mib", memory_mib(at->given));
    put_running(out, at);
    json_put_key(out, "parts");
    buf_addc(out, '[');
    for (size_t i = 0; i < plan->ask->item_count; i++) {
        const struct plan_placed *placed = &plan->placed[i];

        for (size_t k = 0; k < placed->gpu_count; k++) {
            if (placed->gpus[k] != gpu)
                continue;
            buf_addz(out, first ? "{" : ",{");
            first = false;
            json_put_member(out, "item", str_from(placed->item->name));
            json_put_member_u64(out, "mib", memory_mib(placed->taken));
            buf_addc(out, '}');
        }
    }
    buf_addz(out, "]}");
}

void plan_write_json(struct buf *out, const struct write_ask *ask)
{
    const struct plan *plan = ask->plan;

    buf_addz(out, "{\"gpus\":[");
    for (size_t i = 0; i < plan->ask->gpu_count; i++) {
        if (i > 0)
            buf_addc(out, ',');
        inventory_write_gpu(out, plan->ask->gpus[i].gpu);
    }
    buf_addz(out, "],\"items\":[");
    for (size_t i = 0; i < plan->ask->item_count; i++) {
        if (i > 0)
            buf_addc(out, ',');
        put_item(out, plan, &plan->placed[i]);
    }
    buf_addz(out, "],\"ledger\":[");
    for (size_t i = 0; i < plan->ask->gpu_count; i++) {
        if (i > 0)
            buf_addc(out, ',');
        put_ledger_line(out, plan, i);
    }
    buf_addf(out, "],\"optimal\":%s,\"works\":%s}\n", plan->optimal ? "true" : "false",
             plan->works ? "true" : "false");
}
