#include "coord/listen.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "sys/fd.h"
#include "text/num.h"
#include "text/str.h"

#define BACKLOG 1024

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, address, sizeof(in));
        return ntohl(in.sin_addr.s_addr) >> 24 == 127;
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, address, sizeof(in6));
        return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
    }
    return false;
}

static int parse(struct str *ret_host, struct str *ret_port, const char *address, struct err *err)
{
    struct err ignored = {0};
    struct str host = str_from(address);
    uint64_t port;

    if (!str_rcut(&host, ':', ret_port) ||
        num_parse_u64(&port, *ret_port, UINT16_MAX, &ignored) < 0)
        return err_set(err, ERR_USAGE, "--listen: \"%.80s\": not HOST:PORT, such as 127.0.0.1:8700",
                       address);
    if (str_starts(host, STR("[")) && str_ends(host, STR("]")))
        host = (struct str){host.ptr + 1, host.len - 2};
    *ret_host = host;
    return 0;
}

static const char *name_of(struct arena *a, int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof(address);
    char host[INET6_ADDRSTRLEN] = "";
    char port[8] = "";

    (void)getsockname(fd, (struct sockaddr *)&address, &len);
    (void)getnameinfo((struct sockaddr *)&address, len, host, sizeof(host), port, sizeof(port),
                      NI_NUMERICHOST | NI_NUMERICSERV);
    return str_format(a, strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host, port);
}

static int open_socket(const struct addrinfo *at)
{
    FD_SCOPED fd =
        socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, at->ai_protocol);
    int one = 1;

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
        bind(fd, at->ai_addr, at->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
        return -1;
    return fd_take(&fd);
}

int listen_on(struct listening *out, struct arena *a, const char *address, struct err *err)
{
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    struct str host;
    struct str port;
    int failed;
    int fd;

    if (parse(&host, &port, address, err) < 0)
        return -1;
    failed = getaddrinfo(host.len > 0 ? str_dup(a, host) : NULL, str_dup(a, port), &hints, &found);
    if (failed != 0)
        return err_set(err, ERR_USAGE, "--listen %.80s: %s", address, gai_strerror(failed));
    fd = open_socket(found);
    if (fd < 0) {
        (void)err_sys(err, ERR_USAGE, "--listen %.80s", address);
        freeaddrinfo(found);
        return err_hint(err, "is another coordinator running there? --listen HOST:PORT");
    }
    *out = (struct listening){
        .fd = fd, .loopback = is_loopback(found->ai_addr), .name = name_of(a, fd)};
    freeaddrinfo(found);
    return 0;
}
