#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <netinet/in.h>

#include "json/json.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "text/buf.h"
#include "transfer/http.h"
#include "worker/ready.h"

#define BODY_MAX      ((size_t)8 << 20)
#define FIRST_BYTE_MS 5000
#define CONNECT_MS    2000
#define COMMAND_MS    10000

static int get(struct http_answer *out, struct arena *a, struct http_client *client,
               const char *url, struct err *err)
{
    struct http_request request = {.body_limit = BODY_MAX,
                                   .redirects = 3,
                                   .named_by_operator = true,
                                   .once = true,
                                   .first_byte_ms = FIRST_BYTE_MS};

    if (url_parse(&request.url, a, str_from(url), err) < 0 ||
        http_get(out, a, client, &request, err) < 0)
        return -1;
    if (out->status < 200 || out->status > 299)
        return err_set(err, ERR_NET, "%s answers with status %d", url, out->status);
    return 0;
}

/* True if an element of the list `list` has this text under one of two keys. */
static bool is_listed(const struct json *list, const char *const keys[2], const char *name)
{
    for (size_t i = 0; i < json_len(list); i++) {
        for (size_t k = 0; k < 2; k++) {
            struct err ignored = {0};
            struct str text = {0};

            if (json_is_object(json_at(list, i)) &&
                json_str(&text, json_at(list, i), keys[k], &ignored) == 0 && text.ptr != NULL &&
                str_eq_nocase(text, str_from(name)))
                return true;
        }
    }
    return false;
}

/* Asks for a list and looks for all the names in it. */
static int try_list(const struct ready_check *check, struct arena *a, struct http_client *client,
                    const char *path, const char *list, struct err *err)
{
    static const char *const keys[2] = {"id", "name"};
    const char *url = str_format(a, "%s%s", check->url, path);
    struct http_answer answer;
    const struct json *all;

    if (get(&answer, a, client, url, err) < 0)
        return -1;
    struct json *doc = json_parse(answer.body, BODY_MAX, url, err);
    if (doc == NULL)
        return -1;
    all = json_get(doc, list);
    for (size_t i = 0; check->names[i] != NULL; i++) {
        if (is_listed(all, keys, check->names[i]))
            continue;
        json_free(&doc);
        return err_set(err, ERR_NET, "%s does not list %s yet", url, check->names[i]);
    }
    json_free(&doc);
    return 0;
}

/* Of one model, in the only words that all its requests have. */
struct loading {
    const struct ready_check *check;
    const char *path;
    const char *name;
};

static int post(struct http_answer *out, struct arena *a, struct http_client *client,
                const struct loading *l, struct err *err)
{
    struct buf body = buf_new(a, BODY_MAX);
    struct http_request request = {.method = "POST",
                                   .body_limit = BODY_MAX,
                                   .named_by_operator = true,
                                   .once = true,
                                   .first_byte_ms = l->check->preload_ms};

    buf_addc(&body, '{');
    json_put_member(&body, "model", str_from(l->name));
    buf_addc(&body, '}');
    request.json = buf_str(&body);
    if (url_parse(&request.url, a, str_from(str_format(a, "%s%s", l->check->url, l->path)), err) <
        0)
        return -1;
    return http_get(out, a, client, &request, err);
}

/* Models that only embed refuse to generate, be it nothing. */
static int load(const struct ready_check *check, struct arena *a, struct http_client *client,
                const char *name, struct err *err)
{
    struct loading l = {.check = check, .path = "/api/generate", .name = name};
    struct http_answer answer;

    if (post(&answer, a, client, &l, err) < 0)
        return -1;
    l.path = "/api/embed";
    if (answer.status == 400 &&
        strstr(str_dup(a, answer.body), "does not support generate") != NULL &&
        post(&answer, a, client, &l, err) < 0)
        return -1;
    if (answer.status == 200)
        return 0;
    return err_set(err, ERR_NET, "%s cannot load %s: it answers with status %d: %.*s", check->url,
                   name, answer.status, answer.body.len < 200 ? (int)answer.body.len : 200,
                   answer.body.ptr);
}

static int try_ollama(const struct ready_check *check, struct arena *a, struct http_client *client,
                      struct err *err)
{
    if (try_list(check, a, client, "/api/tags", "models", err) < 0)
        return -1;
    for (size_t i = 0; check->preload_ms > 0 && check->names[i] != NULL; i++) {
        if (load(check, a, client, check->names[i], err) < 0)
            return -1;
    }
    return 0;
}

static int try_vllm(const struct ready_check *check, struct arena *a, struct http_client *client,
                    struct err *err)
{
    struct http_answer answer;

    if (get(&answer, a, client, str_format(a, "%s/health", check->url), err) < 0)
        return -1;
    return try_list(check, a, client, "/v1/models", "data", err);
}

static bool connects(const struct sockaddr *to, socklen_t len)
{
    FD_SCOPED fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int failed = 0;
    socklen_t size = sizeof(failed);

    if (fd < 0)
        return false;
    if (connect(fd, to, len) == 0)
        return true;
    if (errno != EINPROGRESS || poll(&p, 1, CONNECT_MS) != 1)
        return false;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size) == 0 && failed == 0;
}

static int try_tcp(uint16_t port, struct err *err)
{
    struct sockaddr_in v4 = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {
        .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};

    if (connects((const struct sockaddr *)&v4, sizeof(v4)) ||
        connects((const struct sockaddr *)&v6, sizeof(v6)))
        return 0;
    return err_set(err, ERR_NET, "port %u of this host takes no connection", port);
}

static _Noreturn void become_quiet(char *const *argv, char *const *variables)
{
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

    (void)setpgid(0, 0);
    for (int fd = 0; nothing >= 0 && fd <= 2; fd++)
        (void)dup2(nothing, fd);
    (void)execvpe(argv[0], argv, variables);
    _exit(127);
}

/* Waits for its end; what takes too long is killed with all it has started in its group. */
static int await(pid_t pid, int *ret_status)
{
    const struct clock *clock = clock_real();
    uint64_t end = clock_now_ms(clock) + COMMAND_MS;

    while (waitpid(pid, ret_status, WNOHANG) == 0) {
        if (clock_now_ms(clock) >= end) {
            (void)kill(-pid, SIGKILL);
            (void)waitpid(pid, ret_status, 0);
            return -1;
        }
        (void)poll(NULL, 0, 10);
    }
    return 0;
}

static int try_command(char *const *argv, char *const *variables, struct err *err)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0)
        become_quiet(argv, variables);
    if (pid < 0)
        return err_sys(err, ERR_NET, "%s cannot be started", argv[0]);
    (void)setpgid(pid, pid);
    if (await(pid, &status) < 0)
        return err_set(err, ERR_NET, "%s did not end within %d s", argv[0], COMMAND_MS / 1000);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    return err_set(err, ERR_NET, "%s ended with %s %d", argv[0],
                   WIFEXITED(status) ? "status" : "signal",
                   WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

int ready_try(const struct ready_check *check, struct arena *a, struct http_client *client,
              char *const *variables, struct err *err)
{
    struct http_answer answer;

    switch (check->kind) {
    case READY_HTTP: return get(&answer, a, client, check->url, err);
    case READY_TCP: return try_tcp(check->port, err);
    case READY_CMD: return try_command(check->argv, variables, err);
    case READY_VLLM: return try_vllm(check, a, client, err);
    case READY_OLLAMA: return try_ollama(check, a, client, err);
    }
    return -1;
}
