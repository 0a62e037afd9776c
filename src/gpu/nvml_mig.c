#include <stdio.h>

#include "gpu/nvml_ask.h"
#include "gpu/tree.h"

bool nvml_ask_mig(const struct nvml_asker *s, nvml_device device, struct gpu *gpu)
{
    unsigned current = 0;
    unsigned pending = 0;

    if (s->api->nvmlDeviceGetMigMode == NULL ||
        !nvml_is_ok(gpu, s->api->nvmlDeviceGetMigMode(device, &current, &pending)))
        return false;
    if (current == 0) {
        if (pending != 0) {
            gpu_set_state(gpu, GPU_OK, "MIG will be on after its next reset");
            gpu_set_hint(gpu, "%s", nvml_code_way_out(NVML_RESET_REQUIRED));
        }
        return false;
    }
    gpu_set_state(gpu, GPU_MIG_PARENT, "it is cut into MIG instances");
    gpu_set_hint(gpu, "use an instance; without any: nvidia-smi mig -cgi PROFILE -C, "
                      "or nvidia-smi -mig 0 to turn MIG off");
    return true;
}

/* GiB as profiles are named: of 9728 MiB 10. */
static uint64_t profile_gib(uint64_t mib)
{
    return (mib + 1023) / 1024;
}

void nvml_mig_profile(char out[static 32], const struct nvml_attributes *attributes)
{
    char compute[16] = "";

    out[0] = '\0';
    if (attributes->gpu_slices == 0 || attributes->memory_mib > GPU_MIB_MAX)
        return;
    if (attributes->compute_slices > 0 && attributes->compute_slices < attributes->gpu_slices)
        (void)snprintf(compute, sizeof(compute), "%uc.", attributes->compute_slices);
    (void)snprintf(out, 32, "%s%ug.%jugb", compute, attributes->gpu_slices,
                   (uintmax_t)profile_gib(attributes->memory_mib));
}

static void ask_profile(const struct nvml_asker *s, nvml_device device, struct gpu *instance)
{
    static const char mark[] = " MIG ";
    struct nvml_attributes attributes = {0};
    const char *at = strstr(instance->name, mark);

    /* Newer drivers end the name with it, and know "1g.10gb+me" too. */
    if (at != NULL)
        tree_copy(instance->mig_profile, sizeof(instance->mig_profile),
                  str_from(at + sizeof(mark) - 1));
    else if (s->api->nvmlDeviceGetAttributes_v2 != NULL &&
             s->api->nvmlDeviceGetAttributes_v2(device, &attributes) == NVML_OK)
        nvml_mig_profile(instance->mig_profile, &attributes);
}

bool nvml_ask_instance(const struct nvml_asker *s, nvml_device device, unsigned i,
                       const struct gpu *parent, struct gpu *ret_instance, nvml_device *ret_device)
{
    const struct nvml_api *api = s->api;
    struct gpu *instance = ret_instance;

    if (api->nvmlDeviceGetMigDeviceHandleByIndex == NULL ||
        api->nvmlDeviceGetMigDeviceHandleByIndex(device, i, ret_device) != NVML_OK)
        return false;
    *instance =
        (struct gpu){.index = parent->index, .mig_index = i, .compute_mode = parent->compute_mode};
    memcpy(instance->mig_parent, parent->uuid, sizeof(parent->uuid));
    memcpy(instance->pci, parent->pci, sizeof(parent->pci));
    memcpy(instance->sm, parent->sm, sizeof(parent->sm));
    nvml_ask_text(instance, instance->uuid, sizeof(instance->uuid), *ret_device,
                  api->nvmlDeviceGetUUID);
    nvml_ask_text(instance, instance->name, sizeof(instance->name), *ret_device,
                  api->nvmlDeviceGetName);
    if (instance->name[0] == '\0')
        memcpy(instance->name, parent->name, sizeof(parent->name));
    if (api->nvmlDeviceGetGpuInstanceId != NULL)
        (void)api->nvmlDeviceGetGpuInstanceId(*ret_device, &instance->mig_gi);
    if (api->nvmlDeviceGetComputeInstanceId != NULL)
        (void)api->nvmlDeviceGetComputeInstanceId(*ret_device, &instance->mig_ci);
    ask_profile(s, *ret_device, instance);
    nvml_ask_memory(s, *ret_device, instance);
    return true;
}
