#include "store/quota.h"

#include <sys/quota.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443 /* Linux 5.14; the same number everywhere but on alpha */
#endif

static uint64_t left_of(int fd, int type, unsigned id)
{
    /* As QCMD() has it, which shifts a signed number too far. */
    unsigned command = (unsigned)Q_GETQUOTA << SUBCMDSHIFT | ((unsigned)type & SUBCMDMASK);
    struct dqblk quota = {0};
    uint64_t limit;

    if (syscall(SYS_quotactl_fd, (unsigned)fd, command, id, &quota) < 0)
        return UINT64_MAX;
    if (__builtin_mul_overflow(quota.dqb_bhardlimit, (uint64_t)1024, &limit) || limit == 0)
        return UINT64_MAX;
    return limit > quota.dqb_curspace ? limit - quota.dqb_curspace : 0;
}

uint64_t quota_left(int fd)
{
    uint64_t user = UINT64_MAX;
    uint64_t group;

    if (geteuid() == 0)
        return UINT64_MAX; /* passes over quotas */
    user = left_of(fd, USRQUOTA, geteuid());
    group = left_of(fd, GRPQUOTA, getegid());
    return user < group ? user : group;
}
