/*
 * An HTTP server of a test: answers the n-th request with the n-th text, then closes. On loopback,
 * on a thread of its own. What it was asked is kept for the test to look at.
 */
#ifndef TEST_SCRIPTED_H
#define TEST_SCRIPTED_H

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "../check.h"

#define SCRIPTED_MAX 16

struct scripted {
    const char *const *answers; /* ends NULL */
    int fd;
    unsigned port;
    size_t asked;
    char requests[SCRIPTED_MAX][4096];
    pthread_t thread;
};

static void scripted_serve(struct scripted *s, int client)
{
    char *request = s->requests[s->asked];
    const char *answer = s->answers[s->asked];
    size_t len = 0;
    ssize_t n;

    while (len + 1 < sizeof(s->requests[0]) && strstr(request, "\r\n\r\n") == NULL) {
        n = recv(client, request + len, sizeof(s->requests[0]) - 1 - len, 0);
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    s->asked++;
    for (size_t sent = 0, all = strlen(answer); sent < all; sent += (size_t)n) {
        n = send(client, answer + sent, all - sent, MSG_NOSIGNAL);
        if (n <= 0)
            break;
    }
}

static void *scripted_run(void *ctx)
{
    struct scripted *s = ctx;

    while (s->answers[s->asked] != NULL) {
        int client = accept(s->fd, NULL, NULL);

        if (client < 0)
            break;
        scripted_serve(s, client);
        (void)close(client);
    }
    return NULL;
}

static void scripted_start(struct scripted *s, const char *const *answers)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);

    *s =
        (struct scripted){.answers = answers, .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    assert_int_equal(bind(s->fd, (const struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(s->fd, 8), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&at, &len), 0);
    s->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, scripted_run, s), 0);
}

static void scripted_stop(struct scripted *s)
{
    (void)shutdown(s->fd, SHUT_RDWR);
    (void)pthread_join(s->thread, NULL);
    (void)close(s->fd);
}

#endif
