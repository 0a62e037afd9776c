/* --dry-run: the same looks as a pull, and no step further. */
#include "json/json.h"
#include "model/ref_ollama.h"
#include "pull/listing.h"
#include "pull/pull.h"
#include "pull/setup.h"
#include "pull/survey.h"
#include "pull/tell.h"
#include "pull/through_ollama.h"
#include "sys/stop.h"
#include "text/num.h"

#define PATH_COLUMN_MAX 60

static const char *state_text(enum survey_state state)
{
    return state == SURVEY_THERE  ? "there"
           : state == SURVEY_HASH ? "there, to be hashed"
                                  : "to fetch";
}

/* What was learnt of one model. */
struct outlook {
    const struct job *job;
    struct survey survey;
    struct space space;
    bool fits;
    bool asked_access;
    struct err access; /* code ERR_NONE: we may */
};

/* The state of the blob of a file, which may be listed under another name with the same bytes. */
static enum survey_state state_of(const struct survey *survey, const struct model_file *file)
{
    for (size_t i = 0; i < survey->count; i++) {
        if (digest_eq(&survey->items[i].file->digest, &file->digest))
            return survey->items[i].state;
    }
    return SURVEY_ABSENT;
}

static int path_column(const struct manifest *m)
{
    size_t widest = 4;

    for (size_t i = 0; i < m->file_count; i++) {
        size_t len = strlen(m->files[i].path);

        if (m->files[i].wanted && len > widest)
            widest = len;
    }
    return (int)(widest < PATH_COLUMN_MAX ? widest : PATH_COLUMN_MAX);
}

static const char *origin_of(const struct job *job)
{
    const struct model_ref *ref = &job->want->ref;

    if (strcmp(ref->source, "hf") == 0)
        return job->pull->source.hf_endpoint;
    return strcmp(ref->host, REF_OLLAMA_HOST) == 0 ? job->pull->source.ollama_registry : ref->host;
}

static void put_table(struct buf *out, const struct outlook *o)
{
    const struct manifest *m = &o->job->manifest;
    int column = path_column(m);
    char size[NUM_TEXT];
    char total[NUM_TEXT];
    char room[NUM_TEXT];

    buf_addf(out, "%s  commit %s  from %s\n", job_name(o->job), m->commit, origin_of(o->job));
    buf_addf(out, "  %-*s  %9s  %s\n", column, "FILE", "SIZE", "STATE");
    for (size_t i = 0; i < m->file_count; i++) {
        const struct model_file *f = &m->files[i];

        if (f->wanted)
            buf_addf(out, "  %-*s  %9s  %s\n", column, f->path, num_format_size(size, f->size),
                     state_text(state_of(&o->survey, f)));
    }
    buf_addf(out, "  to fetch: %zu files, %s of %s", o->survey.absent_count,
             num_format_size(size, o->survey.absent_bytes),
             num_format_size(total, manifest_wanted_bytes(m)));
    if (o->survey.staged_bytes > 0)
        buf_addf(out, " (%s of it already staged)", num_format_size(size, o->survey.staged_bytes));
    buf_addf(out, "; free: %s: %s\n", num_format_size(room, o->space.free_bytes),
             o->fits ? "fits" : "does not fit");
    if (o->asked_access)
        buf_addf(out, "  access: %s\n", o->access.code == ERR_NONE ? "yes" : o->access.msg);
}

