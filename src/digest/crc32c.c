#include "digest/crc32c.h"

#include <pthread.h>
#include <string.h>

#include "digest/digest.h"

#ifdef __x86_64__
#include <nmmintrin.h>
#endif
#ifdef __aarch64__
#include <arm_acle.h>
#include <sys/auxv.h>

#include <asm/hwcap.h>
#endif

#define POLYNOMIAL 0x82f63b78U /* Castagnoli's, bits reversed */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint32_t tables[8][256];

/* The instruction has a latency of three of its own length, so three stretches are taken abreast.
 */
#define STRETCH ((size_t)4096)
static uint32_t over_stretch[4][256]; /* what byte k of a remainder is after a stretch of zeros */

static void make_over_stretch(void)
{
    uint32_t bits[32];

    for (size_t bit = 0; bit < 32; bit++) {
        uint32_t crc = (uint32_t)1 << bit;

        for (size_t i = 0; i < STRETCH; i++)
            crc = (crc >> 8) ^ tables[0][crc & 0xff];
        bits[bit] = crc;
    }
    for (size_t k = 0; k < 4; k++)
        for (size_t b = 0; b < 256; b++)
            for (size_t bit = 0; bit < 8; bit++)
                over_stretch[k][b] ^= (b >> bit & 1) != 0 ? bits[8 * k + bit] : 0;
}

/* tables[k][b] is what byte b does to the remainder after k more bytes of zeros. */
static void make_tables(void)
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t crc = b;

        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? POLYNOMIAL : 0);
        tables[0][b] = crc;
    }
    for (size_t k = 1; k < 8; k++) {
        for (size_t b = 0; b < 256; b++)
            tables[k][b] = (tables[k - 1][b] >> 8) ^ tables[0][tables[k - 1][b] & 0xff];
    }
    make_over_stretch();
}

uint32_t crc32c_by_table(uint32_t seed, const void *data, size_t len)
{
    const uint8_t *p = data;
    uint32_t crc = ~seed;

    (void)pthread_once(&once, make_tables);
    for (; len >= 8; len -= 8, p += 8) {
        uint32_t low = (p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);

        low ^= crc;
        crc = tables[7][low & 0xff] ^ tables[6][low >> 8 & 0xff] ^ tables[5][low >> 16 & 0xff] ^
              tables[4][low >> 24] ^ tables[3][p[4]] ^ tables[2][p[5]] ^ tables[1][p[6]] ^
              tables[0][p[7]];
    }
    for (; len > 0; len--, p++)
        crc = (crc >> 8) ^ tables[0][(crc ^ *p) & 0xff];
    return ~crc;
}

#if defined(__x86_64__)

bool crc32c_has_instruction(void)
{
    return __builtin_cpu_supports("sse4.2") != 0;
}

static uint64_t skip_stretch(uint64_t crc)
{
    return over_stretch[0][crc & 0xff] ^ over_stretch[1][crc >> 8 & 0xff] ^
           over_stretch[2][crc >> 16 & 0xff] ^ over_stretch[3][crc >> 24 & 0xff];
}

static uint64_t word_at(const uint8_t *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof(word));
    return word;
}

__attribute__((target("sse4.2"))) static uint64_t three_stretches(uint64_t crc, const uint8_t *p)
{
    uint64_t second = 0;
    uint64_t third = 0;

    for (size_t i = 0; i < STRETCH; i += 8) {
        crc = _mm_crc32_u64(crc, word_at(p + i));
        second = _mm_crc32_u64(second, word_at(p + i + STRETCH));
        third = _mm_crc32_u64(third, word_at(p + i + 2 * STRETCH));
    }
    return skip_stretch(skip_stretch(crc) ^ second) ^ third;
}

__attribute__((target("sse4.2"))) uint32_t crc32c_by_instruction(uint32_t seed, const void *data,
                                                                 size_t len)
{
    const uint8_t *p = data;
    uint64_t crc = ~seed;

    (void)pthread_once(&once, make_tables);
    for (; len >= 3 * STRETCH; len -= 3 * STRETCH, p += 3 * STRETCH)
        crc = three_stretches(crc, p);
    for (; len >= 8; len -= 8, p += 8)
        crc = _mm_crc32_u64(crc, word_at(p));
    for (; len > 0; len--, p++)
        crc = _mm_crc32_u8((uint32_t)crc, *p);
    return ~(uint32_t)crc;
}

#elif defined(__aarch64__)

bool crc32c_has_instruction(void)
{
    return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
}

__attribute__((target("+crc"))) uint32_t crc32c_by_instruction(uint32_t seed, const void *data,
                                                               size_t len)
{
    const uint8_t *p = data;
    uint32_t crc = ~seed;

    for (; len >= 8; len -= 8, p += 8) {
        uint64_t word;

        memcpy(&word, p, sizeof(word));
        crc = __crc32cd(crc, word);
    }
    for (; len > 0; len--, p++)
        crc = __crc32cb(crc, *p);
    return ~crc;
}

#else

bool crc32c_has_instruction(void)
{
    return false;
}

uint32_t crc32c_by_instruction(uint32_t seed, const void *data, size_t len)
{
    return crc32c_by_table(seed, data, len);
}

#endif

uint32_t digest_crc32c(uint32_t seed, const void *data, size_t len)
{
    return (crc32c_has_instruction() ? crc32c_by_instruction : crc32c_by_table)(seed, data, len);
}
