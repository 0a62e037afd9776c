/*
 * The engine by itself, for tests and measurements: fetches files into a folder, resumes from the
 * journals beside them, and says how it ended.
 *
 *   fetch [-o NAME=VALUE]... FOLDER  < list      lines of: URL SIZE DIGEST NAME
 *
 * NAME is a field of struct net_config: give_up_ms, first_byte_ms, stall_ms, connect_ms,
 * limit_rate_bps, connections, fixed, buffer_bytes; ca_file; sync (1: fdatasync each file at its
 * end); auth (the value of the header). One line of JSON a file goes to stdout:
 * {"name", "ok", "code", "message", "hint"}, at the end one with the totals.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/stop.h"
#include "text/num.h"
#include "transfer/transfer.h"

struct item {
    struct transfer_origin origin;
    struct transfer_target target;
    bool sync;
};

struct options {
    struct net_config net;
    bool sync;
    const char *auth;
};

static void die(const char *what, const struct err *err)
{
    (void)fprintf(stderr, "fetch: %s: %s\n", what, err->msg);
    exit(2);
}

static void notice(void *ctx, const char *text)
{
    (void)ctx;
    (void)fprintf(stderr, "notice: %s\n", text);
}

static void set_number(struct options *o, struct str name, uint64_t n)
{
    struct net_config *net = &o->net;
    const struct {
        const char *name;
        uint64_t *field;
    } fields[] = {{"give_up_ms", &net->give_up_ms},
                  {"first_byte_ms", &net->first_byte_ms},
                  {"stall_ms", &net->stall_ms},
                  {"connect_ms", &net->connect_ms},
                  {"limit_rate_bps", &net->limit_rate_bps},
                  {"buffer_bytes", &net->buffer_bytes},
                  {"stall_bps", &net->stall_bps},
                  {"longest_wait_ms", &net->longest_wait_ms}};

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (str_eqz(name, fields[i].name)) {
            *fields[i].field = n;
            return;
        }
    if (str_eqz(name, "connections")) {
        net->connections = (unsigned)n;
    } else if (str_eqz(name, "fixed")) {
        net->connections_fixed = n != 0;
    } else if (str_eqz(name, "hash_threads")) {
        net->hash_threads = (unsigned)n;
    } else if (str_eqz(name, "sync")) {
        o->sync = n != 0;
    } else {
        (void)fprintf(stderr, "fetch: no option " STR_FMT "\n", STR_ARG(name));
        exit(2);
    }
}

static void set_option(struct options *o, const char *text)
{
    struct str value = str_from(text);
    struct str name;
    struct err err;
    uint64_t n;

    (void)str_cut(&value, '=', &name);
    if (str_eqz(name, "ca_file")) {
        o->net.ca_file = value.ptr;
    } else if (str_eqz(name, "auth")) {
        o->auth = value.ptr;
    } else {
        if (num_parse_u64(&n, value, INT64_MAX, &err) < 0)
            die(text, &err);
        set_number(o, name, n);
    }
}

static struct item *make_item(struct arena *a, const struct options *o, int dirfd, struct str line)
{
    struct item *item = arena_new(a, struct item);
    struct str url, size, digest;
    struct transfer_target *target = &item->target;
    struct err err = {0};
    const char *name;

    (void)str_cut(&line, ' ', &url);
    (void)str_cut(&line, ' ', &size);
    (void)str_cut(&line, ' ', &digest);
    name = str_dup(a, line);
    if (url_parse(&item->origin.url, a, str_copy(a, url), &err) < 0 ||
        num_parse_u64(&target->size, size, INT64_MAX, &err) < 0 ||
        digest_parse(&target->want, digest, &err) < 0)
        die(name, &err);
    item->origin.authorization = o->auth;
    target->name = name;
    target->fd = openat(dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    target->journal = journal_open(&target->claims, a, dirfd, str_format(a, "%s.journal", name),
                                   &(struct journal_file){target->want, target->size}, &err);
    if (target->fd < 0 || target->journal == NULL)
        die(name, &err);
    if (fallocate(target->fd, 0, 0, (off_t)target->size) < 0 &&
        ftruncate(target->fd, (off_t)target->size) < 0)
        perror("fetch: ftruncate");
    target->origin = &item->origin;
    target->user = item;
    item->sync = o->sync;
    return item;
}

static void print_text(const char *name, const char *text)
{
    (void)printf(",\"%s\":\"", name);
    for (; text != NULL && *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            (void)putchar('\\');
        (void)putchar(*text);
    }
    (void)putchar('"');
}

static bool report(const struct transfer_event *event)
{
    struct item *item = event->user;
    bool ok = event->kind == TRANSFER_DONE;

    (void)printf("{\"ok\":%s", ok ? "true" : "false");
    print_text("name", item->target.name);
    if (!ok) {
        (void)printf(",\"code\":%d", err_info(event->err.code)->exit_status);
        print_text("message", event->err.msg);
        print_text("hint", err_hint_of(&event->err));
    }
    (void)printf("}\n");
    (void)fflush(stdout);
    if (ok && item->sync && fdatasync(item->target.fd) < 0)
        perror("fetch: fdatasync");
    journal_close(&item->target.journal);
    (void)close(item->target.fd);
    return ok;
}

static double seconds(const struct timeval *t)
{
    return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

static void report_totals(const struct transfer_progress *p, uint64_t began_ms, uint64_t most)
{
    struct rusage use;

    (void)getrusage(RUSAGE_SELF, &use);
    (void)printf("{\"received\":%" PRIu64 ",\"seconds\":%.3f,\"cpu\":%.2f,\"user\":%.2f,"
                 "\"rss_kib\":%ld,\"connections\":%" PRIu64 "}\n",
                 p->received_bytes, (double)(clock_now_ms(clock_real()) - began_ms) / 1000.0,
                 seconds(&use.ru_utime) + seconds(&use.ru_stime), seconds(&use.ru_utime),
                 use.ru_maxrss, most);
}

static bool run(struct transfer *t, uint64_t began_ms)
{
    uint64_t most = 0;
    bool all = true;

    for (;;) {
        struct transfer_event event = transfer_next(t, 500);
        struct transfer_progress p = transfer_progress(t, NULL);

        if (p.connections > most)
            most = p.connections;
        if (event.kind == TRANSFER_DONE || event.kind == TRANSFER_FAILED)
            all = report(&event) && all;
        if (event.kind == TRANSFER_IDLE) {
            report_totals(&p, began_ms, most);
            return all;
        }
        if (stop_wanted())
            transfer_cancel(t, NULL, NULL);
    }
}

int main(int argc, char **argv)
{
    ARENA_SCOPED a = {0};
    struct options o = {.net = {.clock = clock_real(), .user_agent = "fetch/1", .notice = notice}};
    uint64_t began_ms = clock_now_ms(clock_real());
    struct err err = {0};
    struct transfer *t;
    char line[8192];
    int option, dirfd;
    bool all;

    while ((option = getopt(argc, argv, "o:")) == 'o')
        set_option(&o, optarg);
    if (option != -1 || optind + 1 != argc || stop_install(&err) < 0)
        return 2;
    (void)mkdir(argv[optind], 0777);
    dirfd = open(argv[optind], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    t = transfer_new(&o.net, &err);
    if (t == NULL || dirfd < 0)
        die(argv[optind], &err);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        struct item *item = make_item(&a, &o, dirfd, str_trim(str_from(line)));

        if (transfer_add(t, &item->target, &err) < 0)
            die(item->target.name, &err);
    }
    all = run(t, began_ms);
    transfer_free(&t);
    (void)close(dirfd);
    return all ? 0 : 1;
}
