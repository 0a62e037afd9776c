/*
 * The bytes of one model: what is missing goes through the engine into staging, and from there, in
 * groups, to the blobs of its layout. What is there without a record is hashed by the same engine.
 */
#ifndef PULL_FETCH_H
#define PULL_FETCH_H

#include "pull/job.h"

enum fetch_state {
    FETCH_THERE,   /* the blob is there and its record holds */
    FETCH_HASH,    /* there without a record: hash it once */
    FETCH_ABSENT,  /* to be downloaded */
    FETCH_RUNNING, /* given to the engine */
    FETCH_READY,   /* verified, not yet published */
    FETCH_OVER,    /* published, taken, or given up */
};

struct fetch_item {
    const struct model_file *file; /* the first of the files with this digest */
    enum fetch_state state;
    bool hashing; /* the engine reads an existing blob */
    bool replace; /* what stands at the blob's name is wrong */
    struct blob_found found;
    struct staging staging;
    struct transfer_target target;
};

/* What a listing means for this store: each distinct blob once, largest first. */
struct fetch_survey {
    struct fetch_item *items;
    size_t count;
    uint64_t absent_bytes;  /* to be downloaded at most */
    uint64_t staged_bytes;  /* of these, what journals claim */
    uint64_t present_bytes; /* there, verified or to be hashed */
    size_t absent_count;
};

/* Looks at every wanted file of job->manifest. Opens unverified blobs only with open_unverified. */
int fetch_survey(struct fetch_survey *out, struct job *job, struct err *err) MUST_CHECK;
void fetch_survey_close(struct fetch_survey *survey);

/* Compares what has to come with what the filesystem has: ERR_NO_SPACE with both figures. */
int fetch_check_space(struct job *job, const struct fetch_survey *survey,
                      struct err *err) MUST_CHECK;

/*
 * Runs it all. *ret_lost: the lease was lost on the way and nothing more was published. On failure
 * what has arrived stays in staging.
 */
int fetch_run(struct job *job, struct fetch_survey *survey, bool *ret_lost,
              struct err *err) MUST_CHECK;

#endif
