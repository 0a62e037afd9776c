/*
 * A mount where locks do nothing (NFS with nolock, some FUSE): flock and fcntl locks succeed at
 * once and exclude nobody. With NOLOCK_ERRNO in the environment there are none: they fail with that
 * number (ENOSYS, EOPNOTSUPP). To be preloaded.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What a lock call on a good descriptor gives. */
static int answer(void)
{
    const char *text = getenv("NOLOCK_ERRNO");
    int number = 0;

    for (; text != NULL && *text >= '0' && *text <= '9'; text++)
        number = number * 10 + (*text - '0');
    if (number == 0)
        return 0;
    errno = number;
    return -1;
}

int flock(int fd, int operation)
{
    (void)operation;
    return fcntl(fd, F_GETFD) < 0 ? -1 : answer();
}

int fcntl(int fd, int cmd, ...)
{
    long arg;
    va_list ap;

    va_start(ap, cmd);
    arg = va_arg(ap, long);
    va_end(ap);
    switch (cmd) {
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_SETLK:
    case F_OFD_SETLKW: return answer();
    case F_GETLK:
    case F_OFD_GETLK: ((struct flock *)arg)->l_type = F_UNLCK; return answer();
    default: return (int)syscall(SYS_fcntl, fd, cmd, arg);
    }
}
