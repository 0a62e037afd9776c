/*
 * A YAML document as a tree of texts, each with its place; what they mean is the reader's matter.
 *
 * A part of YAML that configuration needs: mappings with plain keys, sequences, scalars. Anchors,
 * aliases and merge keys are refused but by yaml_parse_aliased(); tags and several documents are
 * in any case, as are duplicate keys, more than YAML_BYTES_MAX bytes, YAML_DEPTH_MAX levels and
 * YAML_NODES_MAX values. Errors are ERR_USAGE and begin with `FILE:LINE:COLUMN: `. libyaml is
 * opened at the first document.
 */
#ifndef CONFIG_YAML_H
#define CONFIG_YAML_H

#include <stddef.h>

#include "err/err.h"
#include "mem/arena.h"
#include "text/str.h"

#define YAML_BYTES_MAX ((size_t)1 << 20)
#define YAML_DEPTH_MAX 16
#define YAML_NODES_MAX ((size_t)20000)

enum yaml_kind {
    YAML_TEXT,
    YAML_LIST,
    YAML_MAP,
};

struct yaml_node {
    enum yaml_kind kind;
    size_t line; /* from 1 */
    size_t column;
    struct str text;               /* YAML_TEXT; empty for a key without a value */
    struct yaml_node *const *keys; /* YAML_MAP; texts */
    struct yaml_node *const *at;   /* YAML_LIST and YAML_MAP */
    size_t len;
    size_t weight; /* values in it, itself among them; what an alias stands for counts each time */
};

/* NULL in *out for a document with nothing in it. name is the file's, for errors. */
int yaml_parse(const struct yaml_node **out, struct arena *a, struct str text, const char *name,
               struct err *err) MUST_CHECK;

/*
 * The same for files that other programs read too. An alias is the node of its anchor, with that
 * one's place; a mapping has what is merged into it (`<<`) behind its own keys, which win, as the
 * first of several merged ones does. All that aliases stand for counts against YAML_NODES_MAX.
 */
int yaml_parse_aliased(const struct yaml_node **out, struct arena *a, struct str text,
                       const char *name, struct err *err) MUST_CHECK;

/* The value of a key, NULL if it is not there. */
const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key);

/* Puts `FILE:LINE:COLUMN: ` in front of an error that is set. Returns -1. */
int yaml_wrap(struct err *err, const char *name, const struct yaml_node *node);

#endif
