/* local_names.h - the names that the storages of this machine's configuration keep: beside
 * their volumes, or for a group that is shared in PostgreSQL. */
#pragma once

#include "service/settings.h"
#include "store/aliases.h"
#include "store/names.h"

/* How many databases of names there are: one a store path. */
size_t local_names_count(const struct storage_settings *storage);

/* Open one; the storage may be running.  NULL with err. */
struct names *local_names_open(
	const struct storage_settings *storage, size_t path, bool read_only, struct err *err);

/* The aliases of a group that is shared, to be read; NULL if it has none, or has them in its
 * engine. */
struct aliases *local_aliases_open(const struct storage_settings *storage);
