/*
 * What a listing means for a store: which of its bytes are there, which have to be hashed once,
 * which have to come, and whether they fit.
 */
#ifndef PULL_SURVEY_H
#define PULL_SURVEY_H

#include "pull/job.h"

enum survey_state {
    SURVEY_THERE,   /* the blob is there and its record holds */
    SURVEY_HASH,    /* there without a record: hash it once */
    SURVEY_ABSENT,  /* to be downloaded */
    SURVEY_WAITING, /* another is downloading it, for another model */
    SURVEY_RUNNING, /* given to the engine */
    SURVEY_READY,   /* verified, not yet published */
    SURVEY_OVER,    /* published, taken, or given up */
};

/* pull/claim.h */
struct claim {
    int dirfd;           /* of the blob's own staging directory; -1: none */
    int staging_fd;      /* where its file is staged */
    struct lease *lease; /* of the blob; NULL: the model's is right enough, or it is not ours */
    const char *token;
    struct lease_watch watch;
    uint64_t again_at_ms;
};

struct survey_item {
    const struct model_file *file; /* the first of the files with this digest */
    enum survey_state state;
    bool hashing; /* the engine reads an existing blob */
    bool replace; /* what stands at the blob's name is wrong */
    bool
        distrusted; /* what was found was wrong, or is to be fetched again: do not look once more */
    struct blob_found found;
    struct claim claim;
    struct staging staging;
    struct transfer_target target;
};

/* What a listing means for this store: each distinct blob once, largest first. */
struct survey {
    struct survey_item *items;
    size_t count;
    uint64_t absent_bytes;  /* to be downloaded at most */
    uint64_t staged_bytes;  /* of these, what journals claim */
    uint64_t present_bytes; /* there, verified or to be hashed */
    size_t absent_count;
};

/* Looks at every wanted file of job->manifest. Opens nothing that survey_close() would not close.
 */
int survey_make(struct survey *out, struct job *job, struct err *err) MUST_CHECK;
void survey_close(struct survey *survey, struct job *job);

/* Compares what has to come with what the filesystem has: ERR_NO_SPACE with both figures. */
int survey_check_space(struct job *job, const struct survey *survey, struct err *err) MUST_CHECK;

#endif
