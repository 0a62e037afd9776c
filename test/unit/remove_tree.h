/* A folder that a test has made goes with all that is in it. */
#ifndef TEST_REMOVE_TREE_H
#define TEST_REMOVE_TREE_H

#include <ftw.h>
#include <stdio.h>

static inline int remove_tree_entry(const char *path, const struct stat *st, int type,
                                    struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

/* 0; else it is not gone, or was not there. Links in it are not followed. */
static inline int remove_tree(const char *path)
{
    return nftw(path, remove_tree_entry, 32, FTW_DEPTH | FTW_PHYS);
}

#endif
