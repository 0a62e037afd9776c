/* Making a model appear: the driver's publish_blobs() and publish_model(), and names of revisions.
 */
#ifndef LAYOUT_HF_PUBLISH_H
#define LAYOUT_HF_PUBLISH_H

#include "layout/hf_place.h"

int hf_publish_blobs(struct layout_place *p, const struct blob_batch *batch,
                     struct err *err) MUST_CHECK;

int hf_publish_model(struct layout_place *p, const struct manifest *m, bool whole,
                     struct err *err) MUST_CHECK;

#define HF_COMMIT_HEX ((size_t)40)

/*
 * The commit that refs/<revision> names; false if there is none. Clients before 1.32 rewrite it in
 * place, so an empty one is read again before it is believed. exact: as huggingface_hub must find
 * it, without a newline or a blank.
 */
bool hf_read_ref(char out[static HF_COMMIT_HEX + 1], const struct layout_place *p,
                 const char *revision, bool exact);

#endif
