/*
 * Files beneath a directory that others can write.
 *
 * Every function takes the store's directory descriptor and a path relative to it, which is
 * resolved by openat2(RESOLVE_BENEATH), so that no link planted inside leads outside. Where the
 * kernel has no openat2 (before 5.6, or a seccomp filter: ENOSYS, EPERM) the path is walked segment
 * by segment with O_NOFOLLOW. Errors are ERR_VOLUME (ENOSPC and EDQUOT: ERR_NO_SPACE; a path that
 * leads out: ERR_LIMIT and EXDEV), and name the path and the errno's text; a missing file is
 * err->sys == ENOENT.
 */
#ifndef SYS_FILE_H
#define SYS_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "err/err.h"
#include "mem/arena.h"
#include "text/str.h"

/* As openat(2); O_CLOEXEC and O_NOCTTY are added. Returns a descriptor or -1. */
int file_open(int dirfd, const char *path, int flags, mode_t mode, struct err *err) MUST_CHECK;

/* Opens a directory (O_PATH is not used: the descriptor can be fsynced and read). */
int file_open_dir(int dirfd, const char *path, struct err *err) MUST_CHECK;

/*
 * Opens the directory that holds path; *ret_name is the last segment, within path.
 */
int file_open_parent(const char **ret_name, int dirfd, const char *path,
                     struct err *err) MUST_CHECK;

/*
 * Makes path and its missing parents; nothing is synced. New directories take like's group (a
 * directory's stat, usually the volume's root), its setgid bit and, for those whom the umask lets
 * read, its write bits: a shared volume stays shared, a private umask private. They have that from
 * their first moment if the parent is setgid. What the filesystem refuses of that is left. like may
 * be NULL: 0777 & ~umask.
 */
int file_mkdirs(int dirfd, const char *path, const struct stat *like, struct err *err) MUST_CHECK;

/* The whole regular file, NUL-terminated; more than limit bytes is ERR_LIMIT. */
int file_read_all(struct str *out, struct arena *a, int dirfd, const char *path, size_t limit,
                  struct err *err) MUST_CHECK;

/*
 * The same for a path that the operator named, which is followed wherever it leads: his own links
 * are his business.
 */
int file_read_named(struct str *out, struct arena *a, const char *path, size_t limit,
                    struct err *err) MUST_CHECK;

/* Writes all of it, short writes and EINTR seen to. what names it in errors. */
int file_write_all(int fd, struct str data, const char *what, struct err *err) MUST_CHECK;

/*
 * Publishes a small file: written beside its place under a temporary name in tmpdir (a path beneath
 * dirfd on the same filesystem), synced, renamed, the directory synced. Readers see the old or the
 * new, never a part. mode as chmod would set it, the umask is not applied.
 */
int file_replace(int dirfd, const char *path, const char *tmpdir, struct str data, mode_t mode,
                 struct err *err) MUST_CHECK;

/*
 * Removes the temporary files of file_replace() that a kill left in tmpdir. For who alone writes
 * there: another's replacement under way would fail.
 */
void file_sweep(int dirfd, const char *tmpdir);

/* fsync of the directory that holds path; filesystems that refuse it (EINVAL, EROFS) are fine. */
int file_sync_dir(int dirfd, const char *path, struct err *err) MUST_CHECK;

/* Where an open file or directory lies now, as /proc tells it, for messages; false if it does not.
 */
bool file_path_of(char out[static PATH_MAX], int fd);

/* Sets ERR_NO_SPACE for ENOSPC and EDQUOT, else ERR_VOLUME, from errno. Returns -1. */
int file_err(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The process's umask, read from /proc/self/status, or by umask(2) twice at start. */
mode_t file_umask(void);

/* n random lower-case hex digits and a NUL, from getrandom(2). */
void file_random_hex(char *out, size_t n);

/* Cuts the last segment off, in place: "a/b" becomes "a", "a" and "/" nothing more ("." or "/"). */
void file_to_parent(char *path);

#endif
