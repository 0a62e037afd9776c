/*
 * The files of leases and claims: reading one, and making one that nobody else has. A lease is read
 * by open, read, close and never by stat alone, which file servers' clients answer from memory.
 */
#ifndef STORE_LEASE_FILE_H
#define STORE_LEASE_FILE_H

#include "store/lease.h"

/* What stands under a name. */
struct lease_file {
    int fd;       /* open, for flock; -1: nothing is there */
    uint32_t crc; /* of the bytes */
    bool whole;   /* state was read */
    struct lease_state state;
};

#define LEASE_FILE_SCOPED __attribute__((cleanup(lease_file_close))) struct lease_file

int lease_file_read(struct lease_file *out, int dirfd, const char *name,
                    struct err *err) MUST_CHECK;
void lease_file_close(struct lease_file *f);

/* This kernel's boot id, as leases have it; "-" if it cannot be had. */
#define LEASE_BOOT_ID ((size_t)40)
void lease_boot_id(char out[static LEASE_BOOT_ID]);

/*
 * Makes the file name, which must not be there, with the text of state, and holds flock on it where
 * that works. *ret_fd is open for writing; -1, and success, if somebody was faster. On file servers
 * a request that is sent twice says so too, and an I/O error may have been a success: then what
 * stands there is read, and our own token means that it is ours.
 */
int lease_file_make(int *ret_fd, int dirfd, const char *name, const struct lease_state *state,
                    bool local, struct err *err) MUST_CHECK;

/* Overwrites the text in place; on shared filesystems it is sent to the server at once. */
int lease_file_write(int fd, const struct lease_state *state, bool local);

#endif
