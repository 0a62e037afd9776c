#include "json/json.h"
#include "pull/through_ollama.h"
#include "source/ollama_server.h"
#include "text/num.h"

/* So long it may take to say that it is ready. */
#define PROBE_MS 5000

static bool is_of_ollama(const struct job *job)
{
    return strcmp(job->want->ref.source, "ollama") == 0;
}

bool through_ollama_always(const struct job *job)
{
    return is_of_ollama(job) && job->pull->config->options.ollama_via == OLLAMA_VIA_API;
}

bool through_ollama_may(const struct job *job)
{
    return is_of_ollama(job) && job->pull->config->options.ollama_via == OLLAMA_VIA_AUTO &&
           !job->pull->config->offline_all;
}

struct ollama_server *through_ollama_client(struct pull *pull, struct err *err)
{
    if (pull->ollama == NULL)
        pull->ollama = ollama_server_open(pull->arena, pull->config->ollama_url, &pull->net, err);
    return pull->ollama;
}

int through_ollama_offline(const struct job *job, struct err *err)
{
    (void)err_set(err, ERR_NOT_FOUND, "%s: offline, so the Ollama at %s is not asked for it",
                  job_name(job), job->pull->config->ollama_url);
    return err_hint(err, "without --offline it is asked whether it has it");
}

static void put_dry_text(struct buf *out, const struct job *job, const struct ollama_listed *found)
{
    char size[NUM_TEXT];

    buf_addf(out, "%s  by the Ollama at %s\n", job_name(job), ollama_server_url(job->pull->ollama));
    if (found->listed)
        buf_addf(out, "  there, as it says: %s, %s\n", num_format_size(size, found->bytes),
                 found->digest);
    else
        buf_addz(out, "  to be pulled by it; how large it is, it says when it pulls\n");
}

static void put_dry_json(struct buf *out, const struct job *job, const struct ollama_listed *found)
{
    buf_addc(out, '{');
    json_put_member(out, "model", str_from(job_name(job)));
    json_put_key(out, "revision");
    if (found->digest[0] != '\0')
        json_put_str(out, str_from(found->digest));
    else
        buf_addz(out, "null");
    json_put_member(out, "by", str_from(ollama_server_url(job->pull->ollama)));
    json_put_key(out, "listed");
    buf_addz(out, found->listed ? "true" : "false");
    json_put_key(out, "bytes");
    if (found->listed)
        buf_addf(out, "%llu", (unsigned long long)found->bytes);
    else
        buf_addz(out, "null");
    buf_addc(out, '}');
}

int through_ollama_dry_run(struct buf *out, struct job *job, bool first, bool *ret_taken,
                           struct err *err)
{
    struct pull *pull = job->pull;
    bool always = through_ollama_always(job);
    enum ollama_presence presence;
    struct ollama_listed found;
    struct err why = {0};

    *ret_taken = always || (through_ollama_may(job) && !pull->volume.writable);
    if (!*ret_taken)
        return 0;
    if (pull->config->offline_all)
        return through_ollama_offline(job, err);
    if (through_ollama_client(pull, err) == NULL)
        return -1;
    if (ollama_server_probe(&presence, pull->ollama, PROBE_MS, &why, err) < 0)
        return err->code == ERR_INTERRUPTED ? -1 : err_wrap(err, "%s", job_name(job));
    if (presence != OLLAMA_READY) {
        *ret_taken = always;
        return !always ? 0
                       : err_set(err, ERR_NET, "%s: the Ollama at %s is not ready: %s",
                                 job_name(job), ollama_server_url(pull->ollama), why.msg);
    }
    if (ollama_server_find(&found, &job->arena, pull->ollama, &job->want->ref, err) < 0)
        return -1;
    buf_addz(out, !first && pull->config->options.json ? "," : "");
    if (pull->config->options.json)
        put_dry_json(out, job, &found);
    else
        put_dry_text(out, job, &found);
    return 0;
}
