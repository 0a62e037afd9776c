#include <stdio.h>

#include "gpu/answer.h"
#include "gpu/nvml_ask.h"
#include "gpu/tree.h"
#include "text/str.h"

#define FIRST   8U
#define MOST    4096U /* of which GPU_PROCESS_MAX are kept */
#define TRIES   5
#define MIB     ((uint64_t)1 << 20)
#define UNKNOWN UINT64_MAX
/* The number of the namespace that the kernel itself starts in (PROC_PID_INIT_INO). */
#define HOSTS_PIDS "pid:[4026531836]"

typedef int list_fn(nvml_device device, unsigned *count, void *list);

/* What of a process several lists say. */
struct held {
    struct gpu_process at[GPU_PROCESS_MAX];
    size_t count;
};

static void note(struct held *held, uint32_t pid, uint64_t bytes)
{
    struct gpu_process p = {.pid = pid, .mib_known = bytes != UNKNOWN};

    p.mib = p.mib_known ? bytes / MIB : 0;
    if (p.mib > GPU_MIB_MAX)
        return;
    for (size_t i = 0; i < held->count; i++) {
        if (held->at[i].pid != pid)
            continue;
        if (p.mib > held->at[i].mib)
            held->at[i] = p;
        return;
    }
    if (held->count < GPU_PROCESS_MAX)
        held->at[held->count++] = p;
}

/* Room for what there was, and for as many that start before the next question. */
static unsigned more_room(unsigned had, unsigned asked_for)
{
    unsigned least = asked_for > had ? asked_for : had;

    return least > (MOST - FIRST) / 2 ? MOST : 2 * least + FIRST;
}

/* False where the list cannot be had: the library's older form may do. */
static bool list(const struct nvml_asker *s, struct held *held, nvml_device device, list_fn *fn,
                 bool old)
{
    const struct nvml_process *now = NULL;
    const struct nvml_process_v1 *before = NULL;
    unsigned room = FIRST;
    unsigned count = 0;
    int code = NVML_INSUFFICIENT_SIZE;

    if (fn == NULL)
        return false;
    for (int i = 0; i < TRIES && code == NVML_INSUFFICIENT_SIZE; i++) {
        /* The older records are smaller. */
        void *records = arena_array(s->arena, struct nvml_process, room);

        now = records;
        before = records;
        count = room;
        code = fn(device, &count, records);
        if (code == NVML_INSUFFICIENT_SIZE)
            room = more_room(room, count);
    }
    if (code != NVML_OK)
        return code != NVML_FUNCTION_NOT_FOUND;
    for (unsigned i = 0; i < count && i < room; i++)
        note(held, old ? before[i].pid : now[i].pid, old ? before[i].used : now[i].used);
    return true;
}

/* A container's numbers of processes are not the driver's: another's name would be shown. */
static void name_them(const struct nvml_asker *s, struct held *held)
{
    const char *space = tree_link_name(s->arena, s->proc, "self/ns/pid");

    if (space == NULL || strcmp(space, HOSTS_PIDS) != 0)
        return;
    for (size_t i = 0; i < held->count; i++) {
        struct gpu_process *p = &held->at[i];
        struct str name;

        if (tree_text(&name, s->arena, s->proc,
                      str_format(s->arena, "%ju/comm", (uintmax_t)p->pid)))
            tree_copy(p->name, sizeof(p->name), name);
    }
}

void nvml_ask_processes(const struct nvml_asker *s, nvml_device device)
{
    const struct nvml_api *api = s->api;
    list_fn *const forms[][3] = {
        {api->nvmlDeviceGetComputeRunningProcesses_v3, api->nvmlDeviceGetComputeRunningProcesses_v2,
         api->nvmlDeviceGetComputeRunningProcesses},
        {api->nvmlDeviceGetGraphicsRunningProcesses_v3,
         api->nvmlDeviceGetGraphicsRunningProcesses_v2, api->nvmlDeviceGetGraphicsRunningProcesses},
        {api->nvmlDeviceGetMPSComputeRunningProcesses_v3,
         api->nvmlDeviceGetMPSComputeRunningProcesses_v2,
         api->nvmlDeviceGetMPSComputeRunningProcesses},
    };
    struct held *held = arena_new(s->arena, struct held);

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (!list(s, held, device, forms[i][0], false) &&
            !list(s, held, device, forms[i][1], false))
            (void)list(s, held, device, forms[i][2], true);
    }
    name_them(s, held);
    for (size_t i = 0; i < held->count; i++) {
        struct answer answer = {.kind = ANSWER_PROCESS, .process = held->at[i]};

        answer_send(s->fd, &answer);
    }
}
