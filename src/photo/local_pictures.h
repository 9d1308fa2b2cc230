/* local_pictures.h - everything in the volumes of this machine's storages, and what groups that
 * are shared have. */
#pragma once

#include "fdfs/client.h"
#include "service/settings.h"
#include "store/engine.h"

/* Call `found` for each thing in each configured storage, until it returns false; beside
 * their servers, which may be running.  `*skipped` counts storages whose engine cannot be
 * walked.  Headers alone are read.  With `shared` also what groups on a shared engine have,
 * which takes the secrets of that; without, they are skipped. */
int local_pictures_walk(const struct settings *settings, bool shared,
	bool (*found)(void *context, const struct engine_found *found), void *context,
	size_t *skipped, struct err *err);

/* Is every storage of `group` (NULL: of all groups) that the trackers tell of one of this
 * configuration?  Then what a walk does not find is nowhere.  `*all` says so; -1 if the
 * trackers do not answer. */
int local_pictures_are_all(const struct settings *settings, bool shared, struct fdfs_client *client,
	const char *group, bool *all, struct err *err);
