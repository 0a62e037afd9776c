/* Which authorities a server's certificate may come from. */
#ifndef CONFIG_CERTIFICATES_H
#define CONFIG_CERTIFICATES_H

#include "config/environment.h"
#include "transfer/net.h"

/*
 * SSL_CERT_FILE, else SSL_CERT_DIR, else REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE (a file or a folder)
 * in place of the system's; HOSTLER_EXTRA_CA beside them, read here: a file that cannot be read or
 * holds no certificate is ERR_USAGE.
 */
int certificates_set(struct net_config *net, struct arena *a, const struct environment *e,
                     struct err *err) MUST_CHECK;

#endif
