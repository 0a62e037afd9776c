/*
 * Sealed texts: the small files of ours on the volume that rest there for the next run.
 *
 *     hostler-<kind> <format>
 *     ... lines ...
 *     end <CRC-32C of all before this line, 8 hex digits>
 *
 * One that is torn, of another kind or of an unknown format counts as absent. Values that came from
 * outside are escaped (%XX), so that no blank or newline in them can break a line.
 */
#ifndef STORE_SEALED_H
#define STORE_SEALED_H

#include <stdbool.h>

#include "err/err.h"
#include "mem/arena.h"
#include "store/volume.h"
#include "text/buf.h"
#include "text/str.h"

#define SEALED_BYTES_MAX ((size_t)64 << 20)

/* Where they lie: `.hostler/receipts/<folder>/<name>` on the volume. In the arena. */
const char *sealed_path(struct arena *a, const char *folder, const char *name);

/* Checks first and last line; *ret_body is what is between. */
bool sealed_check(struct str *ret_body, struct str text, const char *kind, unsigned format);

/* The lines of a file; false if it counts as absent, also where it cannot be read. */
bool sealed_read(struct str *ret_body, struct arena *a, const struct volume *v, const char *path,
                 const char *kind, unsigned format);

/* Starts a text. */
struct buf sealed_begin(struct arena *a, const char *kind, unsigned format);

/* Adds the last line and replaces the file; its directories are made like the volume's root. */
int sealed_write(struct buf *b, const struct volume *v, const char *path,
                 struct err *err) MUST_CHECK;

/* Adds s with blanks, control characters and % as %XX; an empty one as "-", "-" as "%2D". */
void sealed_put(struct buf *b, struct str s);

/* The next word of *line, unescaped into the arena, NUL-terminated. False: none, or bad escapes. */
bool sealed_word(struct str *out, struct arena *a, struct str *line);
bool sealed_number(uint64_t *out, struct str *line);

#endif
