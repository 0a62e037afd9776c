/*
 * How we talk to the network: one plain value, made by pull from the configuration, shared by the
 * engine and by single requests. Zero means the default named here.
 */
#ifndef TRANSFER_NET_H
#define TRANSFER_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sys/clock.h"
#include "text/str.h"

struct net_config {
    const struct clock *clock;        /* needed */
    const char *user_agent;           /* "hostler/0.1.0" */
    const char *const *insecure_http; /* HOST[:PORT] that may be asked by plain http; ends NULL */
    const char *ca_file;              /* SSL_CERT_FILE and kin; NULL: the system's roots */
    const char *ca_dir;
    struct str ca_text;       /* certificates themselves, in place of ca_file; NULL: none */
    const char *client_cert;  /* a file of PEM that shows who we are, for TLS; NULL: none */
    const char *client_key;   /* and its key */
    unsigned connections;     /* most connections of one host; 16 */
    bool connections_fixed;   /* the operator named the number: start with it */
    uint64_t limit_rate_bps;  /* bytes a second of all together; 0: none */
    uint64_t buffer_bytes;    /* all buffers of the engine together; 12 MiB */
    unsigned hash_threads;    /* 0: one for each core, at most 8 */
    uint64_t connect_ms;      /* 10 s */
    uint64_t first_byte_ms;   /* 30 s; through a proxy 10 min */
    uint64_t stall_ms;        /* 20 s under stall_bps is a stall */
    uint64_t stall_bps;       /* 1,000 */
    uint64_t give_up_ms;      /* no progress of any kind for that long is final; 2 min */
    uint64_t longest_wait_ms; /* a wait that a server names is obeyed up to this; 6 min */
    /* Tells of waits and retries, for the log; any thread; may be NULL. */
    void (*notice)(void *ctx, const char *text);
    void *notice_ctx;
};

#endif
