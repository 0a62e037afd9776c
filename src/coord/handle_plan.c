/* What a plan of one host's workers would do, beside what they hold: a picture for the page. */
#include <stdlib.h>

#include "coord/coordinator.h"

/* The picture's own style, and nothing else. */
#define PICTURE_POLICY "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"

static int by_id(const void *x, const void *y)
{
    const struct fleet_listed *left = x;
    const struct fleet_listed *right = y;

    return strcmp(left->record.id, right->record.id);
}

static struct fleet_listed *workers_of(struct exchange *x, struct str host, size_t *ret_count)
{
    const struct view *view = registry_view(x->coordinator->registry);
    struct fleet_listed *all = arena_array(&x->arena, struct fleet_listed, view_count(view) + 1);
    size_t count = 0;

    for (const struct worker *w = view_after(view, 0); w != NULL; w = view_next(w)) {
        if (str_eqz(host, w->record.host))
            all[count++] = view_listed(view, w);
    }
    if (count > 0)
        qsort(all, count, sizeof(*all), by_id);
    *ret_count = count;
    return all;
}

void handle_plan(struct exchange *x)
{
    const struct coordinator *c = x->coordinator;
    struct fleet_listed *workers;
    struct err err = {0};
    size_t count;

    workers = workers_of(x, x->param, &count);
    if (c->picture(c->picture_ctx, &x->text, &x->arena, workers, count, &err) < 0) {
        exchange_refuse(x, 422, "no_plan", err.msg, NULL);
        return;
    }
    x->status = 200;
    x->type = "image/svg+xml";
    x->policy = PICTURE_POLICY;
}
