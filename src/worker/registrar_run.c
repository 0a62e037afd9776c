/* The process of registrar.h. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "worker/identity.h"
#include "worker/registrar.h"
#include "worker/registration.h"

struct process {
    struct arena arena;
    const struct config *config;
    struct net_config net;
    struct registration *registration; /* NULL: it could not be started, which was said */
    int from;
    int to;
    char *line; /* FLEET_MESSAGE_MAX + 16 bytes */
    size_t len;
};

static void put_word(const struct process *p, bool warning, const char *text)
{
    char line[REGISTRATION_WORDS + 8];
    int len = snprintf(line, sizeof(line), "%c %s\n", warning ? 'W' : 'I', text);
    ssize_t sent = write(p->to, line, (size_t)len < sizeof(line) ? (size_t)len : sizeof(line) - 1);

    (void)sent; /* nobody listens just now */
}

static void put_words(const struct process *p)
{
    struct registration_word word;

    while (p->registration != NULL && registration_heard(p->registration, &word))
        put_word(p, word.warning, word.text);
}

/* Tokens are read here, so that they are in the memory of this process alone. */
static void start(struct process *p)
{
    struct coordinators coordinators;
    struct registration_options options = {.coordinators = &coordinators, .net = &p->net};
    const char *warning;
    struct err err = {0};

    p->net = p->config->net;
    p->net.clock = clock_real();
    if (identity_coordinators(&coordinators, &warning, &p->arena, p->config, &err) == 0)
        p->registration = registration_start(&options, &err);
    if (p->registration == NULL)
        put_word(p, true, err.msg);
}

static void tell(const struct process *p, struct str line)
{
    ARENA_SCOPED a = {0};
    struct err err = {0};
    struct fleet_record record = fleet_record_new();
    JSON_SCOPED *doc = json_parse(line, FLEET_MESSAGE_MAX + 16, "record", &err);

    if (doc == NULL || fleet_record_read(&record, &a, doc, &err) < 0 ||
        fleet_record_check(&record, &err) < 0)
        put_word(p, true, err.msg);
    else if (p->registration != NULL)
        registration_tell(p->registration, &record);
}

/* False: there is nothing more to come. */
static bool take(struct process *p)
{
    ssize_t got = read(p->from, p->line + p->len, FLEET_MESSAGE_MAX + 16 - p->len);
    struct str all;
    struct str line;

    if (got <= 0)
        return false;
    p->len += (size_t)got;
    all = (struct str){p->line, p->len};
    while (memchr(all.ptr, '\n', all.len) != NULL) {
        (void)str_cut(&all, '\n', &line);
        tell(p, line);
    }
    if (all.len == FLEET_MESSAGE_MAX + 16)
        return false;
    memmove(p->line, all.ptr, all.len);
    p->len = all.len;
    return true;
}

/* They are for who feeds us: a terminal gives them to the whole group. */
static void ignore_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    const struct sigaction ignored = {.sa_handler = SIG_IGN};

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        (void)sigaction(signals[i], &ignored, NULL);
}

_Noreturn void registrar_run(int from, int to, const struct config *config)
{
    struct process p = {.config = config, .from = from, .to = to};
    bool more = true;

    ignore_signals();
    p.line = arena_array(&p.arena, char, FLEET_MESSAGE_MAX + 16);
    start(&p);
    while (more) {
        struct pollfd fds[] = {{.fd = from, .events = POLLIN},
                               {.fd = p.registration != NULL ? registration_fd(p.registration) : -1,
                                .events = POLLIN}};

        if (poll(fds, 2, -1) < 0)
            continue;
        if (fds[0].revents != 0)
            more = take(&p);
        put_words(&p);
    }
    registration_stop(&p.registration);
    _exit(0);
}
