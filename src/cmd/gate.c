#include "cmd/gate.h"

#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>

#include "cmd/host_gpus.h"
#include "cmd/planned.h"
#include "gpu/gate.h"
#include "gpu/inventory.h"
#include "sys/fd.h"
#include "text/num.h"
#include "worker/read_budget.h"
#include "worker/words.h"

#define MIB ((uint64_t)1 << 20)

/* Docker gives 64 MiB if nothing is said, which NCCL fills at once. */
#define SHM_BYTES (1024 * MIB)

static enum gpu_need need_of(const struct catalog_worker *type)
{
    if (strcmp(type->gpu, "required") == 0)
        return GPU_NEED_REQUIRED;
    return strcmp(type->gpu, "preferred") == 0 ? GPU_NEED_PREFERRED : GPU_NEED_NONE;
}

static uint64_t host_bytes(void)
{
    FD_SCOPED root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return root < 0 ? 0 : read_budget_all(root);
}

static uint64_t gpu_bytes(const struct gpu_verdict *v)
{
    uint64_t mib = 0;

    for (size_t i = 0; i < v->usable_count; i++) {
        const struct gpu *gpu = v->usable[i];

        mib += gpu->total_mib > 0 ? gpu->total_mib : gpu->cuda_total_mib;
    }
    return mib * MIB;
}

/*
 * What a model's weights must fit into, until a plan knows better: vLLM holds all of them on the
 * GPUs, Ollama leaves on the host what they cannot take. Of other engines nothing is known.
 */
static void set_most(struct catalog_choice *choice, const struct catalog_worker *type,
                     const struct gpu_verdict *v, bool looked)
{
    bool vllm = strcmp(type->engine, "vllm") == 0;

    if (!vllm && strcmp(type->engine, "ollama") != 0)
        return;
    if (v->cpu && !looked)
        return; /* nobody asked whether there are GPUs, and the engine may find some */
    if (v->cpu) {
        choice->most_bytes = host_bytes();
        choice->most_of = "this host and its cgroup";
    } else if (vllm && v->usable_count > 0) {
        choice->most_bytes = gpu_bytes(v);
        choice->most_of = "all usable GPUs together";
    } else if (v->usable_count > 0 && host_bytes() > 0) {
        choice->most_bytes = gpu_bytes(v) + host_bytes();
        choice->most_of = "all usable GPUs and this host together";
    }
}

/* N of "--tensor-parallel-size N", "-tp=N"; 0 if it is not said, or not in figures. */
static uint64_t tensor_parallel(const char *const *command)
{
    uint64_t n = words_number(command, "--tensor-parallel-size");

    return n != 0 ? n : words_number(command, "-tp");
}

static void look_at_shm(struct report *report, const struct catalog_worker *type,
                        char *const *command)
{
    uint64_t n =
        strcmp(type->engine, "vllm") == 0 ? tensor_parallel((const char *const *)command) : 1;
    struct statvfs shm;
    char size[NUM_TEXT];

    if (n < 2 || statvfs("/dev/shm", &shm) < 0 ||
        (uint64_t)shm.f_blocks * shm.f_frsize >= SHM_BYTES)
        return;
    report_note(report, REPORT_WARN, "shm", NULL,
                "%ju GPUs work together over /dev/shm, which has %s: NCCL will say \"No space left "
                "on device\"; run the container with --ipc=host or --shm-size=2g",
                (uintmax_t)n, num_format_size(size, (uint64_t)shm.f_blocks * shm.f_frsize));
}

static struct str write_gpus(struct arena *a, const struct gpu_inventory *inventory)
{
    struct buf out = buf_new(a, INVENTORY_MAX);

    buf_addc(&out, '[');
    for (size_t i = 0; i < inventory->count; i++) {
        buf_addz(&out, i > 0 ? "," : "");
        inventory_write_gpu(&out, &inventory->gpus[i]);
    }
    buf_addc(&out, ']');
    return buf_str(&out);
}

/* Over the GPUs that the gate lets through. */
static int plan_for(const struct gate *gate, struct arena *a, const struct gate_ask *asked,
                    const struct gpu_verdict *verdict, struct err *err)
{
    const char *const words[] = {asked->type->name, NULL};
    struct gpu_inventory usable = {.count = verdict->usable_count};
    const struct planned_ask ask = {.config = asked->config,
                                    .report = asked->report,
                                    .inventory = &usable,
                                    .words = words,
                                    .optional = gate->optional};

    usable.gpus = arena_array(a, struct gpu, usable.count + 1);
    for (size_t i = 0; i < usable.count; i++)
        usable.gpus[i] = *verdict->usable[i];
    return planned_apply(gate->planned, gate->choice, a, &ask, err);
}

int gate_look(struct str *ret_gpus, struct arena *a, const struct config *config, struct err *err)
{
    struct gpu_inventory inventory;

    if (inventory_of_host(&inventory, a, config, err) < 0)
        return -1;
    *ret_gpus = write_gpus(a, &inventory);
    return 0;
}

int gate_check(void *ctx, struct str *ret_gpus, struct arena *a, const struct gate_ask *asked,
               struct err *err)
{
    const struct config *config = asked->config;
    const struct catalog_worker *type = asked->type;
    struct report *report = asked->report;
    const struct gpu_ask ask = {
        .worker = type->name,
        .need = need_of(type),
        .enable = config->gpu.enable,
        .type_min_bytes = type->min_gpu_memory_bytes,
        .min_named = config->gpu.min_named,
        .min_bytes = config->gpu.min_memory_bytes,
    };
    struct gpu_inventory inventory = {0};
    struct gpu_verdict verdict;
    struct gate *gate = ctx;

    if (gpu_gate_looks(&ask) && inventory_of_host(&inventory, a, config, err) < 0)
        return -1;
    *ret_gpus = write_gpus(a, &inventory);
    gpu_gate(&verdict, a, &inventory, &ask);
    if (verdict.result == GPU_GATE_REFUSE)
        return gpu_gate_refuse(&verdict, err);
    for (size_t i = 0; i < verdict.left_out_count; i++)
        report_note(report, REPORT_INFO, "gpu_left_out", NULL, "%s", verdict.left_out[i]);
    if (verdict.result == GPU_GATE_WARN)
        report_note(report, REPORT_WARN, "gpu", NULL, "%s", verdict.reason);
    if (gate->planned != NULL && plan_for(gate, a, asked, &verdict, err) < 0)
        return -1;
    set_most(gate->choice, type, &verdict, gpu_gate_looks(&ask) || ask.enable == GPU_ENABLE_FALSE);
    look_at_shm(report, type, gate->command);
    return 0;
}
