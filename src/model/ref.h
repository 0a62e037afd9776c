/*
 * Names of models, as people write them (doc/interface: "Names of models").
 *
 *     hf:org/name[@revision]            ollama:[host[:port]/][ns/]name[:tag]
 *     https://huggingface.co/org/name[/tree/rev]     hf://org/name[@revision]
 *     org/name[@revision]   without a scheme: hf        name[:tag]   without a scheme: ollama
 *
 * The catalog is asked before this grammar for names without a scheme (config/catalog.h). Parts are
 * checked against the grammar of their registry, so a parsed name is safe in a path and a URL:
 * facts: Hub ids (word characters, `.`, `-`, 1 to 96, no `--`, no `..`, no `.git` at the end), and
 * Ollama's table of parts. ERR_USAGE says which part is wrong and what it may hold.
 */
#ifndef MODEL_REF_H
#define MODEL_REF_H

#include "err/err.h"
#include "mem/arena.h"
#include "text/str.h"

#define REF_MAX ((size_t)1024)

struct model_ref {
    const char *source;    /* "hf" or "ollama": the name of its driver */
    const char *host;      /* ollama: registry.ollama.ai or as written; hf: NULL */
    const char *repo;      /* hf: "org/name" or "name"; ollama: "ns/name" */
    const char *revision;  /* hf: branch, tag, commit, refs/pr/N; ollama: tag. Never NULL */
    bool revision_named;   /* was written, is not the default */
    bool revision_written; /* was written, be it the default */
    const char *text;      /* canonical: "hf:org/name", "hf:org/name@v1", "ollama:llava:7b" */
};

int ref_parse(struct model_ref *out, struct arena *a, struct str text, struct err *err) MUST_CHECK;

/* The same model at another revision. */
int ref_at(struct model_ref *out, struct arena *a, const struct model_ref *ref, struct str revision,
           struct err *err) MUST_CHECK;

/* 40 lower-case hex digits. */
bool ref_is_commit(const char *revision);

#endif
