/* fsck_names.h - the names.db of a store path, checked. */
#pragma once

#include "store/fsck.h"
#include "store/names.h"
#include "store/volume.h"

/* Read every file in it, and look for metadata of pictures that have been deleted: no
 * problem, as nobody gets it, but a repair takes it away. */
void fsck_names(
	const struct fsck *fsck, const struct volume_store *store, struct fsck_totals *totals);

/* The same of any names; `gone` says whether a picture is, `file` is their name in problems. */
void fsck_names_check(const struct fsck *fsck, struct names *names, const char *file,
	bool (*gone)(void *context, const struct file_id *id), void *context,
	struct fsck_totals *totals);
