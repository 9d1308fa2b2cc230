#include "photo/local_store.h"

#include "core/clock.h"

/* In the order of the setting; the faulty engine wraps a volume one. */
enum { ENGINE_VOLUME, ENGINE_FAULTY };

bool local_store_has_volumes(const struct storage_settings *storage)
{
	return storage->engine == ENGINE_VOLUME || storage->engine == ENGINE_FAULTY;
}

struct engine *local_store_open(const struct storage_settings *storage, struct err *err)
{
	const struct engine_conf conf = {
		.group = storage->group,
		.paths = storage->store_path.items,
		.path_count = storage->store_path.count,
		.read_only = true,
		.volume_size = (uint64_t)storage->volume_size,
		.preallocate = (uint64_t)storage->preallocate,
		.reserved_space = (uint64_t)storage->reserved_space,
		.punch_delay_ms = storage->punch_delay,
		.now = clock_unix,
	};

	if (!local_store_has_volumes(storage)) {
		err_set(err, ERR_UNSUPPORTED, "its engine keeps no volumes");
		return NULL;
	}
	return engine_open("volume", &conf, err);
}
