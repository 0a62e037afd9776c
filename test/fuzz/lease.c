#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest/digest.h"
#include "store/lease_text.h"
#include "store/use.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_shown(const char *text, size_t room)
{
    size_t len = strnlen(text, room);

    if (len == room)
        abort();
    for (size_t i = 0; i < len; i++) {
        if (text[i] < ' ' || text[i] == 0x7f)
            abort();
    }
}

static void check(struct str text)
{
    struct lease_state state;
    struct lease_state again;
    struct use_gpu gpu;
    char written[LEASE_TEXT];

    if (!lease_parse(&state, text))
        return;
    check_shown(state.token, sizeof(state.token));
    check_shown(state.host, sizeof(state.host));
    check_shown(state.boot_id, sizeof(state.boot_id));
    check_shown(state.what, sizeof(state.what));
    if (use_gpu_of(&gpu, &state)) {
        check_shown(gpu.uuid, sizeof(gpu.uuid));
        check_shown(gpu.worker, sizeof(gpu.worker));
        check_shown(gpu.type, sizeof(gpu.type));
    }
    if (state.format != LEASE_FORMAT)
        return;
    lease_format(written, &state);
    if (!lease_parse(&again, (struct str){written, sizeof(written)}) ||
        strcmp(again.host, state.host) != 0 || again.bps != state.bps)
        abort();
}

/* Each input twice: as it is, and as the lines of a lease whose seal is right. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char first[] = "hostler-lease 1\n";
    const size_t body = LEASE_TEXT - 13;
    char text[LEASE_TEXT];
    char end[16];

    check((struct str){(const char *)data, size});
    memset(text, '.', sizeof(text));
    memcpy(text, first, sizeof(first) - 1);
    if (size > body - sizeof(first))
        size = body - sizeof(first);
    if (size > 0)
        memcpy(text + sizeof(first) - 1, data, size);
    text[body - 1] = '\n';
    (void)snprintf(end, sizeof(end), "end %08x\n", digest_crc32c(0, text, body));
    memcpy(text + body, end, 13);
    check((struct str){text, sizeof(text)});
    return 0;
}
