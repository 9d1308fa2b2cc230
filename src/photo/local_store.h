/* local_store.h - the volumes of this machine's storages, read beside their servers. */
#pragma once

#include "service/settings.h"
#include "store/engine.h"

/* Does the storage keep its pictures in volumes? */
bool local_store_has_volumes(const struct storage_settings *storage);

/* Open the engine of a configured storage to read from; it may be running.  NULL with
 * err, ERR_UNSUPPORTED if its engine keeps nothing that can be read so. */
struct engine *local_store_open(const struct storage_settings *storage, struct err *err);
