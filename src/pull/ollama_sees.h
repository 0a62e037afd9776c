/*
 * After models went into the Ollama store: does the running Ollama that the operator named see
 * them? One that does not reads another store, and its workers would fetch everything again.
 */
#ifndef PULL_OLLAMA_SEES_H
#define PULL_OLLAMA_SEES_H

#include "pull/job.h"

/*
 * Asks only if OLLAMA_URL was set and something was published into the Ollama store in this run, so
 * that a complete volume makes no request; and briefly: a server that does not answer is left
 * alone. The models it does not list become one warning with the OLLAMA_MODELS it needs.
 */
void ollama_sees(struct pull *pull, const struct job *jobs, size_t count);

#endif
