/*
 * What commands ask the coordinator: those of COORDINATOR_URL one after the other, with the token
 * of COORDINATOR_TOKEN or COORDINATOR_TOKEN_FILE.
 */
#ifndef CMD_FLEET_CLIENT_H
#define CMD_FLEET_CLIENT_H

#include "cmd/cmd.h"
#include "fleet/record.h"
#include "json/json.h"
#include "transfer/http.h"

#define FLEET_LIST_BYTES_MAX ((size_t)128 << 20)

struct fleet_client {
    struct cmd_context *ctx;
    struct http_client *http;
    const char *base; /* the coordinator that is asked, as the operator named it */
    const char *authorization;
};

/* ERR_USAGE without COORDINATOR_URL, or where the token cannot be read. */
int fleet_client_open(struct fleet_client *c, struct cmd_context *ctx, struct err *err) MUST_CHECK;
void fleet_client_close(struct fleet_client *c);

/* A GET of a path of c->base; the text is in the arena. */
int fleet_client_request(struct http_request *out, struct arena *a, const struct fleet_client *c,
                         const char *path, struct err *err) MUST_CHECK;

/* Another answer than 200 as an error, with what the coordinator says of it. Returns -1. */
int fleet_client_refused(const struct fleet_client *c, const struct http_answer *answer,
                         struct err *err);

/* The "workers" of a document; ERR_NET if they are not a coordinator's. */
int fleet_client_workers(struct fleet_listed **out, size_t *ret_count, struct arena *a,
                         const struct fleet_client *c, const struct json *doc,
                         struct err *err) MUST_CHECK;

/* The workers that a query ("", "?type=vllm") lists, of the first coordinator that answers. */
int fleet_client_list(struct fleet_listed **out, size_t *ret_count, struct fleet_client *c,
                      const char *query, struct err *err) MUST_CHECK;

#endif
