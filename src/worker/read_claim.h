/*
 * Claims on files that are read ahead: of the workers of one host one reads a file, the others wait
 * and then find it resident.
 *
 * One small file in the host's own runtime directory (never on the volume, where locks prove
 * nothing), of which each claim locks one byte, whose place comes from the file's device and inode.
 * The locks are those of open file descriptions (F_OFD_SETLK): they go with the process, however it
 * ends, and leave nothing to clean. Two files whose places are the same by chance wait for each
 * other, no more. A claim only saves work: where it cannot be had, the kernel still reads no page
 * twice at the same time.
 */
#ifndef WORKER_READ_CLAIM_H
#define WORKER_READ_CLAIM_H

#include <stdbool.h>
#include <stdint.h>

#include "err/err.h"

#define READ_CLAIM_FILE "read-ahead.lock"

/* A descriptor for claims, in the runtime directory. ERR_VOLUME. */
int read_claim_open(int dirfd, struct err *err) MUST_CHECK;

/* Never waits. False: somebody else has it. A filesystem without locks gives it to everybody. */
bool read_claim_take(int fd, uint64_t device, uint64_t inode);
void read_claim_drop(int fd, uint64_t device, uint64_t inode);

#endif
