#include "coord/routes.h"

#define ALLOW_MAX ((size_t)64)

static const struct route routes[] = {
    {"POST", "/v1/workers", AUTH_WRITE, true, "register", handle_register},
    {"POST", "/v1/workers/{}/beat", AUTH_WRITE, true, "beat", handle_beat},
    {"POST", "/v1/workers/{}/report", AUTH_WRITE, true, "report", handle_report},
    {"POST", "/v1/workers/{}/leave", AUTH_WRITE, true, "leave", handle_leave},
    {"GET", "/v1/workers", AUTH_READ, false, "list", handle_list},
    {"GET", "/v1/workers/{}", AUTH_READ, false, "worker", handle_worker},
    {"GET", "/v1/models", AUTH_READ, false, "models", handle_models},
    {"GET", "/v1/models/{}/endpoints", AUTH_READ, false, "endpoints", handle_endpoints},
    {"GET", "/v1/hosts/{}/plan", AUTH_READ, false, "plan", handle_plan},
    {"GET", "/v1/events", AUTH_READ, false, "events", handle_events},
    {"GET", "/", AUTH_NONE, false, "page", handle_page},
    {"GET", "/page.css", AUTH_NONE, false, "page_css", handle_page_css},
    {"GET", "/page.js", AUTH_NONE, false, "page_js", handle_page_js},
    {"GET", "/metrics", AUTH_READ, false, "metrics", handle_metrics},
    {"GET", "/healthz", AUTH_NONE, false, "healthz", handle_healthy},
    {"GET", "/readyz", AUTH_NONE, false, "readyz", handle_ready},
};

const struct route *route_all(size_t *ret_count)
{
    *ret_count = sizeof(routes) / sizeof(routes[0]);
    return routes;
}

/* Segment by segment; what stands for {} goes to *param, not decoded yet. */
static bool matches(struct str *param, const char *pattern, struct str path)
{
    struct str wanted = str_from(pattern);
    struct str want;
    struct str have;
    bool more_wanted;
    bool more;

    do {
        more_wanted = str_cut(&wanted, '/', &want);
        more = str_cut(&path, '/', &have);
        if (str_eqz(want, "{}") && have.len > 0)
            *param = have;
        else if (!str_eq(want, have))
            return false;
    } while (more_wanted && more);
    return more_wanted == more;
}

static bool takes(const struct route *route, const char *method)
{
    return str_eqz(str_from(method), route->method) ||
           (str_eqz(str_from(method), "HEAD") && str_eqz(STR("GET"), route->method));
}

static void refuse_method(struct exchange *x, struct str methods)
{
    x->allow = methods.ptr;
    exchange_refuse(x, 405, "method_not_allowed", "this path is not asked by that method", NULL);
}

void route_find(struct exchange *x)
{
    struct buf methods = buf_new(&x->arena, ALLOW_MAX);
    struct str param = {0};

    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        const struct route *route = &routes[i];

        if (!matches(&param, route->path, x->path))
            continue;
        if (takes(route, x->method)) {
            x->route = route;
            if (!exchange_decode(&x->param, &x->arena, param))
                exchange_refuse(x, 400, "bad_request", "the path has a bad escape in it", NULL);
            return;
        }
        buf_addf(&methods, "%s%s", methods.len > 0 ? ", " : "", route->method);
        if (str_eqz(STR("GET"), route->method))
            buf_addz(&methods, ", HEAD");
    }
    if (methods.len > 0)
        refuse_method(x, buf_str(&methods));
    else
        exchange_refuse(x, 404, "not_found", "no such path", "doc/openapi.yaml has them all");
}
