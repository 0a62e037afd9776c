/*
 * What a model is made of, at one commit: made by a source, kept in receipts, read by layouts.
 */
#ifndef MODEL_MANIFEST_H
#define MODEL_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "digest/digest.h"
#include "err/err.h"
#include "mem/arena.h"
#include "model/ref.h"

#define MANIFEST_FILES_MAX ((size_t)200000)
#define MANIFEST_SIZE_MAX  ((uint64_t)1 << 50) /* of one file, and of all together */

struct model_file {
    const char *path; /* checked by relpath_check() */
    uint64_t size;
    struct digest digest; /* what its bytes are verified by, and its blob's name */
    const char *oid;      /* hf: git's id of the entry (of the pointer for LFS files); else "" */
    const char *xet;      /* hf: its hash in the shared blob store, 64 hex digits; else "" */
    bool wanted;          /* by the selection that was last applied */
};

struct manifest {
    struct model_ref ref;
    const char *commit;       /* hf: 40 hex digits; ollama: digest of the manifest */
    struct model_file *files; /* the whole listing, sorted by path, no path twice */
    size_t file_count;
    /*
     * The publisher's own text of it, where readers of the store want it byte for byte (ollama: its
     * manifest, whose sha256 is the commit); else ptr is NULL.
     */
    struct str raw;
};

/*
 * Sorts the files and checks what no single entry shows: no path twice, none that is another's
 * folder, no two that differ only in case where that matters to nobody but are equal, counts and
 * sums within the limits. ERR_LIMIT.
 */
int manifest_check(struct manifest *m, struct err *err) MUST_CHECK;

const struct model_file *manifest_find(const struct manifest *m, const char *path);
uint64_t manifest_wanted_bytes(const struct manifest *m);
size_t manifest_wanted_count(const struct manifest *m);

/* What somebody asked to have of a model. */
struct selection {
    const char *const *include; /* globs (text/glob.h); ends NULL; none: the default selection */
    const char *const *exclude;
    bool all_files;
};

/*
 * Sets wanted on each file. The default selection is the interface's: weights in one format only,
 * folder by folder. A selection that leaves nothing is ERR_NOT_FOUND (with the patterns); a
 * repository of only GGUF without include is ERR_USAGE with the list of its files. *ret_whole says
 * that every file is wanted.
 */
int selection_apply(bool *ret_whole, struct manifest *m, const struct selection *s,
                    struct err *err) MUST_CHECK;

#endif
