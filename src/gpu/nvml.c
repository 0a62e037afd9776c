/* NVIDIA's GPUs, as its library tells of them, and where it does not, what is wrong with it. */
#include "gpu/nvml.h"

#include <stdio.h>
#include <string.h>

#include "gpu/answer.h"
#include "gpu/nvml_ask.h"
#include "gpu/nvml_host.h"
#include "gpu/visible.h"
#include "text/num.h"
#include "text/str.h"
#include "text/vec.h"

#define LIBRARY "libnvidia-ml.so.1"

/* What the child has said so far. */
struct heard {
    struct arena *arena;
    VEC(struct gpu) gpus;
    bool asked; /* HOST_IS came: count and versions are known */
    uint32_t count;
    char driver_version[GPU_TEXT];
    char cuda_version[16];
    bool no_library;
    bool unloadable;     /* it is there, text says why it cannot be opened */
    int code;            /* of NVML, where it refused as a whole */
    char text[GPU_TEXT]; /* of what went wrong */
    uint32_t step_gpu;   /* of the question that was asked last */
    char step[GPU_TEXT];
};

static void hear_process(struct heard *h, const struct gpu_process *process)
{
    struct gpu *gpu = h->gpus.len > 0 ? &h->gpus.at[h->gpus.len - 1] : NULL;

    if (gpu == NULL || gpu->process_count == GPU_PROCESS_MAX)
        return;
    if (gpu->processes == NULL)
        gpu->processes = arena_array(h->arena, struct gpu_process, GPU_PROCESS_MAX);
    gpu->processes[gpu->process_count++] = *process;
}

static void hear_link(struct heard *h, uint32_t at, const struct gpu_link *link)
{
    struct gpu *gpu = at < h->gpus.len ? &h->gpus.at[at] : NULL;

    if (gpu == NULL || gpu->link_count == GPU_LINK_MAX)
        return;
    if (gpu->links == NULL)
        gpu->links = arena_array(h->arena, struct gpu_link, GPU_LINK_MAX);
    gpu->links[gpu->link_count++] = *link;
}

static void hear(void *ctx, const struct answer *answer)
{
    struct heard *h = ctx;

    switch (answer->kind) {
    case ANSWER_STEP:
        h->step_gpu = answer->gpu;
        memcpy(h->step, answer->text, sizeof(h->step));
        break;
    case ANSWER_NO_LIBRARY:
        h->no_library = true;
        h->unloadable = answer->code != 0;
        memcpy(h->text, answer->text, sizeof(h->text));
        break;
    case ANSWER_REFUSED:
        h->code = answer->code;
        memcpy(h->text, answer->text, sizeof(h->text));
        break;
    case ANSWER_HOST_IS:
        h->asked = true;
        h->count = answer->count < GPU_MAX ? answer->count : GPU_MAX;
        memcpy(h->driver_version, answer->text, sizeof(h->driver_version));
        memcpy(h->cuda_version, answer->cuda, sizeof(h->cuda_version));
        break;
    case ANSWER_GPU:
        if (h->gpus.len < GPU_MAX)
            vec_push(h->arena, &h->gpus, answer->one);
        break;
    case ANSWER_PROCESS: hear_process(h, &answer->process); break;
    case ANSWER_LINK: hear_link(h, answer->at, &answer->link); break;
    case ANSWER_END:
    case ANSWER_KINDS: break;
    }
}

/* The cards that the kernel's module knows, where its library tells nothing of them. */
static void show_cards(struct gpu_inventory *out, const struct nvml_host *host, const char *why)
{
    out->gpus = host->gpus;
    out->count = host->gpu_count;
    for (size_t i = 0; i < out->count; i++) {
        gpu_set_state(&out->gpus[i], GPU_HIDDEN, "%s", why);
        gpu_set_hint(&out->gpus[i], "%s", out->hint);
    }
}

