/* local_store.h - the stores of this machine's configuration: their volumes, read beside
 * their servers, and their buckets and pools. */
#pragma once

#include "service/settings.h"
#include "store/engine.h"
#include "store/engine_rados.h"
#include "store/engine_s3.h"

/* Does the storage keep its pictures in volumes? */
bool local_store_has_volumes(const struct storage_settings *storage);

/* Open the engine of a configured storage to read from; it may be running.  NULL with
 * err, ERR_UNSUPPORTED if its engine keeps nothing that can be read so. */
struct engine *local_store_open(
	const struct settings *settings, const struct storage_settings *storage, struct err *err);

/* Has a storage that stands before it the same pictures?  Those of a group that is shared do. */
bool local_store_is_repeated(
	const struct settings *settings, const struct storage_settings *storage);

/* Where a storage with engine = s3 keeps its pictures. */
struct local_s3 {
	struct engine_s3_conf conf; /* borrows from the settings and the fields below */
	char access_key[256], secret_key[256];
};

/* Fill it and read the secrets, which local_s3_fini forgets: an engine copies them. */
int local_s3_init(struct local_s3 *s3, const struct settings *settings,
	const struct storage_settings *storage, struct err *err);
void local_s3_fini(struct local_s3 *s3);

/* The same for engine = rados; borrows from the settings. */
struct engine_rados_conf local_rados_conf(const struct storage_settings *storage);
