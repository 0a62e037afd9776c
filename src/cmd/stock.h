/* What `ls` and `du` share: the volume's listing, and which of its models were asked for. */
#ifndef CMD_STOCK_H
#define CMD_STOCK_H

#include "cmd/cmd.h"
#include "layout/list.h"
#include "store/use.h"
#include "text/buf.h"

struct stock {
    const struct cmd_context *ctx;
    struct volume volume;
    struct layout_config layout;
    struct layout_listing list;
    use_marks marks;
    struct catalog_choice asked; /* count 0: all */
    bool *found;                 /* which of them are there */
};

/*
 * Opens the volume, which must be there, lists it, with the sums of the disk if they are wanted,
 * and prints what put makes of it. Words that name no model are ERR_USAGE. What could not be looked
 * at is told line by line, and is the error (ERR_VOLUME, ERR_LIMIT); else a model that was asked
 * for and is not there (ERR_NOT_FOUND).
 */
int stock_show(struct cmd_context *ctx, bool disk,
               void (*put)(struct buf *out, const struct stock *s), struct err *err) MUST_CHECK;

/* Was this revision asked for? With a revision named it is one that has that name, or its commit.
 */
bool stock_asked(const struct stock *s, const struct listed_model *model,
                 const struct listed_revision *revision);

/* The next host after number *at that has it in use; NULL: no further one. Begin with *at 0. */
const char *stock_user(const struct stock *s, size_t *at, const struct listed_model *model,
                       const struct listed_revision *revision);

/* ,"problems":[...] for a document. */
void stock_put_problems(struct buf *b, const struct stock *s);

/* Text from outside for a table; in the arena. */
const char *stock_escaped(struct arena *a, const char *text);

/* The width of a column so far, widened by text up to a most; longer texts stand out. */
int stock_widen(int width, const char *text);

#endif
