/* deleters.h - threads that run deletions, those of all requests in turn. */
#pragma once

#include "deletion/deletion.h"

struct deleters;

/* Start `count` threads.  `tools` is copied for each, which has a `web` of its own. */
struct deleters *deleters_new(int64_t count, const struct deletion_tools *tools, struct err *err);

/* Run `count` deletions and wait until all have an outcome, which errs[i] says: ERR_NONE
 * if every place is confirmed.  Any thread, any number at a time. */
void deleters_run(
	struct deleters *deleters, struct deletion *deletions, struct err *errs, size_t count);

/* NULL is fine; nobody waits any more. */
void deleters_free(struct deleters *deleters);
