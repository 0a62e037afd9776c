#include "gpu/nvml_ask.h"

/* Of nvmlGpuP2PCapsIndex_t. */
#define P2P_NVLINK 2
#define P2P_OK     0

bool nvml_ask_link(const struct nvml_asker *s, nvml_device a, nvml_device b,
                   enum gpu_link_kind *ret_kind)
{
    static const struct {
        int level; /* of nvmlGpuTopologyLevel_t */
        enum gpu_link_kind kind;
    } levels[] = {{0, GPU_LINK_PIX},  {10, GPU_LINK_PIX},  {20, GPU_LINK_PXB},
                  {30, GPU_LINK_PHB}, {40, GPU_LINK_NODE}, {50, GPU_LINK_SYS}};
    int status = -1;
    int level = -1;

    if (s->api->nvmlDeviceGetP2PStatus != NULL &&
        s->api->nvmlDeviceGetP2PStatus(a, b, P2P_NVLINK, &status) == NVML_OK && status == P2P_OK) {
        *ret_kind = GPU_LINK_NVLINK;
        return true;
    }
    if (s->api->nvmlDeviceGetTopologyCommonAncestor == NULL ||
        s->api->nvmlDeviceGetTopologyCommonAncestor(a, b, &level) != NVML_OK)
        return false;
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        if (levels[i].level != level)
            continue;
        *ret_kind = levels[i].kind;
        return true;
    }
    return false;
}
