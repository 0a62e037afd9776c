/*
 * Ollama's manifest of a model: the text that a registry serves and that the store keeps as it is.
 *
 * Source of the rules: the registry protocol of Docker's distribution, version 2, and what Ollama
 * makes of it (doc/ollama.md). Used by the source, which gets it from the network, and by the
 * layout, which reads it from the store; both are hostile until this has parsed them.
 */
#ifndef MODEL_OLLAMA_MANIFEST_H
#define MODEL_OLLAMA_MANIFEST_H

#include "model/manifest.h"

#define OLLAMA_MANIFEST_BYTES_MAX  ((size_t)4 << 20)
#define OLLAMA_MANIFEST_LAYERS_MAX ((size_t)10000)
#define OLLAMA_MANIFEST_ACCEPT     "application/vnd.docker.distribution.manifest.v2+json"

/*
 * Sets ref, raw (a copy in the arena), commit (the sha256 of raw, 64 hex digits: what Ollama shows
 * as ID) and the files: one for the config and one for each layer, all wanted. A file's path is
 * what it is for, by its media type: "config", "model", "projector", "license", "license-2",
 * "template", "params", ... (a word that cannot be a file's name: "layer"). The same digest may
 * occur under two paths. Broken, or past a limit, is ERR_LIMIT that names the place in the text.
 */
int ollama_manifest_parse(struct manifest *out, struct arena *a, const struct model_ref *ref,
                          struct str raw, struct err *err) MUST_CHECK;

#endif
