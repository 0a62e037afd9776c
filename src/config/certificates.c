#include "config/certificates.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "sys/fd.h"
#include "text/buf.h"

#define SYSTEM_BUNDLE "/etc/ssl/certs/ca-certificates.crt"
#define BUNDLE_MAX    ((size_t)4 << 20)

static void set_bundle(struct net_config *net, const char *bundle)
{
    struct stat st;

    if (bundle != NULL && stat(bundle, &st) == 0 && S_ISDIR(st.st_mode))
        net->ca_dir = bundle;
    else
        net->ca_file = bundle;
}

static int add_file(struct buf *out, const char *path, const char *name, struct err *err)
{
    FD_SCOPED fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    char part[16384];
    ssize_t got = -1;

    while (fd >= 0 && (got = read(fd, part, sizeof(part))) > 0)
        buf_add(out, (struct str){part, (size_t)got});
    if (got < 0)
        return err_sys(err, ERR_USAGE, "%s: %s", name, path);
    buf_addc(out, '\n');
    if (out->cut)
        return err_set(err, ERR_USAGE, "%s: %s is larger than %zu bytes", name, path, BUNDLE_MAX);
    return 0;
}

/* The bundle that counts so far and the extra one in one text: libcurl takes one of them. */
static int add_extra(struct net_config *net, struct arena *a, const char *extra, struct err *err)
{
    struct buf text = buf_new(a, BUNDLE_MAX);
    const char *base = net->ca_file;

    if (add_file(&text, extra, "HOSTLER_EXTRA_CA", err) < 0)
        return -1;
    if (strstr(text.ptr, "-----BEGIN ") == NULL)
        return err_set(err, ERR_USAGE, "HOSTLER_EXTRA_CA: %s holds no certificate in PEM", extra);
    if (base == NULL && net->ca_dir == NULL && access(SYSTEM_BUNDLE, R_OK) == 0)
        base = SYSTEM_BUNDLE;
    if (base != NULL && add_file(&text, base, "the certificates", err) < 0)
        return -1;
    net->ca_text = buf_str(&text);
    return 0;
}

int certificates_set(struct net_config *net, struct arena *a, const struct environment *e,
                     struct err *err)
{
    const char *bundle = e->at[VAR_REQUESTS_CA_BUNDLE];

    if (bundle == NULL)
        bundle = e->at[VAR_CURL_CA_BUNDLE];
    if (e->at[VAR_SSL_CERT_FILE] != NULL)
        net->ca_file = e->at[VAR_SSL_CERT_FILE];
    else if (e->at[VAR_SSL_CERT_DIR] != NULL)
        net->ca_dir = e->at[VAR_SSL_CERT_DIR];
    else
        set_bundle(net, bundle);
    if (e->at[VAR_HOSTLER_EXTRA_CA] == NULL)
        return 0;
    return add_extra(net, a, e->at[VAR_HOSTLER_EXTRA_CA], err);
}
