/* Making a model appear: the driver's publish_blobs() and publish_model(). */
#ifndef LAYOUT_HF_PUBLISH_H
#define LAYOUT_HF_PUBLISH_H

#include "layout/hf_place.h"

int hf_publish_blobs(struct layout_place *p, const struct blob_batch *batch,
                     struct err *err) MUST_CHECK;

int hf_publish_model(struct layout_place *p, const struct manifest *m, bool whole,
                     struct err *err) MUST_CHECK;

#endif
