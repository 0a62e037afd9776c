/*
 * One name in a snapshot, and what it is made of: a relative symbolic link, as huggingface_hub
 * makes it; on a filesystem without them a hard link; without either the blob itself, moved there.
 * Which of them, is tried once for each open place.
 */
#ifndef LAYOUT_HF_POINTER_H
#define LAYOUT_HF_POINTER_H

#include "layout/hf_place.h"

#define HF_POINTER_TEMP "link-" /* what temporary names in the staging directory begin with */

/* A directory of a snapshot. */
struct hf_seat {
    const struct layout_place *p;
    const struct manifest *m;
    int fd;
    unsigned depth; /* beneath the snapshot */
};

/* Sets hf_state(p)->pointer, and says so in a notice where it is not the usual one. */
int hf_pointer_choose(const struct layout_place *p, struct err *err) MUST_CHECK;

/* Gives name its bytes, in place of what stands there. The blob is recorded; else ERR_VOLUME. */
int hf_pointer_put(const struct hf_seat *at, const char *name, const struct model_file *file,
                   struct err *err) MUST_CHECK;

#endif
