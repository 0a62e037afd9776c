/*
 * Reading a YAML mapping into a record by a table of its keys, with errors that have a place.
 *
 * All errors are ERR_USAGE and begin with `FILE:LINE:COLUMN: `.
 */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include "config/nearest.h"
#include "config/yaml.h"
#include "err/err.h"
#include "mem/arena.h"

#define SCHEMA_NAME_MAX ((size_t)200)

/* The file that is read. */
struct schema_source {
    struct arena *arena;
    const char *name;
};

enum schema_type {
    SCHEMA_TEXT,
    SCHEMA_WORD, /* one of a few */
    SCHEMA_SIZE,
    SCHEMA_NAMES, /* texts */
    SCHEMA_MODEL, /* a reference with its scheme */
    SCHEMA_MODELS,
};

/* One key of a record; a table of them ends with a zero. */
struct schema_field {
    const char *key;
    enum schema_type type;
    size_t offset;
    const char *words; /* SCHEMA_WORD: "llm, vision, embedding" */
};

/* Puts the place of the node in front of an error. Returns -1. */
int schema_at(const struct schema_source *s, const struct yaml_node *node, struct err *err);

int schema_want(const struct schema_source *s, const struct yaml_node *node, enum yaml_kind kind,
                const char *key, struct err *err) MUST_CHECK;

/* Fit to be a name: shown, compared, typed. */
int schema_name(const struct schema_source *s, const struct yaml_node *node,
                struct err *err) MUST_CHECK;

/* An error of a key that nobody knows; known lists what would be, if nothing is near. Returns -1.
 */
int schema_unknown(const struct schema_source *s, const struct yaml_node *key,
                   struct nearest nearest, const char *known, struct err *err);

int schema_record(void *record, const struct schema_source *s, const struct schema_field *fields,
                  const struct yaml_node *map, struct err *err) MUST_CHECK;

#endif
