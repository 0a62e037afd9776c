#include "store/staged.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/volume.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/flock.h"
#include "sys/stop.h"
#include "text/vec.h"

#define PART    ".part"
#define JOURNAL ".journal"
#define CLAIM   ".claim." /* between the name of a lease and its token */

void staged_name(char out[static STAGED_NAME], const struct digest *digest, const char *token,
                 enum staged_kind kind)
{
    char hex[DIGEST_HEX + 1];

    (void)snprintf(out, STAGED_NAME, "%s.%.32s%s", digest_format(digest, hex), token,
                   kind == STAGED_JOURNAL ? JOURNAL : PART);
}

static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (strchr("0123456789abcdef", s.ptr[i]) == NULL || s.ptr[i] == '\0')
            return false;
    }
    return s.len > 0 && s.len <= STAGED_TOKEN_MAX;
}

static bool parse_claim(struct staged *out, const char *after)
{
    struct str rest = str_from(after);
    struct str token;

    (void)str_cut(&rest, '.', &token);
    if (!is_token(token))
        return false;
    memcpy(out->token, token.ptr, token.len);
    out->token[token.len] = '\0';
    out->kind = STAGED_CLAIM;
    return true;
}

static bool parse(struct staged *out, const char *name)
{
    const char *claim = strstr(name, CLAIM);
    struct str rest = str_from(name);
    struct str hex;
    struct str token;
    struct err ignored;

    if (rest.len >= STAGED_NAME)
        return false;
    memcpy(out->name, name, rest.len + 1);
    if (str_starts(rest, STR(VOLUME_PROBE))) {
        out->kind = STAGED_PROBE;
        return true;
    }
    if (claim != NULL)
        return parse_claim(out, claim + strlen(CLAIM));
    if (!str_cut(&rest, '.', &hex) || !str_cut(&rest, '.', &token) || !is_token(token) ||
        digest_parse(&out->digest, hex, &ignored) < 0)
        return false;
    memcpy(out->token, token.ptr, token.len);
    out->token[token.len] = '\0';
    out->kind = str_eqz(rest, "part") ? STAGED_PART : STAGED_JOURNAL;
    return out->kind == STAGED_PART || str_eqz(rest, "journal");
}

struct staged_list staged_read(struct arena *a, int dirfd, const struct digest *digest)
{
    VEC(struct staged) found = {0};
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    char hex[DIGEST_HEX + 1] = "";
    struct dirent *entry;

    if (dir == NULL) {
        fd_close(&fd);
        return (struct staged_list){0};
    }
    if (digest != NULL)
        digest_format(digest, hex);
    while (found.len < STAGED_MAX && (entry = readdir(dir)) != NULL) {
        struct staged staged = {0};

        if (strncmp(entry->d_name, hex, strlen(hex)) == 0 && parse(&staged, entry->d_name))
            vec_push(a, &found, staged);
    }
    (void)closedir(dir);
    return (struct staged_list){found.at, found.len};
}

int staged_open(bool *ret_writable, int dirfd, const char *name)
{
    const int flags = O_NOFOLLOW | O_NONBLOCK;
    struct err ignored;
    FD_SCOPED fd = file_open(dirfd, name, O_RDWR | flags, 0, &ignored);
    bool writable = fd >= 0;
    struct stat st;

    if (fd < 0)
        fd = file_open(dirfd, name, O_RDONLY | flags, 0, &ignored);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return -1;
    *ret_writable = writable;
    return fd_take(&fd);
}

bool staged_lock(int fd)
{
    return flock(fd, LOCK_EX | LOCK_NB) == 0;
}

bool staged_hold(int fd)
{
    for (int i = 0; i < STAGED_HOLD_TRIES; i++) {
        if (staged_lock(fd))
            return true;
        if (errno != EWOULDBLOCK)
            return false;
        (void)stop_wait_ms(1);
    }
    return false;
}
