/*
 * `trees/<commit>.json`: the listing of a commit as huggingface_hub 1.22 and later keeps it. A
 * snapshot_download of a commit needs it offline (from 1.26 on), and judges by it whether a
 * snapshot is complete.
 */
#ifndef LAYOUT_HF_TREE_H
#define LAYOUT_HF_TREE_H

#include "layout/hf_place.h"
#include "text/buf.h"

#define HF_TREE_BYTES_MAX ((size_t)64 << 20)

/*
 * Byte for byte what huggingface_hub writes for the whole listing of m (sorted, indented by one
 * blank, ASCII), without the hashes of Xet, which would send a reader there for repairs; and with
 * the mode that the umask gives, so that other uids can read it. One that is there, serves and can
 * be read as widely is left alone.
 */
int hf_tree_publish(const struct layout_place *p, const struct manifest *m,
                    struct err *err) MUST_CHECK;

bool hf_tree_there(const struct layout_place *p, const char *commit);

/* Reads it into a listing; ERR_NOT_FOUND if there is none, or none that can be used. */
int hf_tree_read(struct manifest *out, struct layout_place *p, const struct model_ref *ref,
                 const char *commit, struct err *err) MUST_CHECK;

/* The parser of the text; the fuzz target. Hostile until parsed: paths, sizes and digests are
 * checked. ref and commit go into *out as they are. */
int hf_tree_parse(struct manifest *out, struct arena *a, struct str text,
                  const struct model_ref *ref, const char *commit, struct err *err) MUST_CHECK;

/* The text that hf_tree_publish() writes. */
void hf_tree_text(struct buf *b, const struct manifest *m);

#endif
