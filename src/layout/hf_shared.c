#include "layout/hf_shared.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "sys/fd.h"
#include "sys/file.h"

#define MARKER      ".huggingface-shared-blobs"
#define MARKER_TEXT "1\n"
#define LINK_HEAD   "../../blobs/"

static bool is_xet_hash(const char *s)
{
    return strspn(s, "0123456789abcdef") == HF_XET_HEX && s[HF_XET_HEX] == '\0';
}

static bool has_marker(int fd)
{
    FD_SCOPED marker = openat(fd, MARKER, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    char text[sizeof(MARKER_TEXT)];
    struct stat st;

    return marker >= 0 && fstat(marker, &st) == 0 && S_ISREG(st.st_mode) &&
           read(marker, text, sizeof(text)) == (ssize_t)strlen(MARKER_TEXT) &&
           memcmp(text, MARKER_TEXT, strlen(MARKER_TEXT)) == 0;
}

bool hf_shared_there(const struct layout_place *p)
{
    struct hf_place *s = hf_state(p);

    if (!s->shared_looked && p->store.fd >= 0) {
        FD_SCOPED fd =
            openat(p->store.fd, "blobs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd >= 0 && has_marker(fd))
            s->shared_fd = fd_take(&fd);
        s->shared_looked = true;
    }
    return s->shared_fd >= 0;
}

bool hf_shared_link(const char **ret_xet, const char *text)
{
    const char *prefix = text + strlen(LINK_HEAD);

    if (strncmp(text, LINK_HEAD, strlen(LINK_HEAD)) != 0 || strlen(prefix) != 3 + HF_XET_HEX)
        return false;
    if (prefix[2] != '/' || !is_xet_hash(prefix + 3) || memcmp(prefix, prefix + 3, 2) != 0)
        return false;
    *ret_xet = prefix + 3;
    return true;
}

int hf_shared_open(const struct layout_place *p, const char *xet)
{
    char path[3 + HF_XET_HEX + 1] = {xet[0], xet[1], '/'};
    struct err ignored = {0};
    FD_SCOPED fd = -1;
    struct stat st;

    if (!is_xet_hash(xet) || !hf_shared_there(p))
        return -1;
    memcpy(path + 3, xet, HF_XET_HEX + 1);
    fd = file_open(hf_state(p)->shared_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &ignored);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return -1;
    return fd_take(&fd);
}
