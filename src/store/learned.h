/*
 * What engines have shown of their need of memory, kept on the volume beside the receipts: one
 * small sealed file for each model, in `.hostler/receipts/learned/`, with a line for each way of
 * running it. An unknown format or a torn file counts as absent; it costs an estimate in place of a
 * figure. Two writers at the same moment may lose one of two lines, until the next start.
 */
#ifndef STORE_LEARNED_H
#define STORE_LEARNED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err/err.h"
#include "mem/arena.h"
#include "store/volume.h"
#include "text/str.h"

#define LEARNED_MAX  ((size_t)64) /* lines of one model; the oldest goes */
#define LEARNED_WORD ((size_t)96)

/* One start: how it was, and what it took. Sizes in bytes, of each GPU; 0: not known. */
struct learned {
    char engine[16];             /* "vllm" */
    char version[LEARNED_WORD];  /* of the engine; "": not known */
    char revision[LEARNED_WORD]; /* commit; "": not known */
    char gpu[LEARNED_WORD];      /* "NVIDIA L4" */
    uint64_t tp, seqs, batch_tokens;
    bool eager, kv_fp8, weights_fp8;
    uint64_t weights; /* as loaded */
    uint64_t working; /* beside weights and cache */
};

struct learned_list {
    struct learned *at; /* the newest last */
    size_t count;
};

/* None where there are none. model is a reference's text: "hf:org/name". */
void learned_read(struct learned_list *out, struct arena *a, const struct volume *v,
                  const char *model);

/* Adds it, in place of one of the same engine and version, revision, GPU and settings. */
int learned_write(const struct volume *v, const char *model, const struct learned *one,
                  struct err *err) MUST_CHECK;

/* One line, as it stands in the file; for tests. */
bool learned_parse(struct learned *out, struct arena *a, struct str line);

#endif
