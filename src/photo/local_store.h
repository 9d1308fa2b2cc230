/* local_store.h - the stores of this machine's configuration: their volumes, read beside
 * their servers, and their buckets and pools. */
#pragma once

#include "service/settings.h"
#include "store/engine.h"

/* Does the storage keep its pictures in volumes? */
bool local_store_has_volumes(const struct storage_settings *storage);

/* The name of the engine behind the storage's volumes, or NULL. */
const char *local_store_cold(const struct storage_settings *storage);

/* engine_open with what the configured storage says of a bucket or pool, and of what stands
 * behind its volumes.  `warn`: of a pool; or NULL. */
struct engine *local_store_engine(const char *name, struct engine_conf *conf,
	const struct settings *settings, const struct storage_settings *storage,
	void (*warn)(const char *text), struct err *err);

/* Open the engine of a configured storage to read from; it may be running.  NULL with
 * err, ERR_UNSUPPORTED if its engine keeps nothing that can be read so. */
struct engine *local_store_open(
	const struct settings *settings, const struct storage_settings *storage, struct err *err);

/* Has a storage that stands before it the same pictures?  Those of a group that is shared do. */
bool local_store_is_repeated(
	const struct settings *settings, const struct storage_settings *storage);
