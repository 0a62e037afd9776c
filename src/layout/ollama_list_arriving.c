#include <fcntl.h>
#include <string.h>

#include "layout/ollama_list.h"
#include "layout/ollama_stage.h"

#define MODELS      OLLAMA_OWN "/models"
#define MODEL_DEPTH 3U /* folders above that of a model: host, namespace, name */
#define BLOB        "sha256-"
#define NOT_KNOWN   "ollama:(not known)"

/*
 * The model's revision that is not complete, added if there is none: the model itself is new then,
 * or its manifest is that of the version before. Names on disk are in lower case.
 */
static struct listed_revision *awaiting(uint32_t *ret_model, struct ollama_stock *s,
                                        const struct model_ref *ref)
{
    const struct listed_revision nothing = {.state = LISTED_PARTIAL};

    for (size_t i = 0; i < s->l->models.len; i++) {
        struct listed_model *model = &s->l->models.at[i];
        struct listed_revision *last = &model->revisions[model->revision_count - 1];

        if (model->store != s->store || !str_eq_nocase(str_from(model->name), str_from(ref->text)))
            continue;
        *ret_model = (uint32_t)i;
        if (last->state == LISTED_PARTIAL || last->state == LISTED_DOWNLOADING)
            return last;
        if (model->revision_count < OLLAMA_LISTED_REVISIONS) {
            last = &model->revisions[model->revision_count++];
            *last = nothing;
        }
        return last;
    }
    *ret_model = ollama_listed_model(s, ref, &nothing);
    return &s->l->models.at[*ret_model].revisions[0];
}

static struct listed_folder folder_of(const struct ollama_stock *s, const struct walk_entry *e,
                                      const char *above)
{
    return (struct listed_folder){.dirfd = e->dirfd,
                                  .name = e->name,
                                  .shown =
                                      str_format(s->scratch, "%s/%s/%s", s->path, above, e->path),
                                  .depth = WALK_DEPTH_MAX};
}

/*
 * The folder of a model: what its lease says is about all of it. Of a dead holder only the small
 * files are told here; one that only looked has nothing to tell.
 */
static void add_model(void *ctx, const struct walk_entry *e)
{
    struct ollama_stock *s = ctx;
    struct listed_folder folder = folder_of(s, e, MODELS);
    struct listed_arrival arrival;
    struct listed_revision *at;
    struct model_ref ref;
    struct err ignored = {0};
    uint32_t model;

    if (e->type != S_IFDIR || e->depth != MODEL_DEPTH)
        return;
    arrival = list_arrival(s->l, &folder, s->store, LISTED_NO_MODEL);
    if (!list_arrives(&arrival) || (arrival.host != NULL && arrival.total == 0))
        return;
    if (arrival.what == NULL || ref_parse(&ref, s->l->arena, str_from(arrival.what), &ignored) < 0)
        ref = ollama_listed_ref(s->l, e->path);
    at = awaiting(&model, s, &ref);
    list_walk_files(s->l, &folder, s->store, model, LISTED_PART_ARRIVING);
    at->arriving = arrival;
    if (arrival.host != NULL)
        at->state = LISTED_DOWNLOADING;
}

/* The folder of a blob: its holder's lease names the model, and stays when the holder is killed. */
static void add_blob(void *ctx, const struct walk_entry *e)
{
    struct ollama_stock *s = ctx;
    struct listed_folder folder = folder_of(s, e, OLLAMA_OWN);
    struct model_ref ref = {.text = NOT_KNOWN, .repo = ""};
    struct listed_arrival arrival;
    struct listed_revision *at;
    struct err ignored = {0};
    struct stat st;
    uint32_t model;

    if (e->type != S_IFDIR && fstatat(e->dirfd, e->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        list_file(s->l, s->store, LISTED_NO_MODEL, LISTED_PART_META, &st);
    if (e->type != S_IFDIR || !str_starts(str_from(e->name), STR(BLOB)))
        return;
    arrival = list_arrival(s->l, &folder, s->store, LISTED_NO_MODEL);
    if (arrival.total == 0)
        return;
    if (arrival.what != NULL && ref_parse(&ref, s->l->arena, str_from(arrival.what), &ignored) < 0)
        ref = (struct model_ref){.text = NOT_KNOWN, .repo = ""};
    at = awaiting(&model, s, &ref);
    list_walk_files(s->l, &folder, s->store, model, LISTED_PART_ARRIVING);
    if (at->arriving.host != NULL && at->arriving.what != NULL)
        return; /* the model's own lease counts this blob in */
    if (arrival.host != NULL) {
        at->arriving.host = arrival.host;
        at->state = LISTED_DOWNLOADING;
    }
    at->arriving.bytes += arrival.bytes;
    at->arriving.total += arrival.total;
    at->arriving.bps += arrival.bps;
}

void ollama_list_arriving(struct ollama_stock *s)
{
    ollama_list_walk(s, MODELS, MODEL_DEPTH, add_model);
    ollama_list_walk(s, OLLAMA_OWN, 0, add_blob);
}
