/*
 * Bars on a terminal: a line for each file at work, one for each model, in place of progress lines.
 *
 * The bars keep what the last events said and put frames into a buffer that the caller writes with
 * one write(2). A frame moves the cursor over our own lines only and writes over them, so nothing
 * flickers; it is never wider than the terminal is now, nor higher. Plain state and text: no
 * descriptor is written here.
 */
#ifndef REPORT_BARS_H
#define REPORT_BARS_H

#include "report/report.h"
#include "text/buf.h"

#define BARS_FRAME_MAX ((size_t)64 << 10)

struct bars;

/* fd is asked for the size of the terminal at each frame unless columns is not 0. */
struct bars *bars_new(struct arena *a, const struct clock *clock, int fd, unsigned columns);

/* Remembers what the event says of its model. */
void bars_note(struct bars *b, const struct report_event *e);

/* Takes the bars away; nothing if there are none to see. */
void bars_clear(struct bars *b, struct buf *frame);

/* Draws them, ten times a second at most; at once if they were cleared. */
void bars_draw(struct bars *b, struct buf *frame);

#endif
