/* The table of jansson's functions, opened at first use. */
#ifndef JSON_JANSSON_API_H
#define JSON_JANSSON_API_H

#include <jansson.h>

#include "err/err.h"

struct jansson_api {
#define JANSSON(result, name, arguments) result(*name) arguments;
#include "json/jansson.def"
#undef JANSSON
};

/* NULL if jansson cannot be had. Any thread; lives as long as the process. */
const struct jansson_api *jansson_api(struct err *err) MUST_CHECK;

/* The same, for who holds a document and so knows that the library is there. */
const struct jansson_api *jansson_loaded(void);

#endif
