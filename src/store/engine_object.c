#include "store/engine_object.h"

#include "core/clock.h"
#include "store/put_queue.h"
#include "store/record.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { MAKE_TRIES = 5 };

struct engine_object {
	struct engine base;
	char group[FILE_ID_GROUP_MAX + 1];
	uint8_t source[4];
	bool read_only;
	int64_t (*now)(void);
	struct object_store *store;
	struct put_queue *queue;
};

/* ---- in a thread of the queue ---- */

static bool make_id(
	const struct engine_object *self, const struct engine_put *put, struct file_id *id)
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

static int put_wanted(struct engine_object *self, struct engine_put *put)
{
	const struct file_id *id = put->wanted;

	if (id->kind != FILE_ID_NORMAL || strcmp(id->group, self->group) != 0 ||
		id->size != put->content.len || id->crc != put->crc)
		return err_set(&put->err, ERR_BAD_REQUEST, "%s is not the id of that", id->name);
	put->id = *id;
	if (self->store->ops->stat(self->store, id, put->deadline_ms, &put->err) == 0 ||
		put->err.code == ERR_CORRUPT)
		return err_set(&put->err, ERR_EXISTS, "there is a %s", id->name);
	if (put->err.code != ERR_NOT_FOUND || (put->sending != NULL && put->sending(put) != 0))
		return -1;
	return self->store->ops->put(self->store, id, put->content, put->deadline_ms, &put->err);
}

static int put_new(struct engine_object *self, struct engine_put *put)
{
	if (put->content.len > UINT32_MAX)
		return err_set(&put->err, ERR_TOO_LARGE, "a picture of that size fits no id");
	for (int i = 0; i < MAKE_TRIES; i++) {
		if (!make_id(self, put, &put->id))
			return err_set(
				&put->err, ERR_BAD_REQUEST, "that is not a file name extension");
		if (put->sending != NULL && put->sending(put) != 0)
			return -1;
		if (self->store->ops->put(self->store, &put->id, put->content, put->deadline_ms,
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
	struct engine_object *self = context;

	if (put->wanted == NULL)
		put_new(self, put);
	else if (put_wanted(self, put) == 0)
		put->err = (struct err){ 0 };
	put->done(put);
}

static void remove_now(void *context, struct engine_remove *remove)
{
	struct engine_object *self = context;

	if (remove->sending != NULL)
		remove->sending(remove);
	if (self->store->ops->remove(self->store, &remove->id, remove->deadline_ms, &remove->err) ==
		0)
		remove->err = (struct err){ 0 };
	remove->done(remove);
}

/* ---- the engine ---- */

void engine_object_put(struct engine *engine, struct engine_put *put)
{
	struct engine_object *self = (struct engine_object *)engine;

	if (self->read_only)
		err_set(&put->err, ERR_NOT_ALLOWED, "the store is open for reading only");
	else if (put->path != ENGINE_ANY_PATH && put->path != 0)
		err_set(&put->err, ERR_BAD_REQUEST, "there is no store path M%02X", put->path);
	if (put->err.code != ERR_NONE) {
		put->done(put);
		return;
	}
	put->deadline_ms = self->store->ops->deadline(self->store, put->content.len);
	put_queue_put(self->queue, put);
}

static int check_id(const struct engine_object *self, const struct file_id *id, struct err *err)
{
	/* It may have been made by a store with other paths, which this one stands behind. */
	if (id->kind != FILE_ID_NORMAL || strcmp(id->group, self->group) != 0)
		return err_set(err, ERR_NOT_FOUND, "there is no %s in this store", id->name);
	return 0;
}

void engine_object_remove(struct engine *engine, struct engine_remove *remove)
{
	struct engine_object *self = (struct engine_object *)engine;

	if (self->read_only)
		err_set(&remove->err, ERR_NOT_ALLOWED, "the store is open for reading only");
	if (remove->err.code != ERR_NONE || check_id(self, &remove->id, &remove->err) != 0) {
		remove->done(remove);
		return;
	}
	remove->deadline_ms = self->store->ops->deadline(self->store, 0);
	put_queue_remove(self->queue, remove);
}

int engine_object_get(struct engine *engine, const struct file_id *id, unsigned flags,
	struct buf *out, struct err *err)
{
	struct engine_object *self = (struct engine_object *)engine;
	struct err failure = { 0 };

	if (flags & ENGINE_NO_WAIT)
		return err_set(err, ERR_WOULD_BLOCK, "a service has to be asked");
	if (check_id(self, id, &failure) == 0 &&
		self->store->ops->get(self->store, id, out, &failure) == 0)
		return 0;
	if (err != NULL)
		*err = failure;
	return -1;
}

bool engine_object_read(struct engine *engine, struct engine_reading *reading)
{
	struct engine_object *self = (struct engine_object *)engine;

	return self->store->ops->read != NULL && check_id(self, &reading->id, NULL) == 0 &&
	       self->store->ops->read(self->store, reading);
}

int engine_object_stat(struct engine *engine, const struct file_id *id, unsigned flags,
	struct engine_stat *out, struct err *err)
{
	struct engine_object *self = (struct engine_object *)engine;
	struct err failure = { 0 };

	if (flags & ENGINE_NO_WAIT)
		return err_set(err, ERR_WOULD_BLOCK, "a service has to be asked");
	if (check_id(self, id, &failure) == 0 &&
		self->store->ops->stat(self->store, id, self->store->ops->deadline(self->store, 0),
			&failure) == 0) {
		*out = (struct engine_stat){ id->size, id->crc, id->time };
		return 0;
	}
	if (err != NULL)
		*err = failure;
	return -1;
}

int engine_object_walk(struct engine *engine, unsigned flags,
	bool (*found)(void *context, const struct engine_found *found), void *context,
	struct err *err)
{
	struct engine_object *self = (struct engine_object *)engine;
	struct err failure = { 0 };

	if (self->store->ops->walk(self->store, flags, found, context, &failure) == 0)
		return 0;
	if (err != NULL)
		*err = failure;
	return -1;
}

int engine_object_space(struct engine *engine, struct engine_space *out, struct err *err)
{
	struct engine_object *self = (struct engine_object *)engine;

	(void)err;
	*out = (struct engine_space){ 0 };
	self->store->ops->space(self->store, &out->total, &out->free);
	out->path_free[0] = out->free;
	return 0;
}

int engine_object_health(struct engine *engine, struct err *err)
{
	struct engine_object *self = (struct engine_object *)engine;

	return self->store->ops->health(self->store, err);
}

void engine_object_close(struct engine *engine)
{
	struct engine_object *self = (struct engine_object *)engine;

	put_queue_free(self->queue);
	self->store->ops->close(self->store);
	free(self);
}

struct engine *engine_object_new(const struct engine_ops *ops, const struct engine_conf *conf,
	unsigned in_flight, struct object_store *store)
{
	struct engine_object *self = calloc(1, sizeof *self);

	assert(self != NULL && in_flight >= 2);
	self->base.ops = ops;
	strcpy(self->group, conf->group);
	memcpy(self->source, conf->source, sizeof self->source);
	self->read_only = conf->read_only;
	self->now = conf->now != NULL ? conf->now : clock_unix;
	self->store = store;
	/* Uploads never take all turns: some are left for reads. */
	self->queue = put_queue_new((in_flight * 3 + 1) / 4, put_now, remove_now, self);
	return &self->base;
}
