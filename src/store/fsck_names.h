/* fsck_names.h - the names.db of a store path, checked. */
#pragma once

#include "store/fsck.h"
#include "store/volume.h"

/* Read every file in it, and look for metadata of pictures that have been deleted: no
 * problem, as nobody gets it, but a repair takes it away. */
void fsck_names(
	const struct fsck *fsck, const struct volume_store *store, struct fsck_totals *totals);
