/* conf_value.h - one setting's text made a value and put in its place; for conf.c. */
#pragma once

#include "core/buf.h"
#include "core/conf.h"

/* Check `text` against `key` and store it in `target`, freeing what was there.
 * Relative paths start at `folder`.  Returns 0; or -1, with `target` as it was and
 * err (ERR_CONFIG) saying what is wrong with the text, but not where it stands. */
int conf_value_set(const struct conf_key *key, const char *folder, struct span text, void *target,
	struct err *err);

/* Free what the value of `key` owns and make it empty. */
void conf_value_free(const struct conf_key *key, void *target);

/* Write a bound of `key` as it would stand in the file: "64M", "10s". */
void conf_value_put_bound(const struct conf_key *key, int64_t value, struct buf *out);
