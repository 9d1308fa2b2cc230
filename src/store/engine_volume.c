/* engine_volume.c - pictures in volume files on this machine's disks: the id is the
 * index.  docs/volume-format.md says why it is right. */
#include "core/clock.h"
#include "core/disk.h"
#include "store/engines.h"
#include "store/volume_cache.h"
#include "store/volume_list.h"
#include "store/volume_walk.h"
#include "store/writer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { STORES_MAX = 255 }; /* ENGINE_ANY_PATH is none */

#define VOLUME_SIZE_MAX ((uint64_t)RECORD_SPOT_END * RECORD_BLOCK)

struct engine_volume {
	struct engine base;
	char group[FILE_ID_GROUP_MAX + 1];
	uint64_t reserved_space;
	bool read_only;
	size_t count;
	struct volume_store stores[STORES_MAX];
	struct writer *writers[STORES_MAX];
	struct volume_cache *cache;
	_Atomic unsigned turn; /* which store path takes the next put */
	pthread_mutex_t closing_lock;
	bool closing;
};

static void put_to(struct engine_volume *self, size_t path, struct engine_put *put)
{
	writer_put(self->writers[path], put);
}

/* A store path has no room for `put`, or its disk fails: another may take it.  Until it is
 * answered, put->id tells where it started (path) and how many it has tried (dir). */
static bool overflow(void *context, struct engine_put *put)
{
	struct engine_volume *self = context;
	bool taken;

	if (put->path != ENGINE_ANY_PATH || put->id.dir + 1U >= self->count)
		return false;
	pthread_mutex_lock(&self->closing_lock);
	taken = !self->closing;
	if (taken) {
		put->id.dir++;
		put_to(self, (put->id.path + put->id.dir) % self->count, put);
	}
	pthread_mutex_unlock(&self->closing_lock);
	return taken;
}

static void close_volume(struct engine *engine)
{
	struct engine_volume *self = (struct engine_volume *)engine;

	/* From here on no writer hands a put to one that has stopped. */
	pthread_mutex_lock(&self->closing_lock);
	self->closing = true;
	pthread_mutex_unlock(&self->closing_lock);
	for (size_t i = 0; i < self->count; i++)
		writer_close(self->writers[i]);
	volume_cache_free(self->cache);
	for (size_t i = 0; i < self->count; i++)
		free((char *)(uintptr_t)self->stores[i].folder);
	pthread_mutex_destroy(&self->closing_lock);
	free(self);
}

static int open_store(
	struct engine_volume *self, size_t path, const struct engine_conf *conf, struct err *err)
{
	struct volume_store *store = &self->stores[path];
	struct writer_conf writer = {
		.cache = self->cache,
		.volume_size = conf->volume_size,
		.preallocate = conf->preallocate,
		.reserved_space = conf->reserved_space,
		.punch_delay_ms = conf->punch_delay_ms,
		.now = conf->now != NULL ? conf->now : clock_unix,
		.overflow = overflow,
		.context = self,
	};
	struct stat st;

	if (disk->stat(store->folder, &st) != 0)
		return err_errno(err, "store path %s cannot be used", store->folder);
	if (conf->read_only)
		return 0;
	if (writer.volume_size == 0 || writer.volume_size > VOLUME_SIZE_MAX)
		writer.volume_size = VOLUME_SIZE_MAX;
	writer.store = *store;
	memcpy(writer.source, conf->source, sizeof writer.source);
	self->writers[path] = writer_open(&writer, err);
	return self->writers[path] == NULL ? -1 : 0;
}

static struct engine *open_volume(const struct engine_conf *conf, struct err *err)
{
	struct engine_volume *self;

