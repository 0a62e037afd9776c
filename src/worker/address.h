/*
 * Where a server of ours is asked, from what it was told of where to listen.
 */
#ifndef WORKER_ADDRESS_H
#define WORKER_ADDRESS_H

#include "mem/arena.h"

/* Who listens everywhere (0.0.0.0, ::, nothing or NULL) is asked on 127.0.0.1. */
const char *address_reachable(const char *host);

/*
 * The URL of a server of Ollama whose OLLAMA_HOST has this value, as the server itself takes it,
 * and its clients (https://github.com/ollama/ollama/blob/main/envconfig/config.go):
 *
 *     host, host:port, :port, ::1, [::1], [::1]:port, http://host[:port][/path], https://...
 *
 * Without a port it is 11434, behind http:// 80 and behind https:// 443; a port that is none is as
 * good as none at all. Blanks and quotes around the whole are dropped, as are slashes at its end.
 * It need not be one that url_parse() takes.
 */
const char *address_of_ollama(struct arena *a, const char *value);

#endif
