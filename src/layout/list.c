#include "layout/list.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "store/lease.h"
#include "store/staging.h"
#include "sys/fd.h"

#define BLOCK 512U /* bytes of st_blocks, everywhere */

struct layout_listing list_new(struct arena *a, const struct layout_config *config, bool disk)
{
    return (struct layout_listing){
        .arena = a, .config = config, .disk = disk, .entries_max = LISTING_ENTRIES_MAX};
}

void list_begin_count(struct layout_listing *l)
{
    l->entries_left = l->entries_max;
    l->over = false;
}

void list_problem(struct layout_listing *l, const char *where, const struct err *err)
{
    struct err problem = *err;

    if (l->problem_count++ >= LISTING_PROBLEMS_MAX)
        return;
    (void)err_wrap(&problem, "%s", str_printable(l->arena, str_from(where), WALK_PATH_MAX));
    vec_push(l->arena, &l->problems, problem);
}

int list_open_store(uint32_t *ret_store, struct layout_listing *l, const struct layout *layout,
                    const char *path)
{
    struct listed_store listed = {.layout = layout, .path = path};
    struct store store;
    struct err err = {0};

    if (store_open(&store, l->arena, l->config->volume, path, false, &err) < 0) {
        if (err.code != ERR_NOT_FOUND) {
            vec_push(l->arena, &l->problems, err);
            l->problem_count++;
        }
        return -1;
    }
    if (volume_space(&listed.space, store.fd, &err) < 0)
        list_problem(l, path, &err);
    *ret_store = (uint32_t)l->stores.len;
    vec_push(l->arena, &l->stores, listed);
    return store.fd;
}

uint32_t list_model(struct layout_listing *l, const struct listed_model *model)
{
    vec_push(l->arena, &l->models, *model);
    return (uint32_t)l->models.len - 1;
}

void list_file(struct layout_listing *l, uint32_t store, uint32_t model, enum listed_part part,
               const struct stat *st)
{
    struct listed_file file = {
        .dev = st->st_dev,
        .ino = st->st_ino,
        .store = store,
        .model = model,
        .part = part,
        .disk_bytes = (uint64_t)st->st_blocks * BLOCK,
        .bytes = (uint64_t)st->st_size,
    };

    if (S_ISREG(st->st_mode))
        vec_push(l->arena, &l->files, file);
}

/* What the callbacks of a walk need to know of it. */
struct path_of_walk {
    struct layout_listing *l;
    const struct listed_folder *folder;
    uint32_t store;
    uint32_t model;
    enum listed_part part;
};

static void hand_on(void *ctx, const struct walk_entry *e)
{
    const struct path_of_walk *k = ctx;

    k->folder->entry(k->folder->ctx, e);
}

