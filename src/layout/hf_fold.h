/*
 * Filesystems that take two names for one: they fold case (vfat, CIFS, ext4's casefold, ZFS with
 * casesensitivity=insensitive) or Unicode forms, drop dots and blanks at the end, or make short
 * names of long ones. Of two files of a model whose names meet there, the second would take the
 * first one's place, and the first one's name lead to wrong bytes.
 *
 * Only the filesystem knows its rules: names that might meet are tried on it.
 */
#ifndef LAYOUT_HF_FOLD_H
#define LAYOUT_HF_FOLD_H

#include "layout/hf_place.h"

/* Some names of m might meet on some filesystem. False for nearly every model there is. */
bool hf_fold_possible(const struct manifest *m);

/*
 * Makes an empty file for each name that the commit has, or is about to get, in its snapshot, in
 * the empty directory scratch_fd beneath the store: the caller removes it. ERR_LIMIT that names
 * two of different bytes that are one name there; two of the same bytes may be.
 */
int hf_fold_try(const struct layout_place *p, const struct manifest *m, int scratch_fd,
                struct err *err) MUST_CHECK;

#endif
