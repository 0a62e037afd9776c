/*
 * Our own folders in an Ollama store, beneath `.hostler/`, which Ollama never looks into:
 *
 *     .hostler/models/<host>/<ns>/<model>/<tag>/   of a model, in lower case: its lease, small
 * files .hostler/sha256-<hex>/                       of a large blob: its lease, the file on its
 * way
 *
 * They come and go: who has one open keeps it by a shared flock, who leaves it last takes it away
 * when it is empty. Where flock may mean this host alone it stays.
 */
#ifndef LAYOUT_OLLAMA_STAGE_H
#define LAYOUT_OLLAMA_STAGE_H

#include "layout/ollama_place.h"

#define OLLAMA_OWN ".hostler"

/* Opens the folder path beneath the store, which begins with OLLAMA_OWN; made if need be. */
int ollama_hold(int *ret_fd, const struct layout_place *p, const char *path,
                struct err *err) MUST_CHECK;

/* Closes it. Removed if it is empty and nobody else has it open, and so are its empty parents. */
void ollama_give(const struct layout_place *p, const char *path, int *fd);

/* The driver's open_staging() and leave_staging(). */
int ollama_open_staging(int *ret_dirfd, struct layout_place *p, const struct model_file *file,
                        bool make, struct err *err) MUST_CHECK;
void ollama_leave_staging(struct layout_place *p, const struct model_file *file, int *dirfd);

#endif
