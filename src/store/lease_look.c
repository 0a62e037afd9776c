#include <string.h>

#include "store/lease.h"
#include "store/lease_file.h"
#include "store/volume.h"
#include "sys/flock.h"

/* Of a lease that is being rewritten. */
#define LOOKS 8

/*
 * That flock works here is not proved, which would need a file: nothing but a word on a screen
 * rests on this. The shared flock lasts a moment, in which a contender finds the lease held.
 */
static bool is_gone(const struct lease_file *f, int dirfd)
{
    char boot_id[LEASE_BOOT_ID];

    lease_boot_id(boot_id);
    return strcmp(boot_id, "-") != 0 && strcmp(f->state.boot_id, boot_id) == 0 &&
           volume_is_local(dirfd) && flock(f->fd, LOCK_SH | LOCK_NB) == 0;
}

bool lease_look(struct lease_state *out, bool *ret_gone, int dirfd, const char *name)
{
    for (int i = 0; i < LOOKS; i++) {
        LEASE_FILE_SCOPED f = {.fd = -1};
        struct err ignored;

        if (lease_file_read(&f, dirfd, name, &ignored) < 0 || f.fd < 0)
            return false;
        if (!f.whole)
            continue;
        *ret_gone = f.state.format == LEASE_FORMAT && is_gone(&f, dirfd);
        *out = f.state;
        return true;
    }
    return false;
}