static void put_json(struct buf *out, const struct outlook *o)
{
    const struct manifest *m = &o->job->manifest;

    buf_addc(out, '{');
    json_put_member(out, "model", str_from(job_name(o->job)));
    json_put_member(out, "revision", str_from(m->commit));
    json_put_member(out, "origin", str_from(origin_of(o->job)));
    json_put_member_u64(out, "bytes", manifest_wanted_bytes(m));
    json_put_member_u64(out, "missing_bytes", o->survey.absent_bytes);
    json_put_member_u64(out, "staged_bytes", o->survey.staged_bytes);
    json_put_member_u64(out, "free_bytes", o->space.free_bytes);
    json_put_key(out, "fits");
    buf_addz(out, o->fits ? "true" : "false");
    json_put_key(out, "access");
    if (!o->asked_access)
        buf_addz(out, "null");
    else
        json_put_str(out, str_from(o->access.code == ERR_NONE ? "yes" : o->access.msg));
    json_put_key(out, "files");
    buf_addc(out, '[');
    for (size_t i = 0, n = 0; i < m->file_count; i++) {
        const struct model_file *f = &m->files[i];

        if (!f->wanted)
            continue;
        buf_addz(out, n++ > 0 ? ",{" : "{");
        json_put_member(out, "path", str_from(f->path));
        json_put_member_u64(out, "bytes", f->size);
        json_put_member(out, "state", str_from(state_text(state_of(&o->survey, f))));
        buf_addc(out, '}');
    }
    buf_addz(out, "]}");
}

/* The filesystem that the files would go to: the store's, else the volume's. */
static int look_at_space(struct outlook *o, const struct job *job, struct err *err)
{
    int dirfd =
        job->place_open && job->place.store.fd >= 0 ? job->place.store.fd : job->pull->volume.fd;

    if (volume_space(&o->space, dirfd, err) < 0)
        return -1;
    o->fits = o->survey.absent_bytes <= o->space.free_bytes + o->survey.staged_bytes;
    return 0;
}

static int look(struct outlook *o, struct job *job, struct err *err)
{
    struct err absent = {0};

    *o = (struct outlook){.job = job};
    if (job_open_place(job, false, &absent) < 0 && absent.code != ERR_NOT_FOUND) {
        *err = absent;
        return -1;
    }
    if (listing_make(job, err) < 0 || survey_make(&o->survey, job, err) < 0 ||
        look_at_space(o, job, err) < 0)
        return -1;
    if (o->survey.absent_count > 0 && !job_is_offline(job)) {
        if (job_open_session(job, err) < 0)
            return -1;
        o->asked_access = job->session.source->access != NULL;
        if (o->asked_access &&
            job->session.source->access(&job->session, &job->manifest, &o->access) == 0)
            o->access.code = ERR_NONE;
    }
    return 0;
}

/* The status of one model: 0, or why a pull of it would fail. */
static int judge(const struct outlook *o, struct err *err)
{
    if (o->access.code != ERR_NONE) {
        *err = o->access;
        return -1;
    }
    if (!o->fits)
        return err_set(err, ERR_NO_SPACE, "%s does not fit on %s", job_name(o->job),
                       o->job->pull->volume.path);
    return 0;
}

static int look_and_put(struct buf *out, struct job *job, bool json, bool first, struct err *err)
{
    struct outlook outlook;
    bool taken;
    int r = through_ollama_dry_run(out, job, first, &taken, err);

    if (r < 0 || taken)
        return r;
    if (look(&outlook, job, err) < 0)
        return -1;
    if (json) {
        buf_addz(out, first ? "" : ",");
        put_json(out, &outlook);
    } else {
        put_table(out, &outlook);
    }
    return judge(&outlook, err);
}

int pull_dry_run(struct buf *out, struct arena *a, const struct config *config,
                 struct report *report, const struct catalog_choice *choice, struct err *err)
{
    bool json = config->options.json;
    size_t start;
    struct pull pull;
    int r = 0;

    if (pull_setup(&pull, a, config, report, err) < 0)
        return -1;
    pull.choice = choice;
    buf_addz(out, json ? "{\"models\":[" : "");
    start = out->len;
    for (size_t i = 0; i < choice->count && !stop_wanted(); i++) {
        struct job job;
        struct err why = {0};

        job_init(&job, &pull, &choice->wants[i]);
        if (look_and_put(out, &job, json, out->len == start, &why) < 0) {
            tell_failed(&job, &why);
            if (r == 0)
                *err = why;
            r = -1;
        }
        job_done(&job);
    }
    buf_addz(out, json ? "]}\n" : "");
    pull_teardown(&pull);
    return stop_wanted() ? stop_err(err) : r;
}
