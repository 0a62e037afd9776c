#include "worker/family.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "err/err.h"
#include "sys/fd.h"
#include "text/num.h"
#include "text/str.h"
#include "text/vec.h"

#define STAT_MAX      ((size_t)1024)
#define PROCESSES_MAX ((size_t)1000000)

struct process {
    pid_t pid;
    pid_t parent;
    bool ours;
    bool spared;
};

struct processes {
    VEC(struct process) all;
};

/* "pid (name, which may hold anything) state ppid ...": what follows the last `)` counts. */
static bool read_process(struct process *out, int proc, const char *name)
{
    char path[64];
    char text[STAT_MAX];
    struct err ignored;
    struct str rest = {text, 0};
    struct str word;
    uint64_t pid;
    uint64_t parent;
    ssize_t got;

    (void)snprintf(path, sizeof(path), "%.20s/stat", name);
    FD_SCOPED fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || num_parse_u64(&pid, str_from(name), INT32_MAX, &ignored) < 0)
        return false;
    got = read(fd, text, sizeof(text));
    if (got <= 0)
        return false;
    rest.len = (size_t)got;
    if (!str_rcut(&rest, ')', &word) || word.len < 4 || word.ptr[1] == 'Z' || word.ptr[1] == 'X')
        return false;
    rest = (struct str){word.ptr + 3, word.len - 3};
    (void)str_cut(&rest, ' ', &word);
    if (num_parse_u64(&parent, word, INT32_MAX, &ignored) < 0)
        return false;
    *out = (struct process){.pid = (pid_t)pid, .parent = (pid_t)parent};
    return true;
}

static void read_all(struct processes *p, struct arena *a)
{
    DIR *folder = opendir("/proc");
    const struct dirent *entry;
    struct process one;

    if (folder == NULL)
        return;
    while ((entry = readdir(folder)) != NULL && p->all.len < PROCESSES_MAX) {
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
            read_process(&one, dirfd(folder), entry->d_name))
            vec_push(a, &p->all, one);
    }
    (void)closedir(folder);
}

static bool is_spared(pid_t pid, const pid_t *spared)
{
    for (; *spared != 0; spared++) {
        if (*spared == pid)
            return true;
    }
    return false;
}

/* One step down the tree; true if it found somebody. A parent is not always listed before. */
static bool go_down(struct processes *p, pid_t self, const pid_t *spared)
{
    bool found = false;

    for (size_t i = 0; i < p->all.len; i++) {
        struct process *one = &p->all.at[i];
        bool ours = one->parent == self;
        bool kept = is_spared(one->pid, spared);

        for (size_t k = 0; k < p->all.len && !ours; k++) {
            if (p->all.at[k].ours && p->all.at[k].pid == one->parent) {
                ours = true;
                kept = kept || p->all.at[k].spared;
            }
        }
        if (ours && !one->ours) {
            one->ours = true;
            one->spared = kept;
            found = true;
        }
    }
    return found;
}

struct family family_of_ours(struct arena *a, const pid_t *spared)
{
    struct processes p = {0};
    VEC(pid_t) found = {0};

    read_all(&p, a);
    while (go_down(&p, getpid(), spared))
        continue;
    for (size_t i = 0; i < p.all.len; i++) {
        if (p.all.at[i].ours && !p.all.at[i].spared)
            vec_push(a, &found, p.all.at[i].pid);
    }
    return (struct family){found.at, found.len};
}
