#include "gpu/nvml_ask.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpu/answer.h"
#include "gpu/tree.h"
#include "sys/dl.h"
#include "text/str.h"

/* Pairs are asked for one by one; beyond this many GPUs nobody plans by them. */
#define LINKED_MAX 64

/* Those that were sent and can be used, for the links between them. */
struct seen {
    nvml_device devices[LINKED_MAX];
    uint32_t at[LINKED_MAX];
    char uuids[LINKED_MAX][GPU_TEXT];
    uint32_t count;
    uint32_t sent;
};

void nvml_step(const struct nvml_asker *s, uint32_t gpu, const char *what)
{
    struct answer answer = {.kind = ANSWER_STEP, .gpu = gpu};

    tree_copy(answer.text, sizeof(answer.text), str_from(what));
    answer_send(s->fd, &answer);
}

void nvml_set_code(struct gpu *gpu, int code)
{
    enum gpu_state state = GPU_FAULTY;

    if (code == NVML_GPU_IS_LOST)
        state = GPU_LOST;
    else if (code == NVML_NO_PERMISSION || code == NVML_OPERATING_SYSTEM)
        state = GPU_NO_PERMISSION;
    gpu_set_state(gpu, state, "%s (NVML error %d)", nvml_code_meaning(code), code);
    gpu_set_hint(gpu, "%s", nvml_code_way_out(code));
}

bool nvml_is_ok(struct gpu *gpu, int code)
{
    if (code == NVML_GPU_IS_LOST || code == NVML_RESET_REQUIRED)
        nvml_set_code(gpu, code);
    return code == NVML_OK;
}

void nvml_ask_text(struct gpu *gpu, char *out, size_t size, nvml_device device, nvml_text_fn *fn)
{
    char text[GPU_TEXT] = "";

    if (fn == NULL || !nvml_is_ok(gpu, fn(device, text, sizeof(text))))
        return;
    text[sizeof(text) - 1] = '\0';
    tree_copy(out, size, str_from(text));
}

/* uuid, name, place on the bus, compute capability. */
static void ask_identity(const struct nvml_asker *s, nvml_device device, struct gpu *gpu)
{
    const struct nvml_api *api = s->api;
    struct nvml_pci pci = {0};
    int major = 0;
    int minor = 0;
    int display = 0;

    nvml_ask_text(gpu, gpu->uuid, sizeof(gpu->uuid), device, api->nvmlDeviceGetUUID);
    nvml_ask_text(gpu, gpu->name, sizeof(gpu->name), device, api->nvmlDeviceGetName);
    if (api->nvmlDeviceGetPciInfo_v3 != NULL &&
        nvml_is_ok(gpu, api->nvmlDeviceGetPciInfo_v3(device, &pci)))
        (void)snprintf(gpu->pci, sizeof(gpu->pci), "%.*s", (int)sizeof(pci.bus_id) - 1, pci.bus_id);
    if (api->nvmlDeviceGetCudaComputeCapability != NULL &&
        nvml_is_ok(gpu, api->nvmlDeviceGetCudaComputeCapability(device, &major, &minor)))
        (void)snprintf(gpu->sm, sizeof(gpu->sm), "%u.%u", (unsigned)major % 1000,
                       (unsigned)minor % 1000);
    if (api->nvmlDeviceGetDisplayActive != NULL &&
        nvml_is_ok(gpu, api->nvmlDeviceGetDisplayActive(device, &display)))
        gpu->display = display != 0;
}

static void send_gpu(const struct nvml_asker *s, struct seen *seen, nvml_device device,
                     const struct gpu *gpu)
{
    struct answer answer = {.kind = ANSWER_GPU, .gpu = gpu->index, .one = *gpu};

    answer_send(s->fd, &answer);
    if (gpu->state == GPU_OK && gpu->mig_parent[0] == '\0' && seen->count < LINKED_MAX) {
        seen->devices[seen->count] = device;
        seen->at[seen->count] = seen->sent;
        memcpy(seen->uuids[seen->count], gpu->uuid, sizeof(gpu->uuid));
        seen->count++;
    }
    seen->sent++;
    if (gpu->state == GPU_OK) {
        nvml_step(s, gpu->index, "its processes");
        nvml_ask_processes(s, device);
    }
}

static void ask_instances(const struct nvml_asker *s, struct seen *seen, nvml_device device,
                          const struct gpu *parent)
{
    unsigned most = 0;

    if (s->api->nvmlDeviceGetMaxMigDeviceCount == NULL ||
        s->api->nvmlDeviceGetMaxMigDeviceCount(device, &most) != NVML_OK)
        return;
    for (unsigned i = 0; i < most && i < GPU_MAX; i++) {
        struct gpu instance = {0};
        nvml_device handle = NULL;

        nvml_step(s, parent->index, "its MIG instances");
        if (nvml_ask_instance(s, device, i, parent, &instance, &handle))
            send_gpu(s, seen, handle, &instance);
    }
}

static void ask_gpu(const struct nvml_asker *s, struct seen *seen, uint32_t index)
{
    struct gpu gpu = {.index = index};
    nvml_device device = NULL;
    int code;

    nvml_step(s, index, "itself");
    code = s->api->nvmlDeviceGetHandleByIndex_v2(index, &device);
    if (code != NVML_OK) {
        nvml_set_code(&gpu, code);
        send_gpu(s, seen, device, &gpu);
        return;
    }
    ask_identity(s, device, &gpu);
    nvml_step(s, index, "its memory");
    nvml_ask_memory(s, device, &gpu);
    nvml_step(s, index, "its health");
    nvml_ask_health(s, device, &gpu);
    if (gpu.state == GPU_OK && nvml_ask_mig(s, device, &gpu)) {
        send_gpu(s, seen, device, &gpu);
        ask_instances(s, seen, device, &gpu);
        return;
    }
    send_gpu(s, seen, device, &gpu);
}

