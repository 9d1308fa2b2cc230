/* purge.h - making a cache forget a picture, and proof that it has.
 *
 * A cache is told "PURGE /<id>" with the header "xkey-purge: <id>", which drops every
 * object that is tagged with the id: the picture and all that was made from it.  Purge
 * only after the store has deleted it: a cache that is purged first may fetch it anew.
 *
 * A fetch that was under way during the purge can still put a copy in, so afterwards
 * the picture is asked for, and purged again for as long as it comes. */
#pragma once

#include "core/file_id.h"
#include "web/web.h"

struct purge_outcome {
	int purges;        /* how often the cache was told */
	int status;        /* what it answers for the picture now; 0: nothing */
	int64_t confirmed; /* Unix seconds; when that answer was 404 or 410 */
};

/* Purge `id` in the cache at "host:port" and check.  Returns 0 if the cache now answers
 * 404 or 410.  Else ERR_NOT_ALLOWED if it refuses to purge, ERR_UNREACHABLE or
 * ERR_TIMEOUT if it cannot be asked, ERR_UNKNOWN if it answers anything else. */
int purge_cache(struct web *web, const char *cache, const struct file_id *id, int64_t timeout_ms,
	struct purge_outcome *outcome, struct err *err);