static void count_in(void *ctx, const struct walk_entry *e)
{
    const struct path_of_walk *k = ctx;
    struct stat st;

    if (e->type == S_IFREG && fstatat(e->dirfd, e->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        list_file(k->l, k->store, k->model, k->part, &st);
}

/* Of the limit of all entries the first folder that it cuts off is enough. */
static bool is_known(struct layout_listing *l, const struct err *err)
{
    bool over = err->code == ERR_LIMIT && l->entries_left == 0;
    bool known = over && l->over;

    l->over = l->over || over;
    return known;
}

static void told(void *ctx, const char *path, const struct err *err)
{
    const struct path_of_walk *k = ctx;
    const char *where = path[0] == '\0' ? k->folder->shown
                                        : str_format(k->l->arena, "%s/%s", k->folder->shown, path);

    if (!is_known(k->l, err))
        list_problem(k->l, where, err);
}

static void walk(struct path_of_walk *k, void (*entry)(void *ctx, const struct walk_entry *e))
{
    struct walk w = {.depth = k->folder->depth,
                     .left = k->folder->left != NULL ? k->folder->left : &k->l->entries_left,
                     .entry = entry,
                     .trouble = told,
                     .ctx = k};

    walk_folder(&w, k->folder->dirfd, k->folder->name);
}

void list_walk(struct layout_listing *l, const struct listed_folder *folder)
{
    struct path_of_walk k = {.l = l, .folder = folder};

    walk(&k, hand_on);
}

void list_walk_files(struct layout_listing *l, const struct listed_folder *folder, uint32_t store,
                     uint32_t model, enum listed_part part)
{
    struct path_of_walk k = {l, folder, store, model, part};

    if (l->disk || part != LISTED_PART_META)
        walk(&k, count_in);
}

struct listed_arrival list_arrival(struct layout_listing *l, const struct listed_folder *folder,
                                   uint32_t store, uint32_t model)
{
    struct listed_arrival arrival = {0};
    uint64_t left = l->entries_left;
    struct lease_state lease;
    struct staging_sum sum;
    FD_SCOPED fd = -1;
    bool gone = false;

    list_walk_files(l, folder, store, model, LISTED_PART_ARRIVING);
    if (l->entries_left == left)
        return arrival; /* empty, as it is most of the time */
    fd = openat(folder->dirfd, folder->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return arrival;
    sum = staging_sum(fd);
    arrival.bytes = sum.claimed_bytes;
    arrival.total = sum.total_bytes;
    if (!lease_look(&lease, &gone, fd, LAYOUT_LEASE))
        return arrival;
    arrival.what = str_dup(l->arena, str_from(lease.what));
    if (gone)
        return arrival;
    arrival.host = str_dup(l->arena, str_from(lease.host));
    if (lease.total_bytes > 0) {
        arrival.bytes = lease.done_bytes;
        arrival.total = lease.total_bytes;
        arrival.bps = lease.bps;
    }
    return arrival;
}

bool list_is_blind(const struct layout_listing *l, size_t problems)
{
    return l->problem_count > problems || l->entries_left == 0;
}

bool list_arrives(const struct listed_arrival *a)
{
    return a->host != NULL || a->total > 0;
}

/* ---- sums ---- */

static int by_inode(const void *left, const void *right)
{
    const struct listed_file *a = left;
    const struct listed_file *b = right;

    if (a->dev != b->dev)
        return a->dev < b->dev ? -1 : 1;
    if (a->ino != b->ino)
        return a->ino < b->ino ? -1 : 1;
    if (a->store != b->store)
        return a->store < b->store ? -1 : 1;
    if (a->model != b->model)
        return a->model < b->model ? -1 : 1;
    return (int)a->part - (int)b->part;
}

static bool same_inode(const struct listed_file *a, const struct listed_file *b)
{
    return a->dev == b->dev && a->ino == b->ino;
}

/* The names of one inode: at most one for each store and model is of interest, its best. */
struct inode {
    const struct listed_file *first;
    size_t len;
    size_t models;
    bool used;
};

static bool is_repeated(const struct inode *i, size_t at)
{
    return at > 0 && i->first[at].store == i->first[at - 1].store &&
           i->first[at].model == i->first[at - 1].model;
}

static void look_at(struct inode *i)
{
    for (size_t k = 0; k < i->len; k++) {
        if (i->first[k].model != LISTED_NO_MODEL && !is_repeated(i, k))
            i->models++;
        i->used = i->used || i->first[k].part == LISTED_PART_USED;
    }
}

static void add_to(struct listed_sums *sums, const struct inode *i, enum listed_part part)
{
    uint64_t bytes = i->first->disk_bytes;

    sums->bytes += bytes;
    if (i->models > 1)
        sums->shared += bytes;
    if (part == LISTED_PART_ARRIVING)
        sums->partial += bytes;
    if (part == LISTED_PART_UNUSED)
        sums->unused += bytes;
}

static void sum_of_inode(struct layout_listing *l, struct inode *i)
{
    look_at(i);
    for (size_t k = 0; k < i->len; k++) {
        const struct listed_file *file = &i->first[k];
        enum listed_part part = i->used ? LISTED_PART_USED : file->part;

        if (file->model != LISTED_NO_MODEL && !is_repeated(i, k))
            add_to(&l->models.at[file->model].sums, i, file->part);
        if (k > 0 && file->store == i->first[k - 1].store)
            continue;
        add_to(&l->stores.at[file->store].sums, i, part);
        if (i->models == 0)
            add_to(&l->stores.at[file->store].other, i, part);
    }
    l->disk_bytes += i->first->disk_bytes;
    if (i->used)
        l->bytes += i->first->bytes;
}

static int by_name(const void *left, const void *right)
{
    const struct listed_model *a = left;
    const struct listed_model *b = right;

    if (a->store != b->store)
        return a->store < b->store ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* main before other names, what has a name before what has none, then by name. */
static int by_revision(const void *left, const void *right)
{
    const struct listed_revision *a = left;
    const struct listed_revision *b = right;
    const char *first = a->name_count > 0 ? a->names[0] : NULL;
    const char *second = b->name_count > 0 ? b->names[0] : NULL;

    if ((first == NULL) != (second == NULL))
        return first == NULL ? 1 : -1;
    if (first == NULL)
        return strcmp(a->revision == NULL ? "" : a->revision,
                      b->revision == NULL ? "" : b->revision);
    if ((strcmp(first, "main") == 0) != (strcmp(second, "main") == 0))
        return strcmp(first, "main") == 0 ? -1 : 1;
    return strcmp(first, second);
}

void list_finish(struct layout_listing *l)
{
    if (l->files.len > 0)
        qsort(l->files.at, l->files.len, sizeof(*l->files.at), by_inode);
    for (size_t i = 0, end; i < l->files.len; i = end) {
        struct inode inode = {.first = &l->files.at[i]};

        for (end = i; end < l->files.len && same_inode(&l->files.at[i], &l->files.at[end]); end++)
            inode.len++;
        sum_of_inode(l, &inode);
    }
    for (size_t i = 0; i < l->models.len; i++) {
        if (l->models.at[i].revision_count > 0)
            qsort(l->models.at[i].revisions, l->models.at[i].revision_count,
                  sizeof(*l->models.at[i].revisions), by_revision);
    }
    if (l->models.len > 0)
        qsort(l->models.at, l->models.len, sizeof(*l->models.at), by_name);
}
