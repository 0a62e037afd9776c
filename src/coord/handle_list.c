/* What is known of the fleet: the list of workers, one worker, models by host, endpoints. */
#include <stdlib.h>

#include "coord/coordinator.h"
#include "coord/filter.h"
#include "coord/names.h"
#include "json/json.h"

#define LIST_BYTES_MAX ((size_t)64 << 20)

/* False: it was refused, since a filter that means nothing would list nothing. */
static bool read_filter(struct filter *out, struct exchange *x)
{
    struct str model = exchange_query(x, "model", 0);
    struct str label;

    *out = (struct filter){.catalog = x->coordinator->catalog,
                           .type = exchange_query(x, "type", 0),
                           .state = exchange_query(x, "state", 0)};
    if (model.ptr != NULL)
        out->model = names_canonical(&x->arena, x->coordinator->catalog, model);
    for (size_t i = 0; (label = exchange_query(x, "label", i)).ptr != NULL; i++) {
        if (filter_add_label(out, label))
            continue;
        exchange_refuse(x, 400, "bad_request", "label: more than 16 of them", NULL);
        return false;
    }
    if (!filter_state_is_known(out))
        exchange_refuse(x, 400, "bad_request", "state: no worker is ever in that state",
                        "running, downloading, lost, ...");
    return x->status == 0;
}

static void answer_list(struct exchange *x, struct buf *b)
{
    if (b->cut)
        exchange_refuse(x, 507, "too_long", "the answer is longer than it may be",
                        "ask for fewer workers: model, type, state, label");
    else
        exchange_answer(x, 200, buf_str(b));
}

void handle_list(struct exchange *x)
{
    const struct view *view = registry_view(x->coordinator->registry);
    struct buf b = buf_new(&x->arena, LIST_BYTES_MAX);
    const struct worker **all;
    struct filter filter;
    size_t count;

    if (!read_filter(&filter, x))
        return;
    all = view_sorted(registry_view(x->coordinator->registry), &x->arena, &count);
    buf_addz(&b, "{\"workers\":[");
    for (size_t i = 0; i < count && !b.cut; i++) {
        struct fleet_listed listed = view_listed(view, all[i]);

        if (!filter_passes(&filter, &listed))
            continue;
        buf_addz(&b, b.ptr[b.len - 1] == '[' ? "\n" : ",\n");
        fleet_listed_put(&b, &listed);
    }
    buf_addz(&b, "]}\n");
    answer_list(x, &b);
}

void handle_worker(struct exchange *x)
{
    const struct view *view = registry_view(x->coordinator->registry);
    const struct worker *w = view_find(view, x->param);
    struct buf b = buf_new(&x->arena, FLEET_MESSAGE_MAX);
    struct fleet_listed listed;

    if (w == NULL) {
        exchange_refuse(x, 404, FLEET_UNKNOWN, "no worker of that id is registered", NULL);
        return;
    }
    listed = view_listed(view, w);
    fleet_listed_put(&b, &listed);
    buf_addc(&b, '\n');
    answer_list(x, &b);
}

/* Lost workers serve nothing, and hold models as long as anybody knows. */
static bool is_ready(const struct worker *w)
{
    return !w->lost && fleet_state_invariant(w->record.state)->ready;
}

struct holding {
    const char *model;
    const char *revision;
    const struct worker *worker;
};

static int by_model(const void *x, const void *y)
{
    const struct holding *left = x;
    const struct holding *right = y;
    int order = strcmp(left->model, right->model);

    if (order == 0)
        order = strcmp(left->revision, right->revision);
    if (order == 0)
        order = strcmp(left->worker->record.host, right->worker->record.host);
    return order != 0 ? order : strcmp(left->worker->record.id, right->worker->record.id);
}

