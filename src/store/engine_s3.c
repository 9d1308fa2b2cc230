#include "store/engine_s3.h"

#include "core/clock.h"
#include "store/engines.h"
#include "store/put_queue.h"
#include "store/record.h"
#include "store/s3_store.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { MAKE_TRIES = 5 };

struct engine_s3 {
	struct engine base;
	char group[FILE_ID_GROUP_MAX + 1];
	uint8_t source[4];
	bool read_only;
	uint64_t capacity;
	int64_t (*now)(void);
	struct s3_store *store;
	struct put_queue *queue;
};

/* ---- in a thread of the queue ---- */

static bool make_id(const struct engine_s3 *self, const struct engine_put *put, struct file_id *id)
{
	*id = (struct file_id){
		.dir = (uint16_t)randombytes_random(),
		.time = (uint32_t)self->now(),
		.size = put->content.len,
		.random = randombytes_random() >> 9 | VOLUME_FIRST_SPOT, /* see names_have */
		.crc = put->crc,
	};
	strcpy(id->group, self->group);
	memcpy(id->source, self->source, sizeof id->source);
	memcpy(id->ext, put->ext, FILE_ID_EXT_MAX);
	return file_id_make(id, randombytes_random());
}

static int put_wanted(struct engine_s3 *self, struct engine_put *put)
{
	const struct file_id *id = put->wanted;

	if (id->kind != FILE_ID_NORMAL || strcmp(id->group, self->group) != 0 ||
		id->size != put->content.len || id->crc != put->crc)
		return err_set(&put->err, ERR_BAD_REQUEST, "%s is not the id of that", id->name);
	put->id = *id;
	if (s3_store_stat(self->store, id, put->deadline_ms, &put->err) == 0 ||
		put->err.code == ERR_CORRUPT)
		return err_set(&put->err, ERR_EXISTS, "there is a %s", id->name);
	if (put->err.code != ERR_NOT_FOUND)
		return -1;
	return s3_store_put(self->store, id, put->content, put->deadline_ms, &put->err);
}

static int put_new(struct engine_s3 *self, struct engine_put *put)
{
	if (put->content.len > UINT32_MAX)
		return err_set(&put->err, ERR_TOO_LARGE, "a picture of that size fits no id");
	for (int i = 0; i < MAKE_TRIES; i++) {
		if (!make_id(self, put, &put->id))
			return err_set(
				&put->err, ERR_BAD_REQUEST, "that is not a file name extension");
		if (s3_store_put(self->store, &put->id, put->content, put->deadline_ms,
			    &put->err) == 0) {
			put->err = (struct err){ 0 };
			return 0;
		}
		if (put->err.code != ERR_EXISTS)
			return -1;
	}
	return err_set(&put->err, ERR_BUSY, "no id was free");
}

static void put_now(void *context, struct engine_put *put)
{
	struct engine_s3 *self = context;

	if (put->wanted == NULL)
		put_new(self, put);
	else if (put_wanted(self, put) == 0)
		put->err = (struct err){ 0 };
	put->done(put);
}

static void remove_now(void *context, struct engine_remove *remove)
{
	struct engine_s3 *self = context;

	if (s3_store_remove(self->store, &remove->id, remove->deadline_ms, &remove->err) == 0)
		remove->err = (struct err){ 0 };
	remove->done(remove);
}

/* ---- the engine ---- */

static void put_s3(struct engine *engine, struct engine_put *put)
{
	struct engine_s3 *self = (struct engine_s3 *)engine;

	if (self->read_only)
		err_set(&put->err, ERR_NOT_ALLOWED, "the store is open for reading only");
	else if (put->path != ENGINE_ANY_PATH && put->path != 0)
		err_set(&put->err, ERR_BAD_REQUEST, "there is no store path M%02X", put->path);
	if (put->err.code != ERR_NONE) {
		put->done(put);
		return;
	}
	put->deadline_ms = s3_store_deadline(self->store, put->content.len);
	put_queue_put(self->queue, put);
}

static int check_id(const struct engine_s3 *self, const struct file_id *id, struct err *err)
{
	/* It may have been made by a store with other paths, which this one stands behind. */
	if (id->kind != FILE_ID_NORMAL || strcmp(id->group, self->group) != 0)
		return err_set(err, ERR_NOT_FOUND, "there is no %s in this store", id->name);
	return 0;
}

