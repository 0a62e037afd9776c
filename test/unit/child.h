/*
 * Checks in a process of their own, for what cannot be taken back: a filter of system calls, a
 * handler, a limit. A check answers whether all was as it should be; cmocka's asserts stay with the
 * parent.
 */
#ifndef TEST_CHILD_H
#define TEST_CHILD_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "check.h"

/* ctx is handed on to the check. */
static inline void in_child(bool (*check)(void *ctx), void *ctx)
{
    int status = 0;
    pid_t child;

    (void)fflush(NULL);
    child = fork();
    if (child == 0)
        exit(check(ctx) ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* From now on this process gets this errno from one system call, as a container's filter does. */
static inline bool deny(long call, int sys)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)sys),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* Without a free descriptor nothing can be opened: no library, no /proc. Gives what to put back. */
static inline struct rlimit take_descriptors(void)
{
    struct rlimit limit;

    (void)getrlimit(RLIMIT_NOFILE, &limit);
    (void)setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, limit.rlim_max});
    return limit;
}

static inline void give_descriptors(struct rlimit limit)
{
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

#endif
