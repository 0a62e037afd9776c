#include <stdio.h>

#include "text/num.h"
#include "worker/read_ahead.h"

#define ENOUGH_BYTES UINT64_C(268435456)
#define ENOUGH_MS    UINT64_C(2000)
#define LOCAL_BPS    UINT64_C(1000000000)
#define WORTH_MS     UINT64_C(30000)

/* bytes * 1000 / divisor, without its product overflowing. */
static uint64_t thousandfold(uint64_t bytes, uint64_t divisor)
{
    __extension__ typedef unsigned __int128 wide;
    wide result = (wide)bytes * 1000 / divisor;

    return result > UINT64_MAX ? UINT64_MAX : (uint64_t)result;
}

uint64_t read_ahead_bps(const struct read_ahead_result *result)
{
    if (result->busy_ms == 0 || result->read_bytes == 0 ||
        (result->read_bytes < ENOUGH_BYTES && result->busy_ms < ENOUGH_MS))
        return 0;
    return thousandfold(result->read_bytes, result->busy_ms);
}

bool read_ahead_is_slow(char out[static READ_AHEAD_LINE], const struct read_ahead_result *result)
{
    uint64_t bps = read_ahead_bps(result);
    char speed[NUM_TEXT];
    char size[NUM_TEXT];
    char local[NUM_TEXT];
    char takes[NUM_TEXT];
    char would[NUM_TEXT];
    uint64_t volume_ms;
    uint64_t local_ms;

    if (bps == 0)
        return false;
    volume_ms = thousandfold(result->total_bytes, bps);
    local_ms = thousandfold(result->total_bytes, LOCAL_BPS);
    if (volume_ms < local_ms || volume_ms - local_ms < WORTH_MS)
        return false;
    (void)snprintf(
        out, READ_AHEAD_LINE,
        "the volume reads %s/s: %s take %s; a copy on a local disk of %s/s would take %s",
        num_format_size(speed, bps), num_format_size(size, result->total_bytes),
        num_format_duration(takes, volume_ms), num_format_size(local, LOCAL_BPS),
        num_format_duration(would, local_ms));
    return true;
}