static const struct holding *holdings(struct exchange *x, size_t *ret_count)
{
    const struct view *view = registry_view(x->coordinator->registry);
    struct holding *all;
    size_t count = 0;

    for (const struct worker *w = view_after(view, 0); w != NULL; w = view_next(w))
        count += w->record.model_count;
    all = arena_array(&x->arena, struct holding, count);
    *ret_count = count;
    count = 0;
    for (const struct worker *w = view_after(view, 0); w != NULL; w = view_next(w)) {
        for (size_t i = 0; i < w->record.model_count; i++)
            all[count++] =
                (struct holding){.model = names_canonical(&x->arena, x->coordinator->catalog,
                                                          str_from(w->record.models[i].name)),
                                 .revision = w->record.models[i].revision,
                                 .worker = w};
    }
    if (count > 0)
        qsort(all, count, sizeof(*all), by_model);
    return all;
}

static void put_holding(struct buf *b, const struct exchange *x, const struct holding *h)
{
    struct fleet_listed listed = view_listed(registry_view(x->coordinator->registry), h->worker);

    buf_addz(b, b->ptr[b->len - 1] == '[' ? "{" : ",{");
    json_put_member(b, "host", str_from(h->worker->record.host));
    json_put_member(b, "worker", str_from(h->worker->record.id));
    json_put_member(b, "revision", str_from(h->revision));
    json_put_member(b, "state", str_from(fleet_listed_state(&listed)));
    buf_addc(b, '}');
}

void handle_models(struct exchange *x)
{
    struct buf b = buf_new(&x->arena, LIST_BYTES_MAX);
    size_t count;
    const struct holding *all = holdings(x, &count);

    buf_addz(&b, "{\"models\":[");
    for (size_t i = 0; i < count && !b.cut; i++) {
        if (i == 0 || strcmp(all[i].model, all[i - 1].model) != 0) {
            buf_addz(&b, i > 0 ? "]},\n{" : "\n{");
            json_put_member(&b, "name", str_from(all[i].model));
            json_put_key(&b, "hosts");
            buf_addc(&b, '[');
        }
        put_holding(&b, x, &all[i]);
    }
    buf_addz(&b, count > 0 ? "]}]}\n" : "]}\n");
    answer_list(x, &b);
}

static void put_endpoint(struct buf *b, const struct fleet_record *r, const struct fleet_model *m)
{
    buf_addz(b, b->ptr[b->len - 1] == '[' ? "\n{" : ",\n{");
    json_put_member(b, "url", str_from(r->url));
    json_put_member(b, "worker", str_from(r->id));
    json_put_member(b, "host", str_from(r->host));
    json_put_member(b, "name", str_from(m->name)); /* as its engine may know it */
    json_put_member(b, "revision", str_from(m->revision));
    buf_addc(b, '}');
}

/* The model that a worker serves under any spelling of that name, where others reach it. */
static const struct fleet_model *served(const struct exchange *x, const struct worker *w,
                                        const char *model)
{
    if (!is_ready(w) || w->record.url[0] == '\0')
        return NULL;
    for (size_t i = 0; i < w->record.model_count; i++) {
        if (names_same(x->coordinator->catalog, model, str_from(w->record.models[i].name)))
            return &w->record.models[i];
    }
    return NULL;
}

void handle_endpoints(struct exchange *x)
{
    struct buf b = buf_new(&x->arena, LIST_BYTES_MAX);
    const char *model = names_canonical(&x->arena, x->coordinator->catalog, x->param);
    size_t count;
    const struct worker **all =
        view_sorted(registry_view(x->coordinator->registry), &x->arena, &count);

    buf_addc(&b, '{');
    json_put_member(&b, "model", str_from(model));
    json_put_key(&b, "endpoints");
    buf_addc(&b, '[');
    for (size_t i = 0; i < count && !b.cut; i++) {
        const struct fleet_model *m = served(x, all[i], model);

        if (m != NULL)
            put_endpoint(&b, &all[i]->record, m);
    }
    buf_addz(&b, "]}\n");
    answer_list(x, &b);
}
