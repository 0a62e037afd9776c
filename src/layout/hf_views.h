/*
 * The views of a model in a huggingface_hub cache:
 *
 *     <vllm>/models--org--name -> the repository's folder       what vllm --download-dir looks for
 *     <vllm>/org/name -> its snapshots/<commit>                 what vllm --model PATH takes
 *     <transformers>/models--org--name -> the folder            TRANSFORMERS_CACHE of transformers
 * 4 <vllm>/blobs, <transformers>/blobs -> <hub>/blobs
 *
 * The last: huggingface_hub 1.32 and later, given such a folder as its cache, would make a shared
 * blob store there, whose relative links dangle when they are followed through our linked folders.
 * It refuses a `blobs` that is a link, and writes plain files.
 *
 * org/name leads to the default revision once that was pulled, whatever other revisions were; else
 * to the revision that was asked for last.
 */
#ifndef LAYOUT_HF_VIEWS_H
#define LAYOUT_HF_VIEWS_H

#include "layout/hf_place.h"

bool hf_views_right(const struct layout_place *p, const struct manifest *m);
int hf_views_mend(const struct layout_place *p, const struct manifest *m,
                  struct err *err) MUST_CHECK;

#endif