static void send_link(const struct nvml_asker *s, uint32_t at, const char *to,
                      enum gpu_link_kind kind)
{
    struct answer answer = {.kind = ANSWER_LINK, .at = at, .link = {.kind = kind}};

    tree_copy(answer.link.to, sizeof(answer.link.to), str_from(to));
    answer_send(s->fd, &answer);
}

static void ask_links(const struct nvml_asker *s, const struct seen *seen)
{
    enum gpu_link_kind kind;

    nvml_step(s, ANSWER_HOST, "how the GPUs are joined");
    for (uint32_t i = 0; i < seen->count; i++) {
        for (uint32_t k = i + 1; k < seen->count; k++) {
            if (!nvml_ask_link(s, seen->devices[i], seen->devices[k], &kind))
                continue;
            send_link(s, seen->at[i], seen->uuids[k], kind);
            send_link(s, seen->at[k], seen->uuids[i], kind);
        }
    }
}

/* 580.95.05 of a library that lies at .../libnvidia-ml.so.580.95.05; "" where its name lacks it. */
static void library_version(char *out, size_t size, const struct nvml_api *api)
{
    static const char mark[] = "libnvidia-ml.so.";
    char path[PATH_MAX];
    const void *function;
    const char *at;
    Dl_info info;

    memcpy(&function, &api->nvmlInit_v2, sizeof(function));
    if (dladdr(function, &info) == 0 || realpath(info.dli_fname, path) == NULL)
        return;
    at = strstr(path, mark);
    if (at != NULL && strchr(at + sizeof(mark) - 1, '.') != NULL)
        tree_copy(out, size, str_from(at + sizeof(mark) - 1));
}

static void send_refusal(const struct nvml_asker *s, int code)
{
    struct answer answer = {.kind = ANSWER_REFUSED, .code = code};

    library_version(answer.text, sizeof(answer.text), s->api);
    answer_send(s->fd, &answer);
}

/* Versions and the number of GPUs; false where the driver refuses. */
static bool ask_host(const struct nvml_asker *s, unsigned *ret_count)
{
    struct answer answer = {.kind = ANSWER_HOST_IS};
    int cuda = 0;
    int code;

    nvml_step(s, ANSWER_HOST, "to start");
    code = s->api->nvmlInit_v2();
    if (code == NVML_OK)
        code = s->api->nvmlDeviceGetCount_v2(&answer.count);
    if (code != NVML_OK) {
        send_refusal(s, code);
        return false;
    }
    if (s->api->nvmlSystemGetDriverVersion != NULL &&
        s->api->nvmlSystemGetDriverVersion(answer.text, sizeof(answer.text)) != NVML_OK)
        answer.text[0] = '\0';
    if (s->api->nvmlSystemGetCudaDriverVersion_v2 != NULL &&
        s->api->nvmlSystemGetCudaDriverVersion_v2(&cuda) == NVML_OK && cuda > 0)
        (void)snprintf(answer.cuda, sizeof(answer.cuda), "%u.%u", (unsigned)cuda / 1000 % 1000,
                       (unsigned)cuda % 1000 / 10);
    answer_send(s->fd, &answer);
    *ret_count = answer.count;
    return true;
}

/*
 * The first name that opens. One that is there and cannot be opened says more than the ones that
 * are not there.
 */
static bool load(const struct nvml_asker *s, struct nvml_api *api, const char *const *names)
{
    static const struct dl_symbol symbols[] = {
#define NEEDED                      false
#define OPTIONAL                    true
#define NVML(need, name, arguments) {#name, offsetof(struct nvml_api, name), need},
#include "gpu/nvml.def"
#undef NVML
#undef OPTIONAL
#undef NEEDED
    };
    struct answer answer = {.kind = ANSWER_NO_LIBRARY};

    for (size_t i = 0; names[i] != NULL; i++) {
        const char *const one[] = {names[i], NULL};
        struct err err = {0};

        if (dl_load(api, symbols, sizeof(symbols) / sizeof(symbols[0]), one, "", &err) == 0)
            return true;
        if (answer.code == 0 && strstr(err.msg, "No such file or directory") == NULL) {
            answer.code = 1;
            tree_copy(answer.text, sizeof(answer.text), str_from(err.msg));
        }
    }
    answer_send(s->fd, &answer);
    return false;
}

void nvml_ask(int fd, const void *ctx)
{
    const struct nvml_question *question = ctx;
    ARENA_SCOPED arena = {0};
    struct nvml_api api = {0};
    const struct nvml_asker s = {
        .api = &api, .arena = &arena, .fd = fd, .proc = question->proc, .dev = question->dev};
    struct seen *seen = arena_new(&arena, struct seen);
    unsigned count = 0;

    nvml_step(&s, ANSWER_HOST, "to be opened");
    if (load(&s, &api, question->names) && ask_host(&s, &count)) {
        for (uint32_t i = 0; i < count && i < GPU_MAX; i++)
            ask_gpu(&s, seen, i);
        ask_links(&s, seen);
    }
    answer_send(fd, &(struct answer){.kind = ANSWER_END});
}
