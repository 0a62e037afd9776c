/*
 * Text from outside, made fit for a line of a log or a terminal.
 *
 * What could move a cursor, end a line or lie about what stands there comes out as `\n`, `\t`,
 * `\xHH` (bytes: controls and what is no UTF-8) or `\u{HHHH}` (C1 controls, separators of lines,
 * marks that turn the direction of writing). All else, UTF-8 included, stays as it is.
 */
#ifndef REPORT_ESCAPE_H
#define REPORT_ESCAPE_H

#include "text/buf.h"
#include "text/str.h"

/* Free text: a message. Quotes and backslashes stay. */
void escape_text(struct buf *b, struct str s);

/* A value of key=value: in quotes, with `"` and `\` escaped, where a reader could mistake its end.
 */
void escape_value(struct buf *b, struct str s);

#endif
