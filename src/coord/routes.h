/*
 * What can be asked of the coordinator: one table of method, path, scope and handler.
 * doc/openapi.yaml describes the same, and a test compares the two.
 */
#ifndef COORD_ROUTES_H
#define COORD_ROUTES_H

#include "coord/exchange.h"

struct route {
    const char *method;
    const char *path; /* {} stands for one segment, which is decoded */
    enum auth_scope scope;
    bool body; /* takes a JSON object */
    const char *what;
    void (*handle)(struct exchange *x);
};

const struct route *route_all(size_t *ret_count);

/*
 * Finds the exchange's route and sets its param; HEAD is asked as GET. Otherwise refuses: no such
 * path, or not by this method.
 */
void route_find(struct exchange *x);

/* The handlers, each in the file of its idea. */
void handle_register(struct exchange *x);
void handle_beat(struct exchange *x);
void handle_report(struct exchange *x);
void handle_leave(struct exchange *x);
void handle_list(struct exchange *x);
void handle_worker(struct exchange *x);
void handle_models(struct exchange *x);
void handle_endpoints(struct exchange *x);
void handle_plan(struct exchange *x);
void handle_events(struct exchange *x);
void handle_page(struct exchange *x);
void handle_page_css(struct exchange *x);
void handle_page_js(struct exchange *x);
void handle_metrics(struct exchange *x);
void handle_healthy(struct exchange *x);
void handle_ready(struct exchange *x);

#endif
