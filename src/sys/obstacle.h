/*
 * What stands in the way of a path that should lead through directories alone. Opening one that
 * does not says so of the whole path; who is to remove something wants to hear which part it is,
 * and would not be served by the name of something that lies beyond a planted link.
 */
#ifndef SYS_OBSTACLE_H
#define SYS_OBSTACLE_H

#include <stdbool.h>

#include "err/err.h"
#include "mem/arena.h"

/* The refusals of a path that meet something that is no directory: ENOTDIR, ELOOP, EXDEV. */
bool obstacle_is_met(const struct err *err);

/*
 * The first part of path, beneath dirfd, that is there and is no directory: a link, wherever it
 * leads, or another kind of file. The whole path if there is none by now.
 */
const char *obstacle_find(struct arena *a, int dirfd, const char *path);

/* Sets ERR_LIMIT: "where/<that part> should be a directory of its own, and is not". Returns -1. */
int obstacle_err(struct err *err, int dirfd, const char *where, const char *path);

#endif
