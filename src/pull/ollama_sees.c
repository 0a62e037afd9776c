#include "pull/ollama_sees.h"

#include "source/ollama_server.h"
#include "sys/stop.h"
#include "text/buf.h"

/* All patience there is for a question that nobody asked. */
#define PATIENCE_MS 2000
#define NAMES_MAX   ((size_t)400)

static bool concerns(const struct job *job)
{
    return job->published && strcmp(job->want->ref.source, "ollama") == 0;
}

static bool has_any(const struct job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (concerns(&jobs[i]))
            return true;
    }
    return false;
}

/* The names of the models that it does not list, with commas; empty if it cannot be asked. */
static struct str unseen(struct arena *a, struct ollama_server *server, const struct job *jobs,
                         size_t count)
{
    struct buf names = buf_new(a, NAMES_MAX);
    enum ollama_presence presence;
    struct err why = {0};
    struct err err = {0};

    if (ollama_server_probe(&presence, server, PATIENCE_MS, &why, &err) < 0 ||
        presence != OLLAMA_READY)
        return (struct str){0};
    for (size_t i = 0; i < count; i++) {
        struct ollama_listed found;

        if (!concerns(&jobs[i]))
            continue;
        if (ollama_server_find(&found, a, server, &jobs[i].want->ref, &err) < 0)
            return (struct str){0};
        if (!found.listed)
            buf_addf(&names, "%s%s", names.len == 0 ? "" : ", ", job_name(&jobs[i]));
    }
    return buf_str(&names);
}

void ollama_sees(struct pull *pull, const struct job *jobs, size_t count)
{
    ARENA_SCOPED a = {0};
    const struct config *config = pull->config;
    struct net_config net = pull->net;
    struct ollama_server *server;
    struct err err = {0};
    struct str names;

    if (!config->ollama_url_named || config->offline_all || stop_wanted() || !has_any(jobs, count))
        return;
    net.connect_ms = net.first_byte_ms = net.stall_ms = PATIENCE_MS;
    net.notice = NULL;
    server = ollama_server_open(&a, config->ollama_url, &net, &err);
    if (server == NULL)
        return;
    names = unseen(&a, server, jobs, count);
    if (names.len > 0)
        report_note(pull->report, REPORT_WARN, "ollama_unseen", NULL,
                    "the Ollama at %s does not list " STR_FMT
                    ": it reads another store; to see them it needs OLLAMA_MODELS=%s (as that "
                    "folder is called where it runs)",
                    ollama_server_url(server), STR_ARG(names), config->layout.ollama_models);
    ollama_server_close(&server);
}
