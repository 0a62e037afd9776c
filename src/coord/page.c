#include "coord/page.h"

#include <inttypes.h>

#include "coord/coordinator.h"

#define PAGE_MAX ((size_t)4 << 20)
/* More rows help nobody who has no script. */
#define ROWS_MAX 500

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<title>Hostler: workers</title>\n<link rel=\"icon\" href=\"data:,\">\n"
    "<link rel=\"stylesheet\" href=\"page.css\">\n<script src=\"page.js\" defer></script>\n"
    "</head>\n<body>\n<header>\n<h1>Hostler</h1>\n"
    "<label for=\"filter\">Filter</label>\n"
    "<input id=\"filter\" type=\"search\" placeholder=\"name, model, state, label\" "
    "autocomplete=\"off\" spellcheck=\"false\">\n"
    "<p id=\"line\" role=\"status\">not live</p>\n</header>\n<main>\n"
    "<form id=\"ask\" hidden>\n<label for=\"token\">Token</label>\n"
    "<input id=\"token\" type=\"password\" autocomplete=\"off\">\n<button>Read</button>\n</form>\n";

static const char live[] =
    "<div id=\"live\" hidden>\n<ul id=\"counts\"></ul>\n"
    "<section aria-labelledby=\"h-workers\"><h2 id=\"h-workers\">Workers</h2>\n"
    "<p class=\"none dim\">none</p><div class=\"list\" id=\"workers\" tabindex=\"0\" "
    "aria-labelledby=\"h-workers\"></div></section>\n"
    "<section id=\"details\" hidden aria-labelledby=\"h-details\"><h2 "
    "id=\"h-details\">Details</h2>\n"
    "<dl id=\"detail-list\"></dl></section>\n"
    "<section aria-labelledby=\"h-gpus\"><h2 id=\"h-gpus\">GPUs</h2>\n"
    "<p class=\"none dim\">none</p><div class=\"list\" id=\"gpus\" tabindex=\"0\" "
    "aria-labelledby=\"h-gpus\"></div></section>\n"
    "<section id=\"plan\" hidden aria-labelledby=\"h-plan\"><h2 id=\"h-plan\">Plan</h2>\n"
    "<p><label for=\"plan-host\">Host</label> <select id=\"plan-host\"></select>\n"
    "<span class=\"dim\">What a plan of its workers would do now; the thin bars are what they "
    "hold.</span></p>\n"
    "<div id=\"picture\" aria-live=\"polite\"></div></section>\n"
    "<section aria-labelledby=\"h-models\"><h2 id=\"h-models\">Models</h2>\n"
    "<p class=\"none dim\">none</p><div class=\"list\" id=\"models\" tabindex=\"0\" "
    "aria-labelledby=\"h-models\"></div></section>\n"
    "<section aria-labelledby=\"h-changes\"><h2 id=\"h-changes\">Last changes</h2>\n"
    "<p class=\"none dim\">none</p><div class=\"list\" id=\"changes\" tabindex=\"0\" "
    "aria-labelledby=\"h-changes\"></div></section>\n</div>\n"
    "</main>\n</body>\n</html>\n";

void page_escape(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        switch (text.ptr[i]) {
        case '&': buf_addz(out, "&amp;"); break;
        case '<': buf_addz(out, "&lt;"); break;
        case '>': buf_addz(out, "&gt;"); break;
        case '"': buf_addz(out, "&quot;"); break;
        case '\'': buf_addz(out, "&#39;"); break;
        default: buf_addc(out, text.ptr[i]);
        }
    }
}

static void put_cell(struct buf *b, const char *text)
{
    buf_addz(b, "<td>");
    page_escape(b, str_from(text));
    buf_addz(b, "</td>");
}

static void put_row(struct buf *b, const struct fleet_listed *listed)
{
    const struct fleet_record *r = &listed->record;

    buf_addz(b, "<tr>");
    put_cell(b, r->id);
    put_cell(b, fleet_listed_state(listed));
    put_cell(b, r->type);
    put_cell(b, r->host);
    buf_addz(b, "<td>");
    for (size_t i = 0; i < r->model_count; i++) {
        buf_addz(b, i > 0 ? ", " : "");
        page_escape(b, str_from(r->models[i].name));
    }
    buf_addz(b, "</td><td>");
    if (r->progress.total > 0)
        buf_addf(b,
                 "<progress value=\"%" PRIu64 "\" max=\"%" PRIu64 "\"></progress> %" PRIu64 " %%",
                 r->progress.bytes, r->progress.total,
                 r->progress.bytes / (r->progress.total / 100 + 1));
    buf_addz(b, "</td></tr>\n");
}

static void put_table(struct buf *b, const struct view *view)
{
    size_t rows = 0;

    buf_addz(b, "<table><thead><tr><th>Worker</th><th>State</th><th>Type</th><th>Host</th>"
                "<th>Models</th><th>Download</th></tr></thead><tbody>\n");
    for (const struct worker *w = view_after(view, 0); w != NULL && rows < ROWS_MAX;
         w = view_next(w), rows++) {
        struct fleet_listed listed = view_listed(view, w);

        put_row(b, &listed);
    }
    buf_addz(b, "</tbody></table>\n");
    if (view_count(view) > rows)
        buf_addf(b, "<p>and %zu more</p>\n", view_count(view) - rows);
}

static void answer(struct exchange *x, const char *type, struct str text)
{
    x->status = 200;
    x->type = type;
    x->text = text;
    x->policy = PAGE_POLICY;
}

void handle_page(struct exchange *x)
{
    const struct view *view = registry_view(x->coordinator->registry);
    struct buf b = buf_new(&x->arena, PAGE_MAX);

    buf_addz(&b, head);
    buf_addz(&b, "<section id=\"plain\"><h2>Workers</h2>\n");
    if (x->coordinator->auth.anonymous)
        put_table(&b, view);
    else
        buf_addz(&b, "<p>A token is asked for here, and this page asks for it by its script.</p>");
    buf_addz(&b, "</section>\n");
    buf_addz(&b, live);
    answer(x, "text/html; charset=utf-8", buf_str(&b));
}

void handle_page_css(struct exchange *x)
{
    answer(x, "text/css; charset=utf-8", (struct str){(const char *)page_css.bytes, page_css.len});
}

void handle_page_js(struct exchange *x)
{
    answer(x, "text/javascript; charset=utf-8",
           (struct str){(const char *)page_js.bytes, page_js.len});
}
