/* up_store_paths.h - the folders of the volumes, and whether they are the right ones.
 *
 * A store path whose disk is not mounted looks like a new, empty one; pictures would go
 * where nobody looks for them later, and those of the disk would be gone.  So each path
 * gets a mark when it is first used, and the home remembers the marks:
 *
 *     STORE_PATH/.picstore      one line: 16 hex digits that nothing else has
 *     HOME/etc/store_paths      one line each: the mark, a space, the path; one in the
 *                               home is relative to it, so that a home can be moved */
#pragma once

#include "programs/picstore/up_place.h"
#include "service/settings.h"

/* Make the store paths that lie in the home; mark and remember those seen for the first
 * time.  ERR_CONFIG for one elsewhere that is missing, and for one that was marked before
 * and now has another mark or none. */
int up_store_paths_open(
	const struct up_place *place, const struct settings *settings, struct err *err);
