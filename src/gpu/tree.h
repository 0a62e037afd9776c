/*
 * Small texts of the kernel's trees: /sys and /proc, or recorded ones of the same shape.
 *
 * A root is passed in, so that tests bring their own. Nothing here fails: what is absent or cannot
 * be read is false, as drivers of other versions leave files out.
 */
#ifndef GPU_TREE_H
#define GPU_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err/err.h"
#include "mem/arena.h"
#include "text/str.h"

#define TREE_TEXT  ((size_t)16384)
#define TREE_NAMES ((size_t)4096)

/* The text of root/path without blanks at its ends, cut at TREE_TEXT. */
bool tree_text(struct str *out, struct arena *a, const char *root, const char *path);

/* A decimal number, or one with 0x before it. */
bool tree_u64(uint64_t *out, struct arena *a, const char *root, const char *path);

/* The names in root/path that begin with head, in order; numbers count: card2 before card10. */
struct tree_names {
    const char *const *at;
    size_t len;
};
struct tree_names tree_list(struct arena *a, const char *root, const char *path, const char *head);

/* The last part of what the link root/path leads to; NULL if it is no link. */
const char *tree_link_name(struct arena *a, const char *root, const char *path);

/* "name value" or "name: value" on a line of its own; the rest of that line. */
bool tree_field(struct str *out, struct str text, const char *name);

/* Into an array of size bytes, cut where it is too long. */
void tree_copy(char *out, size_t size, struct str text);

/* Whether root/path is there. */
bool tree_has(struct arena *a, const char *root, const char *path);

/*
 * NULL if root/path can be read and written; else why not, with owner and mode where it is there:
 * "/dev/nvidia0 may not be opened: owner 0, group 44, mode 0660".
 */
const char *tree_refused(struct arena *a, const char *root, const char *path);

#endif
