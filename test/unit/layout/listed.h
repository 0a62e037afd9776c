/* A listing for one test, and what to plant where it looks. */
#ifndef TEST_LAYOUT_LISTED_H
#define TEST_LAYOUT_LISTED_H

#include "layout/list.h"
#include "ollama.h"
#include "store/lease_file.h"
#include "store/lease_text.h"

static inline struct layout_listing listed(struct hub *h)
{
    struct layout_listing l;

    h->config.ollama_models = hub_path(h, "ollama");
    l = list_new(h->arena, &h->config, true);
    layout_list_all(&l);
    return l;
}

static inline const struct listed_model *model_in(const struct layout_listing *l, const char *name)
{
    for (size_t i = 0; i < l->models.len; i++) {
        if (strcmp(l->models.at[i].name, name) == 0)
            return &l->models.at[i];
    }
    fail_msg("%s is not listed", name);
    abort(); /* for compilers, which do not know that this failed */
}

/* The one revision of a model. */
static inline const struct listed_revision *only(const struct layout_listing *l, const char *name)
{
    const struct listed_model *model = model_in(l, name);

    assert_int_equal(model->revision_count, 1);
    return &model->revisions[0];
}

/* A lease in folder; dead: of a process of this kernel that is gone, else of another host's. */
static inline void put_lease(const struct hub *h, const char *folder, const char *what,
                             uint64_t total, bool dead)
{
    struct lease_state state = {.format = LEASE_FORMAT,
                                .token = "0123456789abcdef",
                                .host = "gpu-3",
                                .boot_id = "of-another-kernel",
                                .pid = 71,
                                .done_bytes = total / 2,
                                .total_bytes = total,
                                .bps = 7};
    char text[LEASE_TEXT];

    if (dead)
        lease_boot_id(state.boot_id);
    memcpy(state.what, what, strlen(what) + 1);
    lease_format(text, &state);
    make_dirs(h, folder);
    scratch_write(h->scratch, str_format(h->arena, "%s/lease", folder), text, sizeof(text));
}

/* A file of 4 MiB on its way in folder, of which 2 MiB have come. */
#define STAGED_TOTAL   ((uint64_t)4 << 20)
#define STAGED_CLAIMED ((uint64_t)2 << 20)

static inline void put_staged(struct hub *h, const char *folder, const char *of)
{
    struct journal_file file = {digest_of(of, true), STAGED_TOTAL};
    struct staging staging;
    int dirfd;

    make_dirs(h, folder);
    dirfd = openat(h->scratch->fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(dirfd >= 0);
    assert_int_equal(staging_open(&staging, h->arena, dirfd, "0123456789abcdef", &file, &h->err),
                     0);
    for (uint64_t at = 0; at < STAGED_CLAIMED; at += JOURNAL_RANGE_MAX)
        assert_int_equal(journal_add(staging.journal,
                                     (struct journal_range){.offset = at, .len = JOURNAL_RANGE_MAX},
                                     &h->err),
                         0);
    staging_close(&staging);
    (void)close(dirfd);
}

#endif
