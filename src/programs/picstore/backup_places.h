/* backup_places.h - what a backup is made of, and where each part of it lies.
 *
 *     DIR/etc/                picstore.conf and store_paths
 *     DIR/secret/             the keys
 *     DIR/log/delete.log...   deletes whose time has not come
 *     DIR/db/                 receipts.db, metadata.db, cuts.db
 *     DIR/storage/NAME/MPP/   each store path, which a storage_server could serve as it is
 *
 * Backup and restore go through the same list, the one from left to right and the other
 * from right to left. */
#pragma once

#include "service/settings.h"

#include <sys/types.h>

enum { BACKUP_PATH = 4096 };

enum backup_kind {
	BACKUP_FILE,     /* a small file */
	BACKUP_DATABASE, /* SQLite */
	BACKUP_STORE,    /* a store path */
};

struct backup_place {
	enum backup_kind kind;
	const char *here;                       /* of this machine */
	const char *copy;                       /* below DIR */
	mode_t mode;                            /* of a file */
	const struct storage_settings *storage; /* of a store path, */
	uint8_t path;                           /* with this number */
};

/* Call `visit` for each place, whether there is something or not, in the order in which
 * they must be copied while everything runs, until one returns other than 0.  Returns
 * that, or -1 with err if a path is too long. */
int backup_places(const struct settings *settings,
	int (*visit)(void *context, const struct backup_place *place, struct err *err),
	void *context, struct err *err);
