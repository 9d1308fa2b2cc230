#include "photo/local_names.h"

#include "core/clock.h"

static bool are_shared(const struct storage_settings *storage)
{
	return storage->names_postgres[0] != '\0';
}

size_t local_names_count(const struct storage_settings *storage)
{
	return are_shared(storage) ? 1 : storage->store_path.count;
}

struct names *local_names_open(
	const struct storage_settings *storage, size_t path, bool read_only, struct err *err)
{
	if (are_shared(storage))
		return names_open_postgres(
			storage->names_postgres, storage->group, read_only, clock_unix);
	return names_open(storage->store_path.items[path], read_only, clock_unix, err);
}

struct aliases *local_aliases_open(const struct storage_settings *storage)
{
	return are_shared(storage)
		       ? aliases_open_postgres(storage->names_postgres, storage->group, true)
		       : NULL;
}
