/*
 * The two ways to a CRC-32C: digest_crc32c() picks, this header lets a test compare them. Both take
 * and give the plain checksum, as digest_crc32c() does.
 */
#ifndef DIGEST_CRC32C_H
#define DIGEST_CRC32C_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Eight tables of 256, made at first use; any processor. */
uint32_t crc32c_by_table(uint32_t seed, const void *data, size_t len);

/* Whether this processor has the instruction; without it the function must not be called. */
bool crc32c_has_instruction(void);
uint32_t crc32c_by_instruction(uint32_t seed, const void *data, size_t len);

#endif
