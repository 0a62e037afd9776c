/* The table of libmicrohttpd's functions, opened at first use. */
#ifndef COORD_MHD_H
#define COORD_MHD_H

#include <microhttpd.h>

#include "err/err.h"

struct mhd_api {
#define MHD(result, name, arguments) result(*name) arguments;
#include "coord/mhd.def"
#undef MHD
};

/* NULL if libmicrohttpd cannot be had. Any thread; lives as long as the process. */
const struct mhd_api *mhd_api(struct err *err) MUST_CHECK;

#endif
