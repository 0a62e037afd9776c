/*
 * The shared blob store of huggingface_hub 1.32 and later: `<hub>/blobs/`, with its marker, where
 * files that came by Xet lie once for all repositories; a repository's blob is then a link there.
 *
 * We read it, reuse what it has and leave it as it is: blobs of ours are regular files in their
 * repository, which clients of every age read. A blobs/ without the marker, or of another layout
 * version, is none.
 */
#ifndef LAYOUT_HF_SHARED_H
#define LAYOUT_HF_SHARED_H

#include "layout/hf_place.h"
#include "text/str.h"

/*
 * Opens the entry of a Xet hash (64 lower-case hex digits) for reading; -1 if there is none that is
 * a regular file and may be read.
 */
int hf_shared_open(const struct layout_place *p, const char *xet);

/*
 * True if text, what the link blobs/<name> of the repository holds, is the one form that leads
 * there: ../../blobs/<xx>/<hash>. *ret_xet points to the hash in text.
 */
bool hf_shared_link(const char **ret_xet, const char *text);

/* Is there a shared store with its marker? */
bool hf_shared_there(const struct layout_place *p);

#endif
