/* libcurl, opened at first use: a warm start that asks nobody anything never loads it. */
#ifndef TRANSFER_CURL_H
#define TRANSFER_CURL_H

#include <curl/curl.h>

#include "err/err.h"

struct curl_api {
#define CURL_FN(name, result, arguments) result(*name) arguments;
#include "transfer/curl.def"
#undef CURL_FN
};

/* The one table, or NULL if the library is not there. Any thread. */
const struct curl_api *curl_api(struct err *err) MUST_CHECK;

#endif
