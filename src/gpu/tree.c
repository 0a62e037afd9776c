#include "gpu/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/fd.h"
#include "text/num.h"
#include "text/vec.h"

static const char *whole(struct arena *a, const char *root, const char *path)
{
    return str_format(a, "%s/%s", root, path);
}

bool tree_text(struct str *out, struct arena *a, const char *root, const char *path)
{
    FD_SCOPED fd = open(whole(a, root, path), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    char *text;
    size_t len = 0;
    ssize_t got = 1;

    if (fd < 0)
        return false;
    text = arena_array(a, char, TREE_TEXT + 1);
    while (got > 0 && len < TREE_TEXT) {
        got = read(fd, text + len, TREE_TEXT - len);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got > 0)
            len += (size_t)got;
    }
    if (got < 0)
        return false;
    *out = str_trim((struct str){text, len});
    return true;
}

static int digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(digits, c);

    return at == NULL ? -1 : (int)(at - digits);
}

static bool parse_hex(uint64_t *out, struct str text)
{
    uint64_t n = 0;

    if (text.len == 0 || text.len > 16)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        int value = digit(text.ptr[i]);

        if (value < 0)
            return false;
        n = n << 4 | (uint64_t)value;
    }
    *out = n;
    return true;
}

bool tree_u64(uint64_t *out, struct arena *a, const char *root, const char *path)
{
    struct str text;
    struct err unused;

    if (!tree_text(&text, a, root, path))
        return false;
    if (str_starts(text, STR("0x")))
        return parse_hex(out, (struct str){text.ptr + 2, text.len - 2});
    return num_parse_u64(out, text, UINT64_MAX, &unused) == 0;
}

static int by_number(const void *left, const void *right)
{
    const char *const *l = left;
    const char *const *r = right;

    return strverscmp(*l, *r);
}

struct tree_names tree_list(struct arena *a, const char *root, const char *path, const char *head)
{
    VEC(const char *) names = {0};
    DIR *dir = opendir(whole(a, root, path));
    const struct dirent *entry;

    if (dir == NULL)
        return (struct tree_names){0};
    while (names.len < TREE_NAMES && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.' && strncmp(entry->d_name, head, strlen(head)) == 0)
            vec_push(a, &names, str_dup(a, str_from(entry->d_name)));
    }
    (void)closedir(dir);
    if (names.len > 0)
        qsort(names.at, names.len, sizeof(names.at[0]), by_number);
    return (struct tree_names){.at = names.at, .len = names.len};
}

const char *tree_link_name(struct arena *a, const char *root, const char *path)
{
    char target[PATH_MAX];
    ssize_t len = readlink(whole(a, root, path), target, sizeof(target));
    struct str text = {target, len < 0 ? 0 : (size_t)len};
    struct str last = text;

    if (len <= 0)
        return NULL;
    (void)str_rcut(&text, '/', &last);
    return str_dup(a, last);
}

bool tree_field(struct str *out, struct str text, const char *name)
{
    struct str line;

    while (text.len > 0) {
        (void)str_cut(&text, '\n', &line);
        if (!str_starts(line, str_from(name)))
            continue;
        line.ptr += strlen(name);
        line.len -= strlen(name);
        if (line.len == 0 || strchr(": \t", line.ptr[0]) == NULL)
            continue;
        while (line.len > 0 && strchr(": \t", line.ptr[0]) != NULL) {
            line.ptr++;
            line.len--;
        }
        *out = str_trim(line);
        return true;
    }
    return false;
}

void tree_copy(char *out, size_t size, struct str text)
{
    size_t len = text.len < size ? text.len : size - 1;

    memcpy(out, text.ptr, len);
    out[len] = '\0';
}

bool tree_has(struct arena *a, const char *root, const char *path)
{
    return access(whole(a, root, path), F_OK) == 0;
}

const char *tree_refused(struct arena *a, const char *root, const char *path)
{
    const char *name = whole(a, root, path);
    struct stat st;

    if (access(name, R_OK | W_OK) == 0)
        return NULL;
    if (errno == ENOENT || stat(name, &st) < 0)
        return str_format(a, "%s is not there", name);
    return str_format(a, "%s may not be opened: owner %u, group %u, mode %04o", name, st.st_uid,
                      st.st_gid, st.st_mode & 07777U);
}
