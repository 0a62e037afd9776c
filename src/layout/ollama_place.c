#include "layout/ollama_place.h"

#include <assert.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "layout/folder.h"
#include "layout/ollama_stage.h"
#include "layout/ollama_tag.h"
#include "model/ref_ollama.h"
#include "sys/fd.h"
#include "sys/file.h"

int ollama_blobs(const struct layout_place *p, struct err *err)
{
    struct ollama_place *s = ollama_state(p);

    if (s->blobs_fd >= 0)
        return 0;
    return folder_open(&s->blobs_fd, p, p->store.fd, "blobs", !p->config->read_only, err);
}

bool ollama_holds(const struct layout_place *p, const struct digest *d, const struct stat *st)
{
    if (!S_ISREG(st->st_mode))
        return false;
    if (blob_records_hold(p->records, d, st))
        return true;
    blob_records_refresh(p->records, p->config->volume, OLLAMA_RECORDS);
    return blob_records_hold(p->records, d, st);
}

void ollama_record(const struct layout_place *p, const struct digest *d, const struct stat *st)
{
    blob_records_set(p->records, d, st);
    ollama_state(p)->dirty = true;
}

int ollama_flush(const struct layout_place *p, struct err *err)
{
    struct ollama_place *s = ollama_state(p);

    if (!s->dirty || p->config->read_only)
        return 0;
    if (blob_records_write(p->records, p->config->volume, OLLAMA_RECORDS, err) < 0)
        return -1;
    s->dirty = false;
    return 0;
}

static void close_fd(int *fd)
{
    fd_close(fd);
    *fd = -1;
}

/* The parts of a reference; its repo is "ns/model". */
static struct ollama_name name_of(struct arena *a, const struct model_ref *ref)
{
    struct str ns = str_from(ref->repo);
    struct str model;
    bool cut = str_rcut(&ns, '/', &model);

    assert(cut);
    return (struct ollama_name){.host = ref->host != NULL ? ref->host : REF_OLLAMA_HOST,
                                .ns = str_dup(a, ns),
                                .model = str_dup(a, model),
                                .tag = ref->revision};
}

/* Our own names for a model know no case, so that what Ollama takes for one has one lease. */
static const char *lower(char *text)
{
    for (char *c = text; *c != '\0'; c++) {
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    }
    return text;
}

static int open_folders(struct layout_place *p, struct err *err)
{
    struct ollama_place *s = ollama_state(p);
    bool make = !p->config->read_only;

    s->file_mode = 0666 & ~file_umask();
    if (make && ollama_hold(&p->staging_fd, p, s->staging, err) < 0)
        return -1;
    if (!make && folder_open(&p->staging_fd, p, p->store.fd, s->staging, false, err) < 0)
        return -1;
    return folder_open(&s->blobs_fd, p, p->store.fd, "blobs", false, err);
}

int ollama_place_open(struct layout_place *p, const struct model_ref *ref, struct err *err)
{
    const struct layout_config *config = p->config;
    struct ollama_place *s = arena_new(p->arena, struct ollama_place);
    const struct ollama_name *n = &s->name;

    *s = (struct ollama_place){.name = name_of(p->arena, ref), .blobs_fd = -1};
    if (strlen(n->host) > NAME_MAX)
        return err_set(err, ERR_USAGE,
                       "%.80s...: the host has %zu characters, and a folder's name at most %d",
                       ref->text, strlen(n->host), NAME_MAX);
    s->staging = lower(
        str_format(p->arena, OLLAMA_OWN "/models/%s/%s/%s/%s", n->host, n->ns, n->model, n->tag));
    p->state = s;
    p->folder = lower(str_format(p->arena, "ollama/%s/%s/%s", n->host, n->ns, n->model));
    p->shown = str_format(p->arena, "%s/%s", config->ollama_models, ollama_tag_path(p->arena, n));
    if (blob_records_read(&p->records, p->arena, config->volume, OLLAMA_RECORDS, err) < 0)
        return -1;
    if (store_open(&p->store, p->arena, config->volume, config->ollama_models, !config->read_only,
                   err) < 0) {
        p->store =
            (struct store){.path = config->ollama_models, .fd = -1, .volume = config->volume};
        return config->read_only && err->code == ERR_NOT_FOUND ? 0 : -1;
    }
    if (open_folders(p, err) == 0)
        return 0;
    ollama_place_close(p);
    return -1;
}

void ollama_place_close(struct layout_place *p)
{
    struct ollama_place *s = ollama_state(p);
    struct err ignored = {0};

    if (s == NULL)
        return;
    if (p->records != NULL && ollama_flush(p, &ignored) < 0)
        layout_notice(p->config, "what was verified will be hashed again: %s", ignored.msg);
    if (p->config->read_only)
        close_fd(&p->staging_fd);
    else
        ollama_give(p, s->staging, &p->staging_fd);
    close_fd(&s->blobs_fd);
    if (p->store.fd >= 0)
        store_close(&p->store);
}
