/* fsck_shared.h - everything that a group on a shared engine has, checked.
 *
 * Every object is read and held against its id, beside running servers.  What is wrong
 * with one is the service's to repair; a repair here takes away metadata of what is gone. */
#pragma once

#include "store/engine.h"
#include "store/fsck.h"
#include "store/names.h"

/* `names`: where the group keeps names, or NULL; with fsck->repair it may be written to.  Of
 * `fsck` the paths are passed over; `file` of a problem is `what`, a word for the store.  As
 * fsck_run, but ERR_BUSY is the service's. */
int fsck_shared(const struct fsck *fsck, struct engine *engine, struct names *names,
	const char *what, struct fsck_totals *totals, struct err *err);
