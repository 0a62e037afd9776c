/* Takes any bytes as the record of a child whose library has written over its memory: what is
 * believed has texts that end, words that are known and sizes within their limits. */
#include <stdlib.h>
#include <string.h>

#include "gpu/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool claim)
{
    if (!claim)
        abort();
}
#define NEED_END(array) need(memchr(array, '\0', sizeof(array)) != NULL)

static void check_gpu(const struct gpu *gpu)
{
    NEED_END(gpu->uuid);
    NEED_END(gpu->name);
    NEED_END(gpu->pci);
    NEED_END(gpu->sm);
    NEED_END(gpu->mig_parent);
    NEED_END(gpu->mig_profile);
    NEED_END(gpu->reason);
    NEED_END(gpu->hint);
    need(gpu->processes == NULL && gpu->process_count == 0);
    need(gpu->links == NULL && gpu->link_count == 0);
    need(gpu_state_name(gpu->state) != NULL);
    need(gpu_compute_mode_name(gpu->compute_mode) != NULL);
    need(gpu->total_mib <= GPU_MIB_MAX && gpu->free_mib <= GPU_MIB_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct answer answer = {0};

    memcpy(&answer, data, size < sizeof(answer) ? size : sizeof(answer));
    if (!answer_check(&answer))
        return 0;
    need((unsigned)answer.kind < ANSWER_KINDS);
    NEED_END(answer.text);
    NEED_END(answer.cuda);
    NEED_END(answer.process.name);
    NEED_END(answer.link.to);
    need(gpu_link_name(answer.link.kind) != NULL);
    check_gpu(&answer.one);
    return 0;
}