	if (conf->path_count == 0 || conf->path_count > STORES_MAX) {
		err_set(err, ERR_CONFIG, "there must be 1 to %d store paths", STORES_MAX);
		return NULL;
	}
	if (!file_id_group_ok(span_str(conf->group))) {
		err_set(err, ERR_CONFIG, "'%s' is not a name for a group", conf->group);
		return NULL;
	}
	self = calloc(1, sizeof *self);
	if (self == NULL)
		goto no_memory;
	self->base.ops = &engine_volume;
	pthread_mutex_init(&self->closing_lock, NULL);
	strcpy(self->group, conf->group);
	self->reserved_space = conf->reserved_space;
	self->read_only = conf->read_only;
	self->cache = volume_cache_new(self->stores, conf->path_count);
	for (size_t i = 0; i < conf->path_count; i++) {
		self->stores[i] = (struct volume_store){
			.folder = strdup(conf->paths[i]),
			.path = (uint8_t)i,
			.group = self->group,
			.writable = !conf->read_only,
		};
		self->count = i + 1;
		if (self->cache == NULL || self->stores[i].folder == NULL)
			goto no_memory;
		if (open_store(self, i, conf, err) != 0)
			goto fail;
	}
	return &self->base;
no_memory:
	err_set(err, ERR_INTERNAL, "memory has ended");
fail:
	if (self != NULL)
		close_volume(&self->base);
	return NULL;
}

static void put_volume(struct engine *engine, struct engine_put *put)
{
	struct engine_volume *self = (struct engine_volume *)engine;

	if (self->read_only) {
		err_set(&put->err, ERR_NOT_ALLOWED, "the store is open for reading only");
		put->done(put);
	} else if (put->wanted != NULL && put->wanted->path >= self->count) {
		err_set(&put->err, ERR_EXISTS, "there is no store path M%02X", put->wanted->path);
		put->done(put);
	} else if (put->wanted != NULL) {
		put->path = put->wanted->path;
		put_to(self, put->path, put);
	} else if (put->path == ENGINE_ANY_PATH) {
		put->id.path = (uint8_t)(self->turn++ % self->count);
		put->id.dir = 0;
		put_to(self, put->id.path, put);
	} else if (put->path < self->count) {
		put_to(self, put->path, put);
	} else {
		err_set(&put->err, ERR_BAD_REQUEST, "there is no store path M%02X", put->path);
		put->done(put);
	}
}

/* Can `id` name a picture here at all? */
static int check_id(const struct engine_volume *self, const struct file_id *id, struct err *err)
{
	if (id->kind != FILE_ID_NORMAL || id->name_len != FILE_ID_NAME_LEN ||
		id->path >= self->count || strcmp(id->group, self->group) != 0)
		return err_set(err, ERR_NOT_FOUND, "there is no %s in this store", id->name);
	return 0;
}

static void remove_volume(struct engine *engine, struct engine_remove *remove)
{
	struct engine_volume *self = (struct engine_volume *)engine;

	if (self->read_only)
		err_set(&remove->err, ERR_NOT_ALLOWED, "the store is open for reading only");
	else if (check_id(self, &remove->id, &remove->err) == 0) {
		writer_remove(self->writers[remove->id.path], remove);
		return;
	}
	remove->done(remove);
}

static void shift_volume(struct engine *engine, struct engine_shift *shift)
{
	struct engine_volume *self = (struct engine_volume *)engine;

	if (self->read_only)
		err_set(&shift->err, ERR_NOT_ALLOWED, "the store is open for reading only");
	else if (check_id(self, &shift->id, &shift->err) == 0) {
		writer_shift(self->writers[shift->id.path], shift);
		return;
	}
	shift->done(shift);
}

/* The volume of `id`, with a reference. */
static struct volume *find_volume(
	struct engine_volume *self, const struct file_id *id, unsigned flags, struct err *err)
{
	if (check_id(self, id, err) != 0)
		return NULL;
	return volume_cache_get(self->cache, id->path, id->dir, flags, err);
}

static int get_volume(struct engine *engine, const struct file_id *id, unsigned flags,
	struct buf *out, struct err *err)
{
	struct volume *volume = find_volume((struct engine_volume *)engine, id, flags, err);
	int rc = volume == NULL ? -1 : volume_get(volume, id, flags, out, err);

