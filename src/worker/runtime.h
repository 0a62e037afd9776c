/*
 * Where the status file lies: HOSTLER_RUNTIME_DIR, else /run/hostler, else /tmp/hostler-UID. The
 * last is in a folder where everybody can plant a name, so it must be a directory of our own that
 * nobody else may enter; one that is not is refused. In the others it must at least not be a folder
 * that everybody may write.
 */
#ifndef WORKER_RUNTIME_H
#define WORKER_RUNTIME_H

#include <stdbool.h>

#include "config/config.h"

struct runtime {
    int fd;           /* the directory; -1: none */
    const char *path; /* of it, for messages */
};

/* make: the folder is made where it is missing, and must be writable. ERR_USAGE, ERR_VOLUME. */
int runtime_open(struct runtime *out, struct arena *a, const struct config *config, bool make,
                 struct err *err) MUST_CHECK;
void runtime_close(struct runtime *r);

/* "worker.status", "WORKER_ID.status". ERR_USAGE for a WORKER_ID that is no name of a file. */
int runtime_status_name(const char **out, struct arena *a, const struct config *config,
                        struct err *err) MUST_CHECK;

#endif
