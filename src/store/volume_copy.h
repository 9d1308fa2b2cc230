/* volume_copy.h - a copy of a volume, brought up to date while the volume is in use.
 *
 * A volume only grows, so that what is new lies behind what was there the last time; what
 * changes in front of that is little: deletions, and pictures that were put back where
 * they had been.  Both show in the headers, which are all read and compared.
 *
 * The copy is a volume like any other: fsck reads it, and a server that is given its
 * folder as a store path serves it.  Beside it lies LL.vol.copied, one line that says how
 * far it is complete:
 *
 *     copied SPOT SIZE SECONDS NANOSECONDS
 *
 * SPOT is the first block that is not surely final in the copy: the start of the batch
 * that was the last one, which may have been on its way to the disk.  The others are of
 * the volume at that time; while size and time of change are the same nothing is read.
 * Without this file, or with one that makes no sense, everything is copied. */
#pragma once

#include "store/volume.h"

struct volume_copied {
	uint64_t volumes, skipped; /* looked at; of those, not changed since */
	uint64_t bytes;            /* written */
	uint64_t deleted;          /* tombstones carried over */
	uint64_t damaged;          /* records of the volumes that do not match: not taken over
				      where the copy had them, told where they are new */
};

/* Bring the copy in the folder `to` of volume `number` of `from` up to date; the folder
 * must be there.  On return the copy is on the disk.  `damage` is called for what does
 * not match; it is no failure.  Adds to `*sums`.  Returns 0, or -1 with err: then the
 * copy is as good as it was, and the next call goes on. */
int volume_copy(const struct volume_store *from, const char *to, uint16_t number,
	void (*damage)(void *context, const char *file, const struct err *why), void *context,
	struct volume_copied *sums, struct err *err);
