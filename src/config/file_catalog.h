/* The sections models: and workers: of hostler.yaml, and what they make of the built-in catalog. */
#ifndef CONFIG_FILE_CATALOG_H
#define CONFIG_FILE_CATALOG_H

#include "config/catalog.h"
#include "config/schema.h"

/*
 * The file's entries stand first, so that they win over an alias of a built-in one. Every name in
 * a worker type is a model's, and no name leads to two models of the file.
 */
int file_catalog(struct catalog *out, const struct schema_source *source,
                 const struct yaml_node *root, struct err *err) MUST_CHECK;

#endif