static bool without_library(struct gpu_inventory *out, const struct heard *h,
                            const struct nvml_host *host)
{
    if (h->unloadable) {
        gpu_set_reason(out, "%s", h->text);
        gpu_set_way_out(out, "install the libraries of the NVIDIA driver anew, of its version and "
                             "for this architecture");
        return true;
    }
    if (host->module != NULL) {
        gpu_set_reason(out,
                       "the NVIDIA driver %s is loaded, but its library " LIBRARY " is not here",
                       host->module);
        gpu_set_way_out(out, "in a container: start it with --gpus all and the NVIDIA Container "
                             "Toolkit; on the host: install the driver's libraries");
        show_cards(out, host, "the driver's library is not here");
        return true;
    }
    if (host->card != NULL) {
        gpu_set_reason(out, "an NVIDIA card is at %s, but no NVIDIA driver is loaded", host->card);
        gpu_set_way_out(out, "%s", nvml_code_way_out(NVML_DRIVER_NOT_LOADED));
        return true;
    }
    gpu_set_reason(out, "no NVIDIA driver: /proc/driver/nvidia and " LIBRARY " are absent");
    return false;
}

static bool no_driver(struct gpu_inventory *out, const struct nvml_host *host)
{
    if (host->module != NULL && host->control != NULL) {
        gpu_set_reason(out, "the NVIDIA driver %s is loaded, but %s", host->module, host->control);
        gpu_set_way_out(out, "%s", nvml_code_way_out(NVML_OPERATING_SYSTEM));
        return true;
    }
    gpu_set_reason(out, LIBRARY " is here, but the NVIDIA driver is not loaded (NVML error 9)");
    gpu_set_way_out(out, "%s", nvml_code_way_out(NVML_DRIVER_NOT_LOADED));
    /* A library alone, as in an image for all hosts, says nothing of this host. */
    return host->card != NULL || host->module != NULL;
}

/* The library is there, and refuses as a whole. */
static bool refused(struct gpu_inventory *out, struct arena *a, const struct heard *h,
                    const struct nvml_host *host)
{
    const char *version = h->text[0] != '\0' ? h->text : "of another version";

    if (h->code == NVML_DRIVER_NOT_LOADED)
        return no_driver(out, host);
    gpu_set_way_out(out, "%s", nvml_code_way_out(h->code));
    if (h->code == NVML_LIB_RM_VERSION_MISMATCH && host->module != NULL)
        gpu_set_reason(out,
                       "driver/library mismatch: the loaded driver is %s, " LIBRARY " is %s "
                       "(NVML error 18)",
                       host->module, version);
    else if (h->code == NVML_NO_PERMISSION && host->control != NULL)
        gpu_set_reason(out, "the NVIDIA driver may not be used: %s (NVML error 4)", host->control);
    else
        gpu_set_reason(out, "the NVIDIA driver cannot be asked: %s (NVML error %d)",
                       nvml_code_meaning(h->code), h->code);
    show_cards(out, host,
               str_format(a, "the driver cannot be asked: %s", nvml_code_meaning(h->code)));
    return true;
}

static const char *step_text(struct arena *a, const struct heard *h)
{
    if (h->step_gpu == ANSWER_HOST)
        return str_format(a, "it was asked %s", h->step);
    return str_format(a, "it was asked for GPU %u, %s", h->step_gpu, h->step);
}

/* The child did not come to its end. */
static void cut_short(struct gpu_inventory *out, struct arena *a, const struct heard *h,
                      const struct answer_outcome *outcome, uint64_t limit_ms)
{
    char limit[NUM_TEXT];

    switch (outcome->end) {
    case ANSWER_ALL: return;
    case ANSWER_LATE:
        gpu_set_reason(out, "the NVIDIA driver did not answer in %s (%s)",
                       num_format_duration(limit, limit_ms), step_text(a, h));
        gpu_set_way_out(out,
                        "look for NVRM and Xid in the kernel's log (dmesg); where GPUs only take "
                        "long to wake: start nvidia-persistenced, or raise --gpu-timeout");
        return;
    case ANSWER_CRASHED:
        gpu_set_reason(out, LIBRARY " crashed (signal %d, %s; %s)", outcome->signal,
                       sigdescr_np(outcome->signal), step_text(a, h));
        gpu_set_way_out(out,
                        "install driver and libraries of one version, and look for NVRM in the "
                        "kernel's log (dmesg)");
        return;
    case ANSWER_QUIT:
        gpu_set_reason(out, LIBRARY " ended the process that asked it (%s)", step_text(a, h));
        gpu_set_way_out(out, "install driver and libraries of one version");
        return;
    case ANSWER_NO_CHILD:
        gpu_set_reason(out, "no process can be started to ask the NVIDIA driver: %s",
                       strerrordesc_np(outcome->sys));
        gpu_set_way_out(out, "raise the limit of processes");
        return;
    }
}

