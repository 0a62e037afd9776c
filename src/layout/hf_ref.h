/*
 * Names of revisions: refs/<revision> holds the 40 digits of a commit.
 *
 * Git tells main and Main apart, and some filesystems do not (see hf_fold.h). There one name leads
 * to the file of the other, whose commit is not this revision's: such a file is never read as it,
 * and never overwritten. What is on disk is told by listing folders, since opening answers to any
 * spelling.
 */
#ifndef LAYOUT_HF_REF_H
#define LAYOUT_HF_REF_H

#include "layout/hf_place.h"

#define HF_COMMIT_HEX ((size_t)40)

/*
 * The commit that refs/<revision> names; false if there is none, or it is another spelling's.
 * Clients before 1.32 rewrite it in place, so an empty one is read again before it is believed.
 * exact: as huggingface_hub must find it, without a newline or a blank.
 */
bool hf_ref_read(char out[static HF_COMMIT_HEX + 1], const struct layout_place *p,
                 const char *revision, bool exact);

/*
 * ERR_LIMIT that names both if the name of the revision, or a folder above it, is another
 * spelling's there. For a place that is opened to be written, before anything is fetched for what
 * could not be published. A commit has no name and passes.
 */
int hf_ref_check(const struct layout_place *p, const char *revision, struct err *err) MUST_CHECK;

/* Makes refs/<revision> say commit. Refuses as hf_ref_check() does. */
int hf_ref_publish(const struct layout_place *p, const char *revision, const char *commit,
                   struct err *err) MUST_CHECK;

#endif
