#include "store/use.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sys/fd.h"
#include "sys/file.h"
#include "text/num.h"
#include "text/str.h"

#define FOLDER ".hostler/uses"
#define PREFIX "use-"
#define WHAT   sizeof(((struct lease_state *)0)->what)

struct use {
    struct use_options options;
    struct lease_keeper *keeper;
    struct lease **leases;
    const char **what; /* models, then GPUs */
    size_t count;
    int dirfd;
    char gpus[USE_GPUS_MAX][WHAT];
};

/* A name that nobody else takes. */
static int mark(struct use *use, size_t i, struct err *err)
{
    char token[LEASE_TOKEN + 1];
    char name[sizeof(PREFIX) + LEASE_TOKEN];
    struct lease_watch watch = {0};
    const struct lease_name where = {.dirfd = use->dirfd, .file = name, .what = use->what[i]};

    file_random_hex(token, LEASE_TOKEN);
    (void)snprintf(name, sizeof(name), "%s%s", PREFIX, token);
    return lease_try(&use->leases[i], &watch, use->keeper, &where, err);
}

static use_marks look_at_all(struct arena *a, int dirfd, bool sweep)
{
    use_marks marks = {0};
    int own = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = own < 0 ? NULL : fdopendir(own);

    if (dir == NULL) {
        fd_close(&own);
        return marks;
    }
    for (const struct dirent *entry; marks.len < USE_MAX && (entry = readdir(dir)) != NULL;) {
        struct lease_state state;
        bool gone = false;

        if (!str_starts(str_from(entry->d_name), STR(PREFIX)) ||
            !lease_look(&state, &gone, dirfd, entry->d_name))
            continue;
        if (!gone)
            vec_push(a, &marks, state);
        else if (sweep)
            (void)unlinkat(dirfd, entry->d_name, 0);
    }
    (void)closedir(dir);
    return marks;
}

int use_begin(struct use **out, struct arena *a, const struct use_options *options, struct err *err)
{
    const struct lease_keeper_options keeper = {
        .clock = options->clock, .host = options->host, .takeover_ms = options->takeover_ms};
    struct use *use = arena_new(a, struct use);
    struct stat like;
    int r = 0;

    *out = NULL;
    *use = (struct use){.options = *options, .dirfd = -1};
    use->leases = arena_array(a, struct lease *, options->count + USE_GPUS_MAX);
    use->what = arena_array(a, const char *, options->count + USE_GPUS_MAX);
    memcpy(use->what, options->what, options->count * sizeof(*use->what));
    use->count = options->count;
    if (fstat(options->volume->fd, &like) < 0)
        return file_err(err, "%s", options->volume->path);
    if (file_mkdirs(options->volume->fd, FOLDER, &like, err) < 0)
        return -1;
    use->dirfd = file_open_dir(options->volume->fd, FOLDER, err);
    if (use->dirfd < 0)
        return -1;
    if (volume_flock_works(use->dirfd))
        (void)look_at_all(a, use->dirfd, true);
    use->keeper = lease_keeper_new(&keeper, err);
    for (size_t i = 0; i < use->count && use->keeper != NULL && r == 0; i++)
        r = mark(use, i, err);
    if (use->keeper == NULL || r < 0) {
        use_end(&use);
        return -1;
    }
    *out = use;
    return 0;
}

void use_look(struct use *use)
{
    for (size_t i = 0; i < use->count; i++) {
        struct err ignored = {0};

        if (use->leases[i] != NULL && !lease_lost(use->leases[i]))
            continue;
        lease_release(&use->leases[i]);
        (void)mark(use, i, &ignored); /* tried again at the next look */
    }
}

/* A longer type is cut. */
static const char *text_of(char out[static WHAT], const struct use_gpu *gpu)
{
    (void)snprintf(out, WHAT, "gpu:%s:%ju:%s:%s", gpu->uuid, (uintmax_t)gpu->mib, gpu->worker,
                   gpu->type);
    return out;
}

void use_gpus(struct use *use, const struct use_gpu *gpus, size_t count)
{
    size_t first = use->options.count;

    for (size_t i = first; i < use->count; i++)
        lease_release(&use->leases[i]);
    use->count = first + (count < USE_GPUS_MAX ? count : USE_GPUS_MAX);
    for (size_t i = first; i < use->count; i++)
        use->what[i] = text_of(use->gpus[i - first], &gpus[i - first]);
    use_look(use);
}

static bool take(char *out, size_t size, struct str text)
{
    if (text.len == 0 || text.len >= size)
        return false;
    memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
    return true;
}

bool use_gpu_of(struct use_gpu *out, const struct lease_state *mark)
{
    struct str rest = str_from(mark->what);
    struct str head, uuid, mib, worker;
    struct err ignored;

    return str_cut(&rest, ':', &head) && str_eqz(head, "gpu") && str_cut(&rest, ':', &uuid) &&
           str_cut(&rest, ':', &mib) && str_cut(&rest, ':', &worker) &&
           take(out->uuid, sizeof(out->uuid), uuid) &&
           num_parse_u64(&out->mib, mib, UINT32_MAX, &ignored) == 0 &&
           take(out->worker, sizeof(out->worker), worker) &&
           take(out->type, sizeof(out->type), rest);
}

void use_end(struct use **use)
{
    struct use *ours = *use;

    if (ours == NULL)
        return;
    *use = NULL;
    lease_keeper_free(&ours->keeper); /* gives up all that it holds */
    fd_close(&ours->dirfd);
}

use_marks use_list(struct arena *a, const struct volume *volume)
{
    struct err ignored = {0};
    FD_SCOPED dirfd = file_open_dir(volume->fd, FOLDER, &ignored);

    if (dirfd < 0)
        return (use_marks){0};
    return look_at_all(a, dirfd, false);
}

bool use_means(const struct lease_state *mark, const char *what)
{
    size_t len = strlen(mark->what);

    if (len == sizeof(mark->what) - 1)
        return strncmp(mark->what, what, len) == 0;
    return strcmp(mark->what, what) == 0;
}
