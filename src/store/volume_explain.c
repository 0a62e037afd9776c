/* Why a volume refuses, and what its owner has to do. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/volume.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "text/num.h"
#include "text/str.h"

#define NAME_BYTES   ((size_t)64)
#define ACCOUNTS_MAX ((size_t)1 << 20)

/*
 * The name that id has in /etc/passwd or /etc/group (field 0 and 2 of both), else its number. Not
 * getpwuid(3): it loads name service libraries and may ask the network, for one word of a message.
 */
static void account_name(char out[static NAME_BYTES], const char *accounts, unsigned id)
{
    ARENA_SCOPED a = {0};
    FD_SCOPED etc = open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct err ignored;
    struct str text;
    struct str line;

    (void)snprintf(out, NAME_BYTES, "%u", id);
    if (file_read_all(&text, &a, etc, accounts, ACCOUNTS_MAX, &ignored) < 0)
        return;
    while (text.len > 0) {
        struct str name;
        struct str field;
        uint64_t value;

        (void)str_cut(&text, '\n', &line);
        if (str_cut(&line, ':', &name) && name.len > 0 && name.len < NAME_BYTES &&
            str_cut(&line, ':', &field) && str_cut(&line, ':', &field) &&
            num_parse_u64(&value, field, UINT32_MAX, &ignored) == 0 && value == id) {
            memcpy(out, name.ptr, name.len);
            out[name.len] = '\0';
            return;
        }
    }
}

/* The nearest directory upwards that is there, or that does not let us look further. */
static bool find_nearest(char dir[static PATH_MAX], const char *path)
{
    size_t len = strlen(path);

    if (len >= PATH_MAX)
        return false;
    memcpy(dir, path, len + 1);
    while (access(dir, F_OK) < 0) {
        if (strcmp(dir, ".") == 0 || strcmp(dir, "/") == 0)
            return false;
        file_to_parent(dir);
    }
    return true;
}

static bool is_open_to_us(const char *dir)
{
    return faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) == 0;
}

/* The directory that refused us: the nearest one, else one within it. */
static bool find_refusing(char dir[static PATH_MAX], const char *path)
{
    DIR *entries;
    struct dirent *entry;
    bool found = false;

    if (!find_nearest(dir, path))
        return false;
    entries = is_open_to_us(dir) ? opendir(dir) : NULL;
    while (entries != NULL && !found && (entry = readdir(entries)) != NULL) {
        size_t len = strlen(dir);

        if (entry->d_type != DT_DIR || strcmp(entry->d_name, "..") == 0 ||
            len + strlen(entry->d_name) + 2 > PATH_MAX)
            continue;
        dir[len] = '/';
        memcpy(dir + len + 1, entry->d_name, strlen(entry->d_name) + 1);
        found = !is_open_to_us(dir);
        if (!found)
            dir[len] = '\0';
    }
    if (entries != NULL)
        (void)closedir(entries);
    return true;
}

int volume_explain(struct err *err, const char *path, const char *volume_path)
{
    char dir[PATH_MAX];
    char owner[NAME_BYTES];
    char group[NAME_BYTES];
    struct stat st;
    size_t len = strlen(err->msg);
    bool same;

    if ((err->sys != EACCES && err->sys != EPERM) || !find_refusing(dir, path) ||
        stat(dir, &st) < 0)
        return -1;
    same = strcmp(dir, path) == 0;
    account_name(owner, "passwd", st.st_uid);
    account_name(group, "group", st.st_gid);
    (void)snprintf(err->msg + len, sizeof(err->msg) - len,
                   " (uid %u; %s%sowned by %s:%s, mode %04o)", (unsigned)geteuid(), same ? "" : dir,
                   same ? "" : " is ", owner, group, (unsigned)st.st_mode & 07777);
    /* Outside of the volume other directories are none of ours: nobody shall give those away. */
    if (same || strncmp(dir, volume_path, strlen(volume_path)) == 0)
        return err_hint(err, "sudo chown -R %u:%u %s, or run as uid %u", (unsigned)geteuid(),
                        (unsigned)getegid(), dir, (unsigned)st.st_uid);
    return err_hint(err, "sudo install -d -o %u -g %u %s, or run as uid %u", (unsigned)geteuid(),
                    (unsigned)getegid(), path, (unsigned)st.st_uid);
}
