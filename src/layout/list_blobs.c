#include <stdlib.h>
#include <string.h>

#include "layout/list.h"

static int compare(const struct digest *a, const struct digest *b)
{
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    return memcmp(a->bytes, b->bytes, DIGEST_BYTES);
}

static int by_digest(const void *left, const void *right)
{
    const struct listed_blob *a = left;
    const struct listed_blob *b = right;

    return compare(&a->digest, &b->digest);
}

void listed_blobs_sort(struct listed_blobs *blobs)
{
    if (blobs->all.len > 0)
        qsort(blobs->all.at, blobs->all.len, sizeof(*blobs->all.at), by_digest);
}

struct listed_blob *listed_blob_find(const struct listed_blobs *blobs, const struct digest *d)
{
    struct listed_blob key = {.digest = *d};

    if (blobs->all.len == 0)
        return NULL;
    return bsearch(&key, blobs->all.at, blobs->all.len, sizeof(key), by_digest);
}
