/* storage_beat.c - what a storage tells its trackers. */
#include "core/clock.h"
#include "core/log.h"
#include "programs/storage_server/storage_inside.h"
#include "programs/storage_server/storage_server.h"

#include <stdio.h>
#include <string.h>

#include "picstore_build.h"

enum { FULL_MS = 2000 }; /* for so long after it refused an upload the store counts as full */

static int64_t counted(enum storage_counter which)
{
	return storage_counters[which].value;
}

static void fill_counters(struct fdfs_beat *beat)
{
	static const struct {
		enum fdfs_counter all; /* those that succeeded follow it */
		enum storage_counter good, bad;
	} pairs[] = {
		{ FDFS_COUNT_UPLOAD, STORAGE_UPLOADS, STORAGE_UPLOADS_FAILED },
		{ FDFS_COUNT_APPEND, STORAGE_APPENDS, STORAGE_APPENDS_FAILED },
		{ FDFS_COUNT_MODIFY, STORAGE_MODIFIES, STORAGE_MODIFIES_FAILED },
		{ FDFS_COUNT_TRUNCATE, STORAGE_TRUNCATES, STORAGE_TRUNCATES_FAILED },
		{ FDFS_COUNT_SET_METADATA, STORAGE_METADATA_SETS, STORAGE_METADATA_SETS_FAILED },
		{ FDFS_COUNT_DELETE, STORAGE_DELETES, STORAGE_DELETES_FAILED },
		{ FDFS_COUNT_DOWNLOAD, STORAGE_DOWNLOADS, STORAGE_DOWNLOADS_FAILED },
		{ FDFS_COUNT_GET_METADATA, STORAGE_METADATA_GETS, STORAGE_METADATA_GETS_FAILED },
	};
	uint64_t *to = beat->counters;

	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		to[pairs[i].all + 1] = (uint64_t)counted(pairs[i].good);
		to[pairs[i].all] = to[pairs[i].all + 1] + (uint64_t)counted(pairs[i].bad);
	}
	to[FDFS_BYTES_UPLOAD] = to[FDFS_BYTES_UPLOAD_OK] = (uint64_t)counted(STORAGE_BYTES_IN);
	to[FDFS_BYTES_DOWNLOAD] = to[FDFS_BYTES_DOWNLOAD_OK] = (uint64_t)counted(STORAGE_BYTES_OUT);
}

bool storage_fill_beat(void *context, struct fdfs_beat *beat)
{
	struct storage *storage = context;
	int64_t full_ms = storage->full_ms;
	bool full = full_ms != 0 && clock_mono_ms() - full_ms < FULL_MS;
	/* New files go elsewhere while the engine cannot take them. */
	bool well = engine_health(storage->engine, NULL) == 0;
	struct engine_space space;
	struct err err;
	size_t count = storage->limits.no_names ? 1 : storage->limits.path_count;

	*beat = (struct fdfs_beat){
		.state = FDFS_STATE_ACTIVE,
		.shared = engine_is_shared(storage->engine),
		.writable = storage->mode == STORAGE_READ_WRITE && well,
		.readable = true,
		.draining = storage->mode == STORAGE_DRAINING ||
			    (storage->mode == STORAGE_READ_WRITE && !well),
		.address = storage->address,
		.started = storage->started,
		.connections = (uint32_t)net_server_connections(storage->server),
		.connections_max = (uint32_t)net_server_connections_max(storage->server),
		.path_count = (uint16_t)count,
	};
	snprintf(beat->group, sizeof beat->group, "%s", storage->limits.group);
	memcpy(beat->id, storage->source_text, sizeof beat->id);
	snprintf(beat->version, sizeof beat->version, "%.8s", PICSTORE_VERSION);
	fill_counters(beat);
	if (engine_space(storage->engine, &space, &err) != 0) {
		log_error("%s", err.text);
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		beat->paths[i].total = space.total / count;
		beat->paths[i].free = full ? 0 : space.path_free[i];
		if (!beat->shared)
			beat->paths[i].reserved = (uint64_t)storage->own->reserved_space;
	}
	return true;
}
