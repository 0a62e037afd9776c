/* Workers as rows of a table, for people. All names are escaped: they come from anywhere. */
#ifndef CMD_FLEET_ROWS_H
#define CMD_FLEET_ROWS_H

#include "fleet/record.h"
#include "text/buf.h"

#define FLEET_COLUMNS 6

/* How wide the columns have become; they only grow. Begins as zeros. */
struct fleet_rows {
    int width[FLEET_COLUMNS];
};

/* With the line that names the columns, where it is wanted. */
void fleet_rows_put(struct fleet_rows *rows, struct buf *out, struct arena *a,
                    const struct fleet_listed *all, size_t count, bool named);

/* The row of a worker that nobody knows any more. */
void fleet_rows_put_gone(struct fleet_rows *rows, struct buf *out, struct arena *a, const char *id);

/* A name as it may be printed; "-" for an empty one. */
const char *fleet_rows_text(struct arena *a, const char *text);

#endif
