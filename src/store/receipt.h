/*
 * Receipts: what was verified, so that the next start needs only stat().
 *
 * Two kinds of small text files beneath `<volume>/.hostler/receipts/<store>/`: one for each model
 * and revision that somebody asked for (the commit, the whole listing of that commit, which is all
 * that is needed to judge another selection offline, and the publisher's own text of it where a
 * store keeps that), and one for each folder of blobs (digest,
 * size, mtime in ns, inode of each blob that was hashed and found right). Lines of text, own
 * format, read without any library. They rest on size, mtime and inode, never on the device number.
 * An unknown format or a torn file counts as absent. Files are replaced by rename; writers of the
 * same file have a lease of its model, and where models share records they merge. A volume that
 * cannot be written keeps no receipts.
 */
#ifndef STORE_RECEIPT_H
#define STORE_RECEIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "digest/digest.h"
#include "err/err.h"
#include "mem/arena.h"
#include "model/manifest.h"
#include "store/formats.h"
#include "store/volume.h"

#define RECEIPT_BYTES_MAX ((size_t)64 << 20)

/* ---- blobs: one record file for each folder of blobs ---- */

struct blob_record {
    struct digest digest;
    uint64_t size;
    int64_t mtime_ns;
    uint64_t inode;
};

struct blob_records; /* sorted by digest */

/* Reads the records of folder ("hf/models--org--name", a relative path); none is not an error. */
int blob_records_read(struct blob_records **out, struct arena *a, const struct volume *v,
                      const char *folder, struct err *err) MUST_CHECK;

/* True if d was verified and st is still that very file. */
bool blob_records_hold(const struct blob_records *r, const struct digest *d, const struct stat *st);

void blob_records_set(struct blob_records *r, const struct digest *d, const struct stat *st);
void blob_records_drop(struct blob_records *r, const struct digest *d);

/*
 * Records are kept by digest, one each. Of copies of the same bytes each is recorded under the
 * digest with its path folded in.
 */
struct digest blob_records_copy_key(const struct digest *d, const char *path);

/*
 * Takes over what others have written since the file was last read; our own changes that are not
 * on disk yet stay. Costs a stat() where nobody has.
 */
void blob_records_refresh(struct blob_records *r, const struct volume *v, const char *folder);

/*
 * Writes if something changed: our changes over what is there by then. Writers that share a folder
 * are kept apart by flock where it works; where it does not, one of two at the same moment may lose
 * a record, which costs a hashing.
 */
int blob_records_write(struct blob_records *r, const struct volume *v, const char *folder,
                       struct err *err) MUST_CHECK;

/*
 * Removes what kills left half written in a folder that holds nothing but records, shared by
 * several leases. Where flock may not keep all its writers apart it stays.
 */
void blob_records_sweep(const struct volume *v, const char *folder);

/* ---- models: what a reference meant when it was last asked ---- */

/* The listing that a receipt keeps; ERR_NOT_FOUND if there is none. */
int receipt_read(struct manifest *out, struct arena *a, const struct volume *v, const char *folder,
                 const char *revision, struct err *err) MUST_CHECK;

int receipt_write(const struct manifest *m, const struct volume *v, const char *folder,
                  const char *revision, struct err *err) MUST_CHECK;

/* Removes what kills left of receipts and records half written; for the holder of the lease. */
void receipt_sweep(const struct volume *v, const char *folder);

/* Parses the text of a receipt; the fuzz target. False: counts as absent. */
bool receipt_parse(struct manifest *out, struct arena *a, struct str text);

#endif
