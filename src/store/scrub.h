/* scrub.h - everything in the store paths read and checked, slowly, beside the server.
 *
 * One thread reads each record of each volume, then each file of names.db, at no more than
 * so many bytes a second.  What does not match goes on the store path's quarantine list;
 * what matches again at the end of a pass is taken off.  What was deleted and is not erased,
 * because the server stopped in between, is given to the engine to erase.  STORE/scrub
 * remembers how far it is, so that a restart goes on and does not begin anew:
 *
 *     scrub STARTED VOLUME SPOT      STARTED: Unix seconds; VOLUME 65536: names.db is next,
 *                                    65537: this pass is done */
#pragma once

#include "core/err.h"
#include "store/engine.h"
#include "store/names.h"

#include <stdatomic.h>

struct scrub_conf {
	const char *group;
	char *const *paths;
	size_t path_count;
	struct names *const *names; /* of each path */
	struct engine *engine;      /* that writes to the paths */
	int64_t erase_after_s;      /* from a deletion until the engine must have erased it */
	uint64_t rate;              /* bytes a second, more than 0 */
	int64_t every_s;            /* from the start of a pass to that of the next */
	int64_t (*now)(void);       /* Unix seconds */
	/* Something that was not on the list, or (where NULL) what keeps the scrub from its
	 * work.  From its thread. */
	void (*found)(void *context, const char *path, const char *where, const char *reason);
	void *context;
	_Atomic int64_t *checked;     /* bytes read are added */
	_Atomic int64_t *quarantined; /* is set to the length of all lists */
};

struct scrub;

/* Start; `conf` is copied, what it points to must stay.  NULL with err. */
struct scrub *scrub_start(const struct scrub_conf *conf, struct err *err);

/* Returns when the thread has ended, within one record; NULL is fine. */
void scrub_stop(struct scrub *scrub);
