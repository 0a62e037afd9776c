/*
 * The keeper's side of leases: those that are ours, renewed by one thread.
 *
 * The thread holds the lock only between two files, never while it writes: whoever tells, asks or
 * releases does not wait for a disk that hangs. lease_keeper.c is the thread and what it does when,
 * lease_held.c one lease and what is done to it.
 */
#ifndef STORE_LEASE_KEEPER_H
#define STORE_LEASE_KEEPER_H

#include <pthread.h>
#include <stdatomic.h>

#include "mem/arena.h"
#include "store/lease.h"

struct lease {
    struct lease_keeper *keeper;
    struct lease *next;
    int fd;    /* of the lease file; holds flock where that works */
    int dirfd; /* our own */
    bool local;
    char name[LEASE_NAME_MAX + 1];
    /* Under the keeper's lock. */
    struct lease_state state;
    enum lease_phase phase;
    bool told;         /* progress that is not written yet */
    bool busy;         /* the thread is at its file */
    bool unwanted;     /* the thread shall give it up */
    bool orphan;       /* nobody waits for that: the thread forgets it too */
    uint64_t tried_ms; /* last attempt to renew */
    /* Any thread. */
    atomic_bool lost;
    _Atomic uint64_t renewed_ms; /* when the last renewal that succeeded was begun */
};

struct lease_keeper {
    struct arena arena; /* of this struct and of all leases; under the lock */
    pthread_mutex_t lock;
    pthread_cond_t wake; /* the thread: something to do */
    pthread_cond_t idle; /* others: a file was left, or the thread has ended */
    pthread_t thread;
    bool threaded;
    bool stop;
    bool ended;
    bool forsaken; /* nobody waits for the thread: it frees all when it ends */
    const struct clock *clock;
    uint64_t takeover_ms;
    bool (*is_local)(int dirfd);
    bool (*flock_works)(int dirfd);
    char host[65];
    char boot_id[40];
    struct lease *held;
    struct lease *spare; /* to be used again */
};

/* A lease of ours that was just made; takes fd. NULL only where no descriptor is left. */
struct lease *lease_keep(struct lease_keeper *k, int fd, int dirfd, const char *name,
                         const struct lease_state *state, struct err *err) MUST_CHECK;

/* What a new lease or claim of this process says. */
struct lease_state lease_keeper_state(struct lease_keeper *k, const char *what);

/* How often leases are renewed. */
uint64_t lease_beat_ms(const struct lease_keeper *k);

/* Moves the phase by the table; anything else is a bug. */
void lease_move(enum lease_phase *phase, enum lease_phase to);

/* Gives it up if that is wanted, else renews it; the lock is let go while its file is written. */
void lease_serve(struct lease_keeper *k, struct lease *lease, uint64_t now_ms);

/* Closes and forgets it; under the lock. */
void lease_drop(struct lease_keeper *k, struct lease *lease);

/* Waits under the lock, an hour at most; may return before. */
void lease_wait_ms(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t ms);

#endif