	volume_unref(volume);
	return rc;
}

static int stat_volume(struct engine *engine, const struct file_id *id, unsigned flags,
	struct engine_stat *out, struct err *err)
{
	struct volume *volume = find_volume((struct engine_volume *)engine, id, flags, err);
	struct record record;
	int rc = volume == NULL ? -1 : volume_stat(volume, id, flags, &record, err);

	volume_unref(volume);
	if (rc == 0)
		*out = (struct engine_stat){ record.len, record.crc, record.stored };
	return rc;
}

static int place_volume(struct engine *engine, const struct file_id *id, unsigned flags,
	struct engine_place *out, struct err *err)
{
	struct volume *volume = find_volume((struct engine_volume *)engine, id, flags, err);
	int rc = volume == NULL ? -1 : volume_place(volume, id, flags, out, err);

	volume_unref(volume);
	return rc;
}

static int space_volume(struct engine *engine, struct engine_space *out, struct err *err)
{
	struct engine_volume *self = (struct engine_volume *)engine;

	*out = (struct engine_space){ 0 };
	for (size_t i = 0; i < self->count; i++) {
		struct statvfs fs;
		uint64_t left;

		if (disk->statvfs(self->stores[i].folder, &fs) != 0)
			return err_errno(
				err, "cannot ask %s for its space", self->stores[i].folder);
		left = (uint64_t)fs.f_bavail * fs.f_frsize;
		out->path_free[i] = left > self->reserved_space ? left - self->reserved_space : 0;
		out->total += (uint64_t)fs.f_blocks * fs.f_frsize;
		out->free += out->path_free[i];
	}
	return 0;
}

struct walking {
	bool (*found)(void *context, const struct engine_found *found);
	void *context;
	bool stopped;
};

static bool pass_on(void *context, const struct walk_found *found)
{
	struct walking *walking = context;
	struct engine_found out = { .offset = found->offset, .err = found->err };

	switch (found->what) {
	case WALK_PICTURE:
		out.what = ENGINE_FOUND_PICTURE;
		break;
	case WALK_TOMBSTONE:
		out.what = ENGINE_FOUND_DELETED;
		break;
	case WALK_CORRUPT:
		out.what = ENGINE_FOUND_CORRUPT;
		break;
	case WALK_TORN:
		out.what = ENGINE_FOUND_TORN;
		break;
	case WALK_UNKNOWN:
		return true;
	}
	if (found->has_record) {
		record_id(&found->record, &out.id);
		out.cold = found->record.cold;
	}
	walking->stopped = !walking->found(walking->context, &out);
	return !walking->stopped;
}

static int walk_volume(struct engine *engine, unsigned flags,
	bool (*found)(void *context, const struct engine_found *found), void *context,
	struct err *err)
{
	struct engine_volume *self = (struct engine_volume *)engine;
	struct walking walking = { found, context, false };

	for (size_t i = 0; i < self->count; i++) {
		struct volume_store store = self->stores[i];
		int number = -1;

		store.writable = false;
		if (volume_list_check(store.folder, err) != 0)
			return -1;
		while (!walking.stopped && (number = volume_list_next(store.folder, number)) >= 0) {
			struct volume *volume = volume_open(&store, (uint16_t)number, err);
			int rc = volume == NULL ? -1
						: volume_walk(volume, VOLUME_FIRST_SPOT,
							  flags & ENGINE_CHECK_CONTENT, pass_on,
							  &walking, err);

			volume_unref(volume);
			if (rc != 0)
				return -1;
		}
	}
	return 0;
}

const struct engine_ops engine_volume = {
	.name = "volume",
	.open = open_volume,
	.close = close_volume,
	.put = put_volume,
	.remove = remove_volume,
	.get = get_volume,
	.stat = stat_volume,
	.place = place_volume,
	.walk = walk_volume,
	.space = space_volume,
	.shift = shift_volume,
};
