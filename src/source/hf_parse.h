/*
 * Readers of what the Hub's API answers. Pure: an answer's text in, plain values out. Everything
 * read is hostile until it has passed here: counts, sizes, digests and paths have their limits.
 * Broken answers are ERR_NET (the next one may be better), hostile ones ERR_LIMIT.
 */
#ifndef SOURCE_HF_PARSE_H
#define SOURCE_HF_PARSE_H

#include "err/err.h"
#include "mem/arena.h"
#include "model/manifest.h"
#include "text/str.h"
#include "text/vec.h"

#define HF_ANSWER_BYTES_MAX ((size_t)32 << 20)       /* mirrors send the whole record of a model */
#define HF_ENTRIES_MAX      (2 * MANIFEST_FILES_MAX) /* files and folders of one listing */

struct hf_revision {
    const char *commit; /* 40 lower-case hex digits */
    bool disabled;
};

/* The answer of /revision/. what names it in errors. */
int hf_parse_revision(struct hf_revision *out, struct arena *a, struct str body, const char *what,
                      struct err *err) MUST_CHECK;

/* A listing that grows page by page. Starts zeroed. */
struct hf_listing {
    VEC(struct model_file) files;
    size_t entries; /* folders too */
};

/* Adds the files of one page of /tree/; folders and what is neither are left out. */
int hf_parse_page(struct hf_listing *listing, struct arena *a, struct str body, const char *what,
                  struct err *err) MUST_CHECK;

/*
 * The target of rel="next" in the value of a Link header (RFC 8288); false if there is none. The
 * slice is of value.
 */
bool hf_parse_next(struct str *ret_url, struct str value);

#endif
