#include "delivery/local_source.h"

#include "core/address.h"
#include "core/clock.h"
#include "service/fcgi_service.h"
#include "store/names.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
	RETRY_MS = 1000,
	QUICK_SIZE = 1 << 20, /* what is read and checked in less than 200 us */
};

struct local_storage {
	const struct storage_settings *settings;
	const char *group;
	uint8_t source[4]; /* as in ids; zeros: not known */
	_Atomic(struct engine *) engine;
	size_t path_count;
	bool borrowed; /* the engine is somebody else's, who closes it */
	pthread_mutex_t opening;
	int64_t retry_ms; /* not to be opened before; guarded by `opening` */
};

struct local_source {
	struct local_storage *storages;
	size_t count;
	int64_t (*now_ms)(void);
};

static void find_source(const struct storage_settings *settings, uint8_t source[4])
{
	const char *text = settings->advertise[0] != '\0' ? settings->advertise : settings->listen;
	struct address address;

	if (settings->id > 0)
		store_le32(source, (uint32_t)settings->id);
	else if (address_parse(text, &address) && !address.is_unix)
		inet_pton(AF_INET, address.host, source);
}

static struct engine *open_engine(struct local_storage *storage, struct err *err)
{
	const struct storage_settings *settings = storage->settings;
	struct engine_conf conf = {
		.group = storage->group,
		.paths = settings->store_path.items,
		.path_count = settings->store_path.count,
		.read_only = true,
		.volume_size = (uint64_t)settings->volume_size,
		.preallocate = (uint64_t)settings->preallocate,
		.reserved_space = (uint64_t)settings->reserved_space,
		.punch_delay_ms = settings->punch_delay,
		.now = clock_unix,
	};

	memcpy(conf.source, storage->source, sizeof conf.source);
	return engine_open("volume", &conf, err);
}

/* The storage's engine, opened if need be; NULL with err if it cannot be now. */
static struct engine *engine_of(
	struct local_source *local, struct local_storage *storage, unsigned flags, struct err *err)
{
	struct engine *engine = atomic_load_explicit(&storage->engine, memory_order_acquire);
	int64_t now_ms;

	if (engine != NULL)
		return engine;
	if (flags & ENGINE_NO_WAIT) {
		err_set(err, ERR_WOULD_BLOCK, "storage %s is not open yet",
			storage->settings->name);
		return NULL;
	}
	pthread_mutex_lock(&storage->opening);
	engine = atomic_load_explicit(&storage->engine, memory_order_relaxed);
	now_ms = local->now_ms();
	if (engine == NULL && now_ms < storage->retry_ms) {
		err_set(err, ERR_UNREACHABLE, "storage %s could not be opened a moment ago",
			storage->settings->name);
	} else if (engine == NULL) {
		fcgi_service_waits();
		engine = open_engine(storage, err);
		storage->retry_ms = now_ms + RETRY_MS;
		atomic_store_explicit(&storage->engine, engine, memory_order_release);
	}
	pthread_mutex_unlock(&storage->opening);
	return engine;
}

/* The storage that may have `id`: the one that gave it out, else any of its group. */
static struct local_storage *storage_of(
	struct local_source *local, const struct file_id *id, enum delivery_holds *holds)
{
	struct local_storage *found = NULL;
	int givers = 0; /* two may call themselves the same: then either may have it */

	*holds = DELIVERY_NEVER;
	if (id->kind != FILE_ID_NORMAL || names_have(id)) /* names.db is the storage's own */
		return NULL;
	for (size_t i = 0; i < local->count; i++) {
		struct local_storage *storage = &local->storages[i];
		bool its_own = memcmp(storage->source, id->source, 4) == 0;

		if (strcmp(storage->group, id->group) != 0 || id->path >= storage->path_count)
			continue;
		if (found == NULL || its_own)
			found = storage;
		givers += its_own;
	}
	if (found != NULL)
		*holds = givers == 1 ? DELIVERY_SURELY : DELIVERY_PERHAPS;
	return found;
}

static enum delivery_holds local_holds(void *context, const struct file_id *id)
{
	enum delivery_holds holds;

	storage_of(context, id, &holds);
	return holds;
}

static int read_from(struct engine *engine, const struct file_id *id, unsigned flags,
	uint64_t place_from, struct delivery_picture *picture, struct err *err)
{
	struct err place_err;

	if (place_from > 0 && id->size >= place_from) {
		if (engine_place(engine, id, flags, &picture->place, &place_err) == 0)
			return 0;
		picture->place.len = 0;
		if (place_err.code != ERR_UNSUPPORTED) {
			*err = place_err;
			return -1;
		}
	}
	return engine_get(engine, id, flags, picture->content, err);
}

static int local_read(void *context, const struct file_id *id, unsigned flags, uint64_t place_from,
	struct delivery_picture *picture, struct err *err)
{
	enum delivery_holds holds;
	struct local_storage *storage = storage_of(context, id, &holds);
	struct engine *engine = engine_of(context, storage, flags, err);

	if (engine == NULL)
		return -1;
	/* Mostly the bytes are in memory, and nobody else need be troubled. */
	if (id->size <= QUICK_SIZE) {
		if (read_from(engine, id, ENGINE_NO_WAIT, place_from, picture, err) == 0)
			return 0;
		if (err->code != ERR_WOULD_BLOCK)
			return -1;
	}
	if (flags & ENGINE_NO_WAIT)
		return err_set(err, ERR_WOULD_BLOCK, "a disk has to be read");
	fcgi_service_waits();
	return read_from(engine, id, 0, place_from, picture, err);
}

struct local_source *local_source_new(const struct settings *settings, int64_t (*now_ms)(void))
{
	return local_source_beside(settings, NULL, NULL, now_ms);
}

struct local_source *local_source_beside(const struct settings *settings,
	const struct storage_settings *own, struct engine *engine, int64_t (*now_ms)(void))
{
	struct local_source *local = calloc(1, sizeof *local);

	if (local == NULL)
		abort();
	local->now_ms = now_ms;
	local->storages = calloc(settings->storage_count + 1, sizeof *local->storages);
	if (local->storages == NULL)
		abort();
	for (size_t i = 0; i < settings->storage_count; i++) {
		const struct storage_settings *from = &settings->storages[i];
		struct local_storage *storage = &local->storages[local->count];

		/* volume: the others keep nothing that can be read here */
		if (from != own && (from->engine != STORAGE_ENGINE_VOLUME || !settings->local_read))
			continue;
		/* NOLINTBEGIN(clang-analyzer-core.NullDereference): `from` is one of an array */
		storage->settings = from;
		storage->path_count = settings_are_shared(from) ? FILE_ID_PATHS : from->store_path.count;
		storage->group = from->group[0] != '\0' ? from->group : from->name;
		find_source(from, storage->source);
		/* NOLINTEND(clang-analyzer-core.NullDereference) */
		pthread_mutex_init(&storage->opening, NULL);
		storage->retry_ms = INT64_MIN;
		storage->borrowed = own != NULL && from == own;
		if (storage->borrowed)
			atomic_store(&storage->engine, engine);
		local->count++;
	}
	return local;
}

void local_source_free(struct local_source *local)
{
	if (local == NULL)
		return;
	for (size_t i = 0; i < local->count; i++) {
		if (!local->storages[i].borrowed)
			engine_close(atomic_load(&local->storages[i].engine));
		pthread_mutex_destroy(&local->storages[i].opening);
	}
	free(local->storages);
	free(local);
}

struct delivery_source local_source_entry(struct local_source *local)
{
	return (struct delivery_source){ local_holds, local_read, local };
}
