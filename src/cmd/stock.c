#include "cmd/stock.h"

#include "json/json.h"
#include "report/escape.h"

#define COLUMN_MAX 60
#define TEXT_MAX   ((size_t)256 << 20) /* of a table or a document */

/* Nothing is asked of the configuration's worker types here: without a word, all is shown. */
static int resolve(struct stock *s, struct err *err)
{
    struct cmd_context const *ctx = s->ctx;
    const struct catalog_ask ask = {.words = ctx->args.at, .optional = true};

    if (ctx->args.len == 0)
        return 0;
    if (catalog_resolve(&s->asked, ctx->arena, &ctx->config->catalog, &ask, err) < 0)
        return -1;
    s->found = arena_array(ctx->arena, bool, s->asked.count + 1);
    return 0;
}

static bool is_model(const struct model_ref *ref, const struct stock *s,
                     const struct listed_model *model)
{
    const struct layout *layout = s->list.stores.at[model->store].layout;

    return strcmp(ref->source, layout->source) == 0 && strcmp(ref->repo, model->repo) == 0 &&
           (ref->host == NULL || (model->host != NULL && strcmp(ref->host, model->host) == 0));
}

static bool is_revision(const struct model_ref *ref, const struct listed_model *model,
                        const struct listed_revision *revision)
{
    if (!ref->revision_named)
        return true;
    if (ref->host != NULL)
        return strcmp(ref->text, model->name) == 0;
    if (revision->revision != NULL && strcmp(revision->revision, ref->revision) == 0)
        return true;
    for (size_t i = 0; i < revision->name_count; i++) {
        if (strcmp(revision->names[i], ref->revision) == 0)
            return true;
    }
    return false;
}

static int take(struct stock *out, const struct cmd_context *ctx, bool disk, struct err *err)
{
    struct stock s = {.ctx = ctx};

    if (resolve(&s, err) < 0 ||
        volume_open(&s.volume, ctx->arena, ctx->config->volume_path, false, err) < 0)
        return -1;
    *out = s;
    out->layout = ctx->config->layout;
    out->layout.volume = &out->volume;
    out->layout.read_only = true;
    out->list = list_new(ctx->arena, &out->layout, disk);
    layout_list_all(&out->list);
    out->marks = use_list(ctx->arena, &out->volume);
    return 0;
}

static int problems(const struct stock *s, struct err *err)
{
    const struct layout_listing *l = &s->list;
    const struct err *first = &l->problems.at[0];

    for (size_t i = 0; i < l->problems.len; i++)
        report_note(s->ctx->report, REPORT_WARN, "unlisted", NULL, "%s", l->problems.at[i].msg);
    (void)err_set(err, first->code, "%s: %zu place%s could not be looked at, the rest is listed",
                  s->volume.path, l->problem_count, l->problem_count == 1 ? "" : "s");
    if (first->hint[0] != '\0')
        return err_hint(err, "%s", first->hint);
    return -1;
}

static int absent(const struct stock *s, struct err *err)
{
    for (size_t i = 0; i < s->asked.count; i++) {
        if (!s->found[i])
            return err_set(err, ERR_NOT_FOUND, "%s is not on %s", s->asked.wants[i].ref.text,
                           s->volume.path);
    }
    return 0;
}

int stock_show(struct cmd_context *ctx, bool disk,
               void (*put)(struct buf *out, const struct stock *s), struct err *err)
{
    struct buf out = buf_new(ctx->arena, TEXT_MAX);
    struct stock s;
    int r;

    if (take(&s, ctx, disk, err) < 0)
        return -1;
    put(&out, &s);
    r = cmd_print(buf_str(&out), err);
    if (r == 0)
        r = s.list.problems.len > 0 ? problems(&s, err) : absent(&s, err);
    volume_close(&s.volume);
    return r;
}

bool stock_asked(const struct stock *s, const struct listed_model *model,
                 const struct listed_revision *revision)
{
    bool asked = s->asked.count == 0;

    for (size_t i = 0; i < s->asked.count; i++) {
        const struct model_ref *ref = &s->asked.wants[i].ref;

        if (is_model(ref, s, model) && is_revision(ref, model, revision))
            asked = s->found[i] = true;
    }
    return asked;
}

/* A worker marks what it uses by the commit; of Ollama by the tag, as the listing names it. */
static bool is_used(const struct lease_state *mark, struct arena *a,
                    const struct listed_model *model, const struct listed_revision *revision)
{
    if (use_means(mark, model->name))
        return true;
    if (revision->revision != NULL &&
        use_means(mark, str_format(a, "%s@%s", model->name, revision->revision)))
        return true;
    for (size_t i = 0; i < revision->name_count; i++) {
        if (use_means(mark, str_format(a, "%s@%s", model->name, revision->names[i])))
            return true;
    }
    return false;
}

const char *stock_user(const struct stock *s, size_t *at, const struct listed_model *model,
                       const struct listed_revision *revision)
{
    while (*at < s->marks.len) {
        const struct lease_state *mark = &s->marks.at[(*at)++];

        if (is_used(mark, s->ctx->arena, model, revision))
            return mark->host;
    }
    return NULL;
}

void stock_put_problems(struct buf *b, const struct stock *s)
{
    json_put_key(b, "problems");
    buf_addc(b, '[');
    for (size_t i = 0; i < s->list.problems.len; i++) {
        buf_addz(b, i > 0 ? "," : "");
        json_put_str(b, str_from(s->list.problems.at[i].msg));
    }
    buf_addc(b, ']');
}

const char *stock_escaped(struct arena *a, const char *text)
{
    struct buf b = buf_new(a, 8 * WALK_PATH_MAX);

    escape_text(&b, str_from(text));
    return buf_str(&b).ptr;
}

int stock_widen(int width, const char *text)
{
    size_t len = strlen(text);

    return len > (size_t)width ? (int)(len < COLUMN_MAX ? len : COLUMN_MAX) : width;
}
