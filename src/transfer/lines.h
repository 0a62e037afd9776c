/*
 * Lines out of a stream of pieces: what came so far is kept until its line is whole, and never more
 * than one line's limit of it. Lines end in LF or CR LF; empty ones are passed over.
 */
#ifndef TRANSFER_LINES_H
#define TRANSFER_LINES_H

#include <stdbool.h>

#include "mem/arena.h"
#include "text/buf.h"
#include "text/str.h"

struct lines {
    struct buf kept;  /* the beginning of a line whose end has not come yet */
    struct str piece; /* what was added and not yet cut */
    size_t count;     /* lines given out */
    bool given;       /* kept was given out as a line: it is empty from now on */
    bool ended;       /* what is kept is a line although its end is missing */
    bool too_long;    /* a line passed the limit: there is no next one */
};

struct lines lines_new(struct arena *a, size_t limit);

/* The piece must live until lines_next() has said false. */
void lines_add(struct lines *l, struct str piece);

/* Nothing more comes. */
void lines_end(struct lines *l);

/* The next whole line, good until the next call; false if there is none yet, or none any more. */
bool lines_next(struct lines *l, struct str *ret_line);

#endif
