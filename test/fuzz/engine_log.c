#include "worker/engine_log.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whole, and in pieces: the same must come of it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct engine_log whole, pieces;
    struct str text = {(const char *)data, size};

    whole = (struct engine_log){0};
    pieces = (struct engine_log){0};
    engine_log_feed(&whole, text);
    engine_log_end(&whole);
    for (size_t at = 0; at < size; at += 7)
        engine_log_feed(&pieces, (struct str){text.ptr + at, size - at < 7 ? size - at : 7});
    engine_log_end(&pieces);
    if (memcmp(&whole.figures, &pieces.figures, sizeof(whole.figures)) != 0 ||
        whole.crash.code != pieces.crash.code)
        abort();
    if (strlen(whole.crash.cause) >= ENGINE_CAUSE || strlen(whole.crash.change) >= ENGINE_CAUSE)
        abort();
    (void)engine_working(&whole.figures);
    return 0;
}
