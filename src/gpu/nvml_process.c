#include <stdio.h>

#include "gpu/answer.h"
#include "gpu/nvml_ask.h"
#include "gpu/tree.h"
#include "text/str.h"

#define FIRST   8
#define ROOM    (GPU_PROCESS_MAX * 2)
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

/* False where the list cannot be had: the library's older form may do. */
static bool list(struct held *held, nvml_device device, list_fn *fn, bool old)
{
    union {
        struct nvml_process now[ROOM];
        struct nvml_process_v1 old[ROOM];
    } room = {0};
    unsigned count = FIRST;
    int code;

    if (fn == NULL)
        return false;
    code = fn(device, &count, &room);
    if (code == NVML_INSUFFICIENT_SIZE) {
        /* More may start meanwhile. */
        count = ROOM;
        code = fn(device, &count, &room);
    }
    if (code != NVML_OK)
        return code != NVML_FUNCTION_NOT_FOUND;
    for (unsigned i = 0; i < count && i < ROOM; i++)
        note(held, old ? room.old[i].pid : room.now[i].pid,
             old ? room.old[i].used : room.now[i].used);
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
        if (!list(held, device, forms[i][0], false) && !list(held, device, forms[i][1], false))
            (void)list(held, device, forms[i][2], true);
    }
    name_them(s, held);
    for (size_t i = 0; i < held->count; i++) {
        struct answer answer = {.kind = ANSWER_PROCESS, .process = held->at[i]};

        answer_send(s->fd, &answer);
    }
}
