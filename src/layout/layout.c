#include "layout/layout.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "layout/list.h"

/* The drivers; a new layout is one line here. */
static const struct layout *const layouts[] = {
    &layout_hf_cache,
    &layout_ollama_store,
};

#define LAYOUT_COUNT (sizeof(layouts) / sizeof(layouts[0]))

int layout_open(struct layout_place *out, struct arena *a, const struct layout_config *config,
                const struct model_ref *ref, struct err *err)
{
    for (size_t i = 0; i < LAYOUT_COUNT; i++) {
        if (strcmp(layouts[i]->source, ref->source) != 0)
            continue;
        *out = (struct layout_place){
            .layout = layouts[i], .config = config, .arena = a, .store.fd = -1, .staging_fd = -1};
        return layouts[i]->open(out, ref, err);
    }
    (void)err_set(err, ERR_USAGE, "%s: this version of hostler has no store for models of %s",
                  ref->text, ref->source);
    return err_hint(
        err, "it takes models of hf and ollama: leave this one out, or take a newer hostler");
}

void layout_close(struct layout_place *p)
{
    if (p->layout != NULL)
        p->layout->close(p);
    *p = (struct layout_place){.store.fd = -1, .staging_fd = -1};
}

void layout_list_all(struct layout_listing *l)
{
    for (size_t i = 0; i < LAYOUT_COUNT; i++)
        layouts[i]->list(l, layouts[i]);
    list_finish(l);
}

void layout_notice(const struct layout_config *config, const char *fmt, ...)
{
    char text[sizeof(((struct err *)NULL)->msg)];
    va_list ap;

    if (config->notice == NULL)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    config->notice(config->notice_ctx, text);
}
