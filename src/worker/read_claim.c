#include "worker/read_claim.h"

#include <errno.h>
#include <fcntl.h>

#include "sys/file.h"

/* Spreads the bits (the finaliser of SplitMix64), so that neighbours do not share a place. */
static off_t place(uint64_t device, uint64_t inode)
{
    uint64_t x = inode + device * UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (off_t)((x ^ (x >> 31)) >> 2);
}

static int lock(int fd, short type, uint64_t device, uint64_t inode)
{
    struct flock range = {
        .l_type = type,
        .l_whence = SEEK_SET,
        .l_start = place(device, inode),
        .l_len = 1,
    };

    return fcntl(fd, F_OFD_SETLK, &range);
}

int read_claim_open(int dirfd, struct err *err)
{
    return file_open(dirfd, READ_CLAIM_FILE, O_RDWR | O_CREAT, 0644, err);
}

bool read_claim_take(int fd, uint64_t device, uint64_t inode)
{
    return lock(fd, F_WRLCK, device, inode) == 0 || (errno != EAGAIN && errno != EACCES);
}

void read_claim_drop(int fd, uint64_t device, uint64_t inode)
{
    (void)lock(fd, F_UNLCK, device, inode);
}
