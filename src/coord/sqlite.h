/* The table of SQLite's functions, opened at first use. */
#ifndef COORD_SQLITE_H
#define COORD_SQLITE_H

#include <sqlite3.h>

#include "err/err.h"

struct sqlite_api {
#define SQLITE(result, name, arguments) result(*name) arguments;
#include "coord/sqlite.def"
#undef SQLITE
};

/* NULL if SQLite cannot be had. Any thread; lives as long as the process. */
const struct sqlite_api *sqlite_api(struct err *err) MUST_CHECK;

#endif
