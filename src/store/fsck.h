/* fsck.h - everything that stands in a store, checked.
 *
 * Reads the volumes of all store paths from front to back, beside a running server if
 * nothing is to be repaired.  Repairs take nothing away that anybody can still get:
 * they erase what was deleted, write heads and end marks anew whose content is known from
 * elsewhere, and put what does not match on the quarantine list. */
#pragma once

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fsck_totals {
	uint64_t volumes;
	uint64_t pictures, picture_bytes; /* those that can be got */
	uint64_t cold, cold_bytes;        /* of these, those whose bytes are in a cold store */
	uint64_t deleted;                 /* tombstones */
	uint64_t corrupt;                 /* records whose bytes have changed */
	uint64_t unreadable;              /* volumes that cannot be opened, or read to the end */
	uint64_t torn; /* uploads that were cut off: no problem, nobody has them */
	uint64_t unerased, unerased_bytes; /* deleted or cold, and the bytes were still there */
	uint64_t erased;                   /* of those, by this run */
	uint64_t unknown_bytes;            /* in blocks of no record */
	uint64_t heads, ends;              /* damaged heads and end marks */
	uint64_t repaired;                 /* of those, by this run */
	uint64_t names, name_bytes;        /* files in names.db that can be got */
	uint64_t metadata, stray_metadata; /* names that have some; of those, of deleted pictures */
	uint64_t quarantined;              /* on the lists, see quarantine.h */
	uint64_t bytes, bytes_read;        /* of all volume files; walked so far */
};

struct fsck {
	const char *group;
	char *const *paths;
	size_t path_count;
	bool headers_only; /* quick: contents are not read */
	bool repair;       /* takes the lock of each store path */
	/* A sentence about each problem.  `file` is the volume, or a store path. */
	void (*problem)(void *context, const char *file, const struct err *err);
	/* Called now and then; returns false to stop.  NULL is fine. */
	bool (*progress)(void *context, const struct fsck_totals *totals);
	void *context;
};

/* Check.  Returns 0 when it came to its end, whatever it found, or was stopped; -1 with
 * err if a store path cannot be used or, for repairs, is in use (ERR_BUSY). */
int fsck_run(const struct fsck *fsck, struct fsck_totals *totals, struct err *err);

/* Is everything right, or repaired?  What was cut off or waits to be erased is right. */
bool fsck_clean(const struct fsck_totals *totals);