static bool is_told(const struct heard *h, uint32_t index)
{
    for (size_t i = 0; i < h->gpus.len; i++) {
        if (h->gpus.at[i].index == index)
            return true;
    }
    return false;
}

/* What the driver counts and has not told of. */
static void add_untold(struct gpu_inventory *out, struct heard *h)
{
    for (uint32_t i = 0; i < h->count && out->reason[0] != '\0'; i++) {
        struct gpu gpu = {.index = i};

        if (is_told(h, i) || h->gpus.len >= GPU_MAX)
            continue;
        gpu_set_state(&gpu, GPU_FAULTY, "the driver did not tell of it");
        gpu_set_hint(&gpu, "%s", out->hint);
        vec_push(h->arena, &h->gpus, gpu);
    }
}

/* A lost GPU tells nothing; the kernel's module still knows which one it is. */
static void name_from_proc(struct gpu_inventory *out, const struct heard *h,
                           const struct nvml_host *host)
{
    for (size_t i = 0; i < out->count && host->gpu_count == h->count; i++) {
        struct gpu *gpu = &out->gpus[i];

        if (gpu->uuid[0] != '\0' || gpu->mig_parent[0] != '\0' || gpu->index >= host->gpu_count)
            continue;
        memcpy(gpu->uuid, host->gpus[gpu->index].uuid, sizeof(gpu->uuid));
        memcpy(gpu->name, host->gpus[gpu->index].name, sizeof(gpu->name));
        memcpy(gpu->pci, host->gpus[gpu->index].pci, sizeof(gpu->pci));
    }
}

/* An answer without a GPU: whoever started the container has mostly asked for that. */
static void explain_none(struct gpu_inventory *out, const struct gpu_look *look)
{
    const char *wanted = look->visible.nvidia_visible_devices;

    gpu_set_reason(out, "the NVIDIA driver shows no GPU%s%.80s",
                   wanted != NULL ? ": NVIDIA_VISIBLE_DEVICES=" : "", wanted != NULL ? wanted : "");
    gpu_set_way_out(out, "start the container with its GPUs: --gpus all, or device_ids in compose");
}

static int look_nvml(struct gpu_inventory *out, bool *ret_here, struct arena *a,
                     const struct gpu_look *look, struct err *err)
{
    const struct nvml_question question = {look->nvml_names, look->proc, look->dev};
    struct heard h = {.arena = a, .step_gpu = ANSWER_HOST, .step = "to be opened"};
    const struct answer_exchange exchange = {.ask = nvml_ask,
                                             .ask_ctx = &question,
                                             .take = hear,
                                             .take_ctx = &h,
                                             .clock = look->clock,
                                             .limit_ms = look->limit_ms};
    struct answer_outcome outcome;
    struct nvml_host host;

    if (answer_exchange(&outcome, &exchange, err) < 0)
        return -1;
    nvml_host_look(&host, a, look);
    *ret_here = true;
    if (h.no_library) {
        *ret_here = without_library(out, &h, &host);
        return 0;
    }
    if (h.code != NVML_OK) {
        *ret_here = refused(out, a, &h, &host);
        return 0;
    }
    (void)snprintf(out->driver_version, sizeof(out->driver_version), "%s", h.driver_version);
    (void)snprintf(out->cuda_version, sizeof(out->cuda_version), "%s", h.cuda_version);
    cut_short(out, a, &h, &outcome, look->limit_ms);
    add_untold(out, &h);
    out->gpus = h.gpus.at;
    out->count = h.gpus.len;
    name_from_proc(out, &h, &host);
    if (out->count == 0 && out->reason[0] == '\0')
        explain_none(out, look);
    return 0;
}

const struct gpu_driver gpu_driver_nvml = {
    .name = "nvml", .look = look_nvml, .hide = visible_hide_nvidia};
