/* engine_alias.h - an engine whose pictures also answer to names that they had elsewhere
 * (aliases.h).
 *
 * Get, stat, place and remove ask the inner engine first.  A name that it has no record
 * of is looked up, and if it is an alias the picture that it means is taken: a delete by
 * an old name deletes the picture, and so all its names are gone. */
#pragma once

#include "store/aliases.h"
#include "store/engine.h"

/* Put `conf`'s aliases, or those of its first store path, around `inner`, which engine_close
 * then closes too.  NULL with err: `inner` is closed. */
struct engine *engine_alias_new(
	struct engine *inner, const struct engine_conf *conf, struct err *err);
