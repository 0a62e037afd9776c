#include "layout/blobs.h"

#include "layout/folder.h"
#include "sys/file.h"

static int publish_one(const struct layout_place *p, const struct blob_shelf *shelf,
                       const struct model_file *file, struct staging *staged,
                       const struct publish_item *item, struct err *err)
{
    struct stat st;

    if (shelf->rename(p, item, err) < 0)
        return -1;
    if (fstat(item->fd, &st) < 0)
        return file_err(err, "%s/blobs/%s", p->shown, item->to);
    shelf->record(p, &file->digest, &st);
    staging_published(staged);
    return 0;
}

/* All that is asked for is on disk by now. */
static int publish_each(const struct layout_place *p, const struct blob_shelf *shelf,
                        const struct blob_batch *batch, const struct publish_item *items,
                        struct err *err)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct model_file *file = batch->files[i];
        bool there = false;

        /* What stands there without a record of ours is wrong, or nobody's word but its name's. */
        if (!batch->replace && shelf->is_there(&there, p, file, err) < 0)
            return -1;
        if (!there) {
            if (publish_one(p, shelf, file, batch->staged[i], &items[i], err) < 0)
                return -1;
            continue;
        }
        if (shelf->keep != NULL)
            shelf->keep(p, &file->digest);
        staging_discard(batch->staged[i]);
    }
    return 0;
}

int blobs_publish(struct layout_place *p, const struct blob_shelf *shelf,
                  const struct blob_batch *batch, struct err *err)
{
    ARENA_SCOPED scratch = {0};
    struct publish_item *items = arena_array(&scratch, struct publish_item, batch->count + 1);

    for (size_t i = 0; i < batch->count; i++)
        items[i] = (struct publish_item){.fd = batch->staged[i]->fd,
                                         .from_dirfd = batch->staged[i]->dirfd,
                                         .from = batch->staged[i]->part,
                                         .to_dirfd = shelf->fd,
                                         .to = shelf->name(&scratch, &batch->files[i]->digest),
                                         .mode = shelf->mode,
                                         .replace = true};
    if (publish_sync(items, batch->count, err) < 0 || publish_each(p, shelf, batch, items, err) < 0)
        return -1;
    return folder_sync(p, shelf->fd, err);
}