static void remove_s3(struct engine *engine, struct engine_remove *remove)
{
	struct engine_s3 *self = (struct engine_s3 *)engine;

	if (self->read_only)
		err_set(&remove->err, ERR_NOT_ALLOWED, "the store is open for reading only");
	if (remove->err.code != ERR_NONE || check_id(self, &remove->id, &remove->err) != 0) {
		remove->done(remove);
		return;
	}
	remove->deadline_ms = s3_store_deadline(self->store, 0);
	put_queue_remove(self->queue, remove);
}

static int get_s3(struct engine *engine, const struct file_id *id, unsigned flags, struct buf *out,
	struct err *err)
{
	struct engine_s3 *self = (struct engine_s3 *)engine;
	struct err failure = { 0 };

	if (flags & ENGINE_NO_WAIT)
		return err_set(err, ERR_WOULD_BLOCK, "an S3 service has to be asked");
	if (check_id(self, id, &failure) == 0 && s3_store_get(self->store, id, out, &failure) == 0)
		return 0;
	if (err != NULL)
		*err = failure;
	return -1;
}

static int stat_s3(struct engine *engine, const struct file_id *id, unsigned flags,
	struct engine_stat *out, struct err *err)
{
	struct engine_s3 *self = (struct engine_s3 *)engine;
	struct err failure = { 0 };

	if (flags & ENGINE_NO_WAIT)
		return err_set(err, ERR_WOULD_BLOCK, "an S3 service has to be asked");
	if (check_id(self, id, &failure) == 0 &&
		s3_store_stat(self->store, id, s3_store_deadline(self->store, 0), &failure) == 0) {
		*out = (struct engine_stat){ id->size, id->crc, id->time };
		return 0;
	}
	if (err != NULL)
		*err = failure;
	return -1;
}

static int walk_s3(struct engine *engine, unsigned flags,
	bool (*found)(void *context, const struct engine_found *found), void *context,
	struct err *err)
{
	struct engine_s3 *self = (struct engine_s3 *)engine;
	struct err failure = { 0 };

	if (s3_store_walk(self->store, flags, found, context, &failure) == 0)
		return 0;
	if (err != NULL)
		*err = failure;
	return -1;
}

static int space_s3(struct engine *engine, struct engine_space *out, struct err *err)
{
	struct engine_s3 *self = (struct engine_s3 *)engine;

	(void)err;
	*out = (struct engine_space){ .total = self->capacity, .free = self->capacity };
	out->path_free[0] = self->capacity;
	return 0;
}

static int health_s3(struct engine *engine, struct err *err)
{
	return s3_store_health(((struct engine_s3 *)engine)->store, err);
}

static void close_s3(struct engine *engine)
{
	struct engine_s3 *self = (struct engine_s3 *)engine;

	put_queue_free(self->queue);
	s3_store_close(self->store);
	free(self);
}

static struct engine *open_s3(const struct engine_conf *conf, struct err *err)
{
	struct engine_s3 *self = calloc(1, sizeof *self);

	if (self == NULL || conf->s3 == NULL || conf->s3->in_flight < 2 ||
		!file_id_group_ok(span_str(conf->group))) {
		err_set(err, ERR_CONFIG, "there must be a group and what tells of its bucket");
		free(self);
		return NULL;
	}
	self->base.ops = &engine_s3;
	strcpy(self->group, conf->group);
	memcpy(self->source, conf->source, sizeof self->source);
	self->read_only = conf->read_only;
	self->capacity = conf->s3->capacity;
	self->now = conf->now != NULL ? conf->now : clock_unix;
	self->store = s3_store_open(conf->s3, conf->group, self->now, err);
	if (self->store == NULL) {
		free(self);
		return NULL;
	}
	/* Uploads never take all turns: some are left for reads. */
	self->queue = put_queue_new((conf->s3->in_flight * 3 + 1) / 4, put_now, remove_now, self);
	return &self->base;
}

const struct engine_ops engine_s3 = {
	.name = "s3",
	.shared = true,
	.open = open_s3,
	.close = close_s3,
	.put = put_s3,
	.remove = remove_s3,
	.get = get_s3,
	.stat = stat_s3,
	.walk = walk_s3,
	.space = space_s3,
	.health = health_s3,
};
