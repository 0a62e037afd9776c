/*
 * Disk quotas of this process's user and group: what statfs(2) does not show. (Quotas of projects
 * and directories, it does.) Asked by quotactl_fd(2); where the kernel or the filesystem has none,
 * there is no limit, and a quota that only the file server knows shows as EDQUOT when space is
 * taken.
 */
#ifndef STORE_QUOTA_H
#define STORE_QUOTA_H

#include <stdint.h>

/* Bytes that we may still write in the filesystem of fd; UINT64_MAX: no quota. */
uint64_t quota_left(int fd);

#endif
