/* What libcurl's code for a failed exchange means, in words and for the policy of retries. */
#include <errno.h>

#include "transfer/request.h"

static enum retry_what connect_failure(const struct request *r, const char **ret_words,
                                       struct arena *a)
{
    long sys = 0;
    char reason[128];

    (void)r->curl->easy_getinfo(r->easy, CURLINFO_OS_ERRNO, &sys);
    if (sys != 0)
        *ret_words =
            str_format(a, "cannot connect: %s", strerror_r((int)sys, reason, sizeof(reason)));
    else
        *ret_words = "cannot connect";
    return RETRY_CONNECT;
}

/* A proxy that answered CONNECT with something else than 200. */
static enum retry_what proxy_failure(const struct request *r, long status, const char **ret_words,
                                     struct arena *a)
{
    const char *variable = request_proxy_variable(&r->answer.url);

    if (variable == NULL)
        variable = "environment";
    if (status == 407) {
        *ret_words = str_format(a, "the proxy that %s names wants credentials (407)", variable);
        return RETRY_PROXY_AUTH;
    }
    *ret_words = str_format(a, "the proxy that %s names answers %ld", variable, status);
    return RETRY_CONNECT;
}

static enum retry_what timed_out(const struct request *r, const char **ret_words)
{
    if (r->sent_ms != 0) {
        *ret_words = "no answer in time";
        return RETRY_FIRST_BYTE;
    }
    *ret_words = "no connection in time";
    return RETRY_CONNECT;
}

enum retry_what request_failure(const struct request *r, CURLcode code, const char **ret_words,
                                struct arena *a)
{
    long proxied = 0;

    (void)r->curl->easy_getinfo(r->easy, CURLINFO_HTTP_CONNECTCODE, &proxied);
    if (proxied >= 300)
        return proxy_failure(r, proxied, ret_words, a);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wswitch-enum" /* the library has a hundred codes */
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST: *ret_words = "the name does not resolve"; return RETRY_DNS;
    case CURLE_COULDNT_RESOLVE_PROXY:
        *ret_words = "the proxy's name does not resolve";
        return RETRY_DNS;
    case CURLE_COULDNT_CONNECT: return connect_failure(r, ret_words, a);
    case CURLE_OPERATION_TIMEDOUT: return timed_out(r, ret_words);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        *ret_words = str_format(a, "its certificate does not verify: %s", r->curl_text);
        return RETRY_CERTIFICATE;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
        *ret_words = str_format(a, "TLS fails: %s", r->curl_text);
        return RETRY_TLS;
    case CURLE_PARTIAL_FILE:
        *ret_words = "the connection was closed before the end";
        return RETRY_CUT;
    case CURLE_GOT_NOTHING:
        *ret_words = "the connection was closed without an answer";
        return RETRY_CUT;
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR: *ret_words = "the connection was reset"; return RETRY_CUT;
    default:
        *ret_words = str_format(
            a, "%s", r->curl_text[0] != '\0' ? r->curl_text : r->curl->easy_strerror(code));
        return RETRY_CUT;
    }
#pragma GCC diagnostic pop
}
