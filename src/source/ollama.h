/*
 * Registries of Ollama: registry.ollama.ai, what OLLAMA_REGISTRY puts in its place, and any other
 * that a name begins with. A tag becomes a manifest by one request; it names every blob with size
 * and digest, and those come from the registry's URL for them, which may redirect to a signed one.
 */
#ifndef SOURCE_OLLAMA_H
#define SOURCE_OLLAMA_H

#include "source/source.h"

extern const struct source source_ollama;

#endif
