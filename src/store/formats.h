/*
 * The formats of our own files on a volume (doc/volume.md). An old and a new version may share one,
 * so the tests also build a program of the next formats: with NEXT_FORMATS.
 */
#ifndef STORE_FORMATS_H
#define STORE_FORMATS_H

#ifdef NEXT_FORMATS
#define FORMATS_LATER 1U
#else
#define FORMATS_LATER 0U
#endif

#define LEASE_FORMAT   (1U + FORMATS_LATER)
#define JOURNAL_FORMAT (1U + FORMATS_LATER)
#define RECEIPT_FORMAT (1U + FORMATS_LATER) /* of receipts and of records of blobs */
#define LEARNED_FORMAT (1U + FORMATS_LATER)

#endif
