#include "gpu/nvml_ask.h"
#include "gpu/tree.h"

#define FIELD_RECOVERY     230
#define ECC_UNCORRECTED    1
#define ECC_SINCE_THE_BOOT 0
/* Of nvmlDeviceGetComputeMode: they are those of enum gpu_compute_mode. */

/* The driver's own word on what a GPU needs before it can be used again. */
static void ask_recovery(const struct nvml_asker *s, nvml_device device, struct gpu *gpu)
{
    static const char *const actions[] = {NULL,
                                          "a reset",
                                          "a new start of the host",
                                          "its work drained, as a peer was lost",
                                          "its work drained, then a reset",
                                          "the service IMEX to be put right"};
    static const size_t count = sizeof(actions) / sizeof(actions[0]);
    struct nvml_field field = {.id = FIELD_RECOVERY};

    if (s->api->nvmlDeviceGetFieldValues == NULL ||
        !nvml_is_ok(gpu, s->api->nvmlDeviceGetFieldValues(device, 1, &field)) ||
        field.result != NVML_OK || field.value.u32 == 0)
        return;
    gpu_set_state(gpu, GPU_FAULTY, "the driver says that it needs %s (recovery action %u)",
                  field.value.u32 < count ? actions[field.value.u32] : "something unknown to us",
                  field.value.u32);
    gpu_set_hint(gpu, "%s", nvml_code_way_out(NVML_RESET_REQUIRED));
}

static void ask_rows(const struct nvml_asker *s, nvml_device device, struct gpu *gpu)
{
    unsigned corrected = 0;
    unsigned uncorrected = 0;
    unsigned pending = 0;
    unsigned failed = 0;

    if (s->api->nvmlDeviceGetRemappedRows == NULL ||
        !nvml_is_ok(gpu, s->api->nvmlDeviceGetRemappedRows(device, &corrected, &uncorrected,
                                                           &pending, &failed)))
        return;
    if (failed != 0) {
        gpu_set_state(gpu, GPU_FAULTY, "rows of its memory are broken, and could not be replaced");
        gpu_set_hint(gpu, "the card has to be replaced");
    } else if (pending != 0) {
        gpu_set_state(gpu, GPU_OK, "a reset is due: rows of its memory wait to be replaced");
        gpu_set_hint(gpu, "%s", nvml_code_way_out(NVML_RESET_REQUIRED));
    }
}

/* The same on cards before Ampere. */
static void ask_pages(const struct nvml_asker *s, nvml_device device, struct gpu *gpu)
{
    int pending = 0;

    if (s->api->nvmlDeviceGetRetiredPagesPendingStatus == NULL ||
        !nvml_is_ok(gpu, s->api->nvmlDeviceGetRetiredPagesPendingStatus(device, &pending)) ||
        pending == 0)
        return;
    gpu_set_state(gpu, GPU_OK, "a reset is due: pages of its memory wait to be retired");
    gpu_set_hint(gpu, "%s", nvml_code_way_out(NVML_RESET_REQUIRED));
}

static void ask_ecc(const struct nvml_asker *s, nvml_device device, struct gpu *gpu)
{
    unsigned long long errors = 0;

    if (s->api->nvmlDeviceGetTotalEccErrors == NULL ||
        !nvml_is_ok(gpu, s->api->nvmlDeviceGetTotalEccErrors(device, ECC_UNCORRECTED,
                                                             ECC_SINCE_THE_BOOT, &errors)) ||
        errors == 0)
        return;
    gpu_set_state(gpu, GPU_OK, "%llu uncorrected errors of its memory since the driver was loaded",
                  errors);
    gpu_set_hint(gpu, "%s", nvml_code_way_out(NVML_RESET_REQUIRED));
}

static void ask_compute_mode(const struct nvml_asker *s, nvml_device device, struct gpu *gpu)
{
    int mode = 0;

    if (s->api->nvmlDeviceGetComputeMode == NULL ||
        !nvml_is_ok(gpu, s->api->nvmlDeviceGetComputeMode(device, &mode)) || mode < 0 ||
        mode >= (int)GPU_COMPUTE_MODES)
        return;
    gpu->compute_mode = (enum gpu_compute_mode)mode;
    if (gpu->compute_mode != GPU_COMPUTE_PROHIBITED)
        return;
    gpu_set_state(gpu, GPU_NO_PERMISSION, "its compute mode is prohibited: no program may use it");
    gpu_set_hint(gpu, "nvidia-smi -i %s -c DEFAULT as root", gpu->uuid);
}

/* NVML may answer where the device itself is closed to us. */
static void ask_permission(const struct nvml_asker *s, nvml_device device, struct gpu *gpu)
{
    unsigned minor = 0;
    const char *name;
    const char *why;

    if (s->api->nvmlDeviceGetMinorNumber == NULL ||
        !nvml_is_ok(gpu, s->api->nvmlDeviceGetMinorNumber(device, &minor)))
        return;
    name = str_format(s->arena, "nvidia%u", minor);
    /* One that is not there is made by the driver's own helper when CUDA asks for it. */
    why = tree_has(s->arena, s->dev, name) ? tree_refused(s->arena, s->dev, name) : NULL;
    if (why == NULL)
        return;
    gpu_set_state(gpu, GPU_NO_PERMISSION, "%s", why);
    gpu_set_hint(gpu, "%s", nvml_code_way_out(NVML_NO_PERMISSION));
}

void nvml_ask_health(const struct nvml_asker *s, nvml_device device, struct gpu *gpu)
{
    /* From the mildest to the gravest, and each one's word replaces what was said before. */
    static void (*const questions[])(const struct nvml_asker *, nvml_device, struct gpu *) = {
        ask_ecc, ask_pages, ask_rows, ask_compute_mode, ask_permission, ask_recovery,
    };

    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
        if (gpu->state == GPU_OK || gpu->state == GPU_NO_PERMISSION)
            questions[i](s, device, gpu);
    }
}
