/* engine_pending.h - a shared engine with a journal (pending.h), so that an outcome which is
 * not known becomes known: there are neither lost pictures nor orphans.
 *
 * A put whose outcome is "unknown", or which the end of the process cut off, is removed:
 * nobody was told its id.  Not one that was to have a certain id, which its caller knows.
 * A remove is repeated.  Both until the engine says that the picture is gone; of a put again
 * after a minute, since it may still be on its way. */
#pragma once

#include "store/engine.h"

/* Put `conf`'s journal around `inner`, which engine_close then closes too.  NULL with err:
 * `inner` is closed. */
struct engine *engine_pending_new(
	struct engine *inner, const struct engine_conf *conf, struct err *err);
