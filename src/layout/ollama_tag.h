/*
 * The file of a model's tag, `manifests/<host>/<ns>/<model>/<tag>`: the publisher's manifest, byte
 * for byte, by which Ollama knows the model.
 *
 * Any file at that depth that is JSON is a model to Ollama, and one that is not makes it complain
 * and stop pruning: so nothing but the whole file ever appears there. A starting server removes
 * empty folders beneath manifests/; they are made again.
 */
#ifndef LAYOUT_OLLAMA_TAG_H
#define LAYOUT_OLLAMA_TAG_H

#include "layout/ollama_place.h"

/* "manifests/<host>/<ns>/<model>/<tag>". */
const char *ollama_tag_path(struct arena *a, const struct ollama_name *name);

/* The name as it stands on disk, part by part: what differs only in case is the same to Ollama. */
struct ollama_name ollama_tag_name(const struct layout_place *p, const char *tag);

/* The file is there, and is what was written or read as m->commit. By stat alone. */
bool ollama_tag_holds(const struct layout_place *p, const struct manifest *m);

/* Writes m->raw where it does not stand yet, and records it. */
int ollama_tag_write(const struct layout_place *p, const struct manifest *m,
                     struct err *err) MUST_CHECK;

/* Takes the file away again: one of its blobs is gone. */
void ollama_tag_remove(const struct layout_place *p, const struct manifest *m);

/* The driver's local_commit() and local_manifest(). */
const char *ollama_local_commit(struct layout_place *p, const char *revision);
int ollama_local_manifest(struct manifest *out, struct layout_place *p, const struct model_ref *ref,
                          const char *commit, struct err *err) MUST_CHECK;

/* The sha256 of a text; needs libcrypto. */
int ollama_text_digest(struct digest *out, struct str text, struct err *err) MUST_CHECK;

#endif
