/*
 * What a running Ollama says while it pulls: the answer to POST /api/pull, one JSON object a line.
 * Pure.
 *
 *     {"status":"pulling manifest"}
 *     {"status":"pulling
 * 170370233dd5","digest":"sha256:1703..","total":4108916992,"completed":241970}
 *     {"status":"verifying sha256 digest"} {"status":"writing manifest"} {"status":"success"}
 *
 * total and completed are left out while they are 0, and completed may go back after a failure on
 * its side. What is done and how much there is are sums over the digests seen so far; a digest is
 * no more here than a name of a part ("sha256:model" is one). Some versions send no status with a
 * digest. Errors come in a line too, in an answer that has said 200; and only "success" is success.
 */
#ifndef SOURCE_OLLAMA_SERVER_STREAM_H
#define SOURCE_OLLAMA_SERVER_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err/err.h"
#include "mem/arena.h"
#include "text/str.h"
#include "text/vec.h"

#define OLLAMA_LINE_MAX  ((size_t)65536)
#define OLLAMA_PARTS_MAX ((size_t)10000)

/* They come in this order; what follows the bytes takes its time in silence. */
enum ollama_phase {
    OLLAMA_ASKED,
    OLLAMA_MANIFEST,
    OLLAMA_PULLING,
    OLLAMA_VERIFYING,
    OLLAMA_WRITING,
    OLLAMA_SUCCESS,
};

/* What one digest brought. */
struct ollama_part {
    const char *digest; /* as it says, printable: "sha256:1703..." */
    uint64_t total;
    uint64_t completed;
    uint64_t first; /* completed, when first seen: was there before */
    uint64_t most;  /* completed, at its highest */
};

struct ollama_stream {
    struct arena *arena; /* of the parts' names */
    const char *base;    /* the server's URL, for messages */
    const char *model;   /* "ollama:llava:7b", for messages */
    enum ollama_phase phase;
    VEC(struct ollama_part) parts;
    uint64_t total;
    uint64_t completed;
};

/*
 * Takes one line. 0: go on; 1: it was success. -1: it was an error of Ollama's, by the meaning that
 * ollama_server_refuse() knows; no JSON object, or of the wrong types: ERR_NET; past a limit:
 * ERR_LIMIT.
 */
int ollama_stream_line(struct ollama_stream *s, struct str line, struct err *err) MUST_CHECK;

/* What has come in this pull, without what was there: the sum of what each digest has grown. */
uint64_t ollama_stream_fetched(const struct ollama_stream *s);

#endif
