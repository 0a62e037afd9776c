/*
 * huggingface_hub's own lock of a blob, held briefly while one appears under its name, so that both
 * programs can share a cache: `<hub>/.locks/<folder>/<etag>.lock`, flock(2), polled as it polls.
 *
 * A courtesy: what is published is right without it. So taking never fails. All locks of one open
 * place together are waited for 10 s at most; one that is still held then (by a process that hangs,
 * or as a soft lock that somebody left behind) is named once in a notice and passed. Lock files are
 * never unlinked, but for an existence lock of our own where flock is not supported.
 */
#ifndef LAYOUT_HF_LOCK_H
#define LAYOUT_HF_LOCK_H

#include "layout/hf_place.h"

#define HF_LOCK_WAIT_MS ((uint64_t)10000)

struct hf_lock {
    int fd;             /* -1: passed without it */
    const char *exists; /* an existence lock of ours, beneath the hub; else NULL */
};

struct hf_lock hf_lock_take(const struct layout_place *p, const char *etag);
void hf_lock_give(const struct layout_place *p, struct hf_lock *lock);

#endif
