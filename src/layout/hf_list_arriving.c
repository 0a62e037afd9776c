#include <string.h>

#include "layout/hf_list.h"

/* The revision that a lease names: what stands behind the @, else main. */
static const char *arriving_name(const struct hf_listed_repo *r, const struct listed_arrival *a)
{
    struct model_ref ref;
    struct err ignored = {0};

    if (a->what == NULL || ref_parse(&ref, r->l->arena, str_from(a->what), &ignored) < 0)
        return NULL;
    return ref.revision;
}

static bool is_called(const struct listed_revision *revision, const char *name)
{
    if (strcmp(revision->revision, name) == 0)
        return true;
    for (size_t i = 0; i < revision->name_count; i++) {
        if (strcmp(revision->names[i], name) == 0)
            return true;
    }
    return false;
}

/* The revision that is not complete and that the download is for. */
static struct listed_revision *awaiting(const struct hf_listed_repo *r, const char *name)
{
    for (size_t i = 0; i < r->revisions.len; i++) {
        struct listed_revision *revision = &r->revisions.at[i];

        if (revision->state == LISTED_PARTIAL && (name == NULL || is_called(revision, name)))
            return revision;
    }
    return NULL;
}

void hf_list_arriving(struct hf_listed_repo *r)
{
    struct listed_revision revision = {.state = LISTED_PARTIAL};
    struct listed_revision *at;
    struct listed_arrival arrival =
        list_arrival(r->l,
                     &(struct listed_folder){.dirfd = r->fd,
                                             .name = HF_STAGING,
                                             .shown = hf_listed_in(r, HF_STAGING),
                                             .depth = WALK_DEPTH_MAX},
                     r->store, r->model);
    const char *name = arriving_name(r, &arrival);

    /* Whoever has the lease of what is there only looks, until it says how much is to come. */
    if (!list_arrives(&arrival) || (arrival.total == 0 && r->revisions.len > 0))
        return;
    at = awaiting(r, name);
    if (at == NULL) {
        if (name != NULL && ref_is_commit(name)) {
            revision.revision = name;
        } else if (name != NULL) {
            const char **names = arena_new(r->l->arena, const char *);

            names[0] = name;
            revision.names = names;
            revision.name_count = 1;
        }
        vec_push(r->l->arena, &r->revisions, revision);
        at = &r->revisions.at[r->revisions.len - 1];
    }
    at->arriving = arrival;
    if (arrival.host != NULL)
        at->state = LISTED_DOWNLOADING;
}
