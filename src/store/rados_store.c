#include "store/rados_store.h"

#include "core/clock.h"
#include "core/crc32.h"
#include "store/rados_cluster.h"
#include "store/rados_outcome.h"
#include "store/retry.h"
#include "store/turns.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	OBJECT_MAX = 1 << 30, /* no larger one is taken in */
	READING_MAX = 1 << 20 /* librados' thread has no time for the CRC of more */
};

struct rados_store {
	struct object_store base;
	struct rados_cluster *cluster;
	struct turns *turns;
	char group[FILE_ID_GROUP_MAX + 1];
	int64_t timeout_ms;
};

/* The name of an object is the id. */
static const char *name_of(const struct file_id *id, char out[FILE_ID_TEXT_MAX + 1])
{
	file_id_format(id, out);
	return out;
}

static bool try_again(struct rados_store *store, struct retry *retry, struct err *err)
{
	return retry_again(retry, turns_health(store->turns, NULL) == 0, err);
}

/* Say what a result means.  A pool that is gone has no objects either, but nobody has deleted
 * the pictures. */
static int judge(struct rados_store *store, const char *what, const struct file_id *id, int result,
	bool changes, struct err *err)
{
	enum err_code code = rados_outcome(result, changes);

	if (code == ERR_NONE)
		return 0;
	if (code == ERR_NOT_FOUND && !rados_cluster_has_pool(store->cluster))
		return err_set(err, ERR_NOT_ALLOWED, "the pool is gone");
	return err_set(err, code, "%s %s: the cluster says: %s", what, id->name, strerror(-result));
}

/* ---- read ---- */

/* A read operation: the object's size and its bytes. */
struct content {
	const struct file_id *id;
	uint8_t *at; /* room for as many as the id says */
	size_t len;
	uint64_t size;
	time_t changed;
	int of_stat, of_read; /* results */
};

static rados_read_op_t read_op(struct content *content)
{
	rados_read_op_t op = rados_lib.create_read_op();

	rados_lib.read_op_stat(op, &content->size, &content->changed, &content->of_stat);
	if (content->id->size > 0) /* 0 would mean all of it */
		rados_lib.read_op_read(op, 0, (size_t)content->id->size, (char *)content->at,
			&content->len, &content->of_read);
	return op;
}

/* The result of its parts, where it has itself succeeded. */
static int result_of(const struct content *content, int result)
{
	if (result >= 0)
		result = content->of_stat < 0 ? content->of_stat : content->of_read;
	return result;
}

static int check_content(const struct content *content, struct err *err)
{
	const struct file_id *id = content->id;

	if (content->size != id->size || content->len != id->size)
		return err_set(err, ERR_CORRUPT,
			"object %s has %" PRIu64 " bytes, its id says %" PRIu64, id->name,
			content->size, id->size);
	if (crc32_add(0, span_of(content->at, content->len)) != id->crc)
		return err_set(err, ERR_CORRUPT, "the content of object %s does not match its id",
			id->name);
	return 0;
}

static int read_once(struct rados_store *store, const struct file_id *id, int flags, uint8_t *at,
	int64_t deadline_ms, struct err *err)
{
	struct content content = { .id = id, .at = at };
	char name[FILE_ID_TEXT_MAX + 1];
	struct err failure = { 0 };
	rados_read_op_t op;
	int result;

	if (turns_take(store->turns, deadline_ms, err) != 0)
		return -1;
	op = read_op(&content);
	result = rados_lib.read_op_operate(
		op, rados_cluster_pool(store->cluster), name_of(id, name), flags);
	rados_lib.release_read_op(op);
	result = judge(store, "reading", id, result_of(&content, result), false, &failure);
	turns_end(store->turns, &failure);
	if (result == 0)
		return check_content(&content, err);
	*err = failure;
	return -1;
}

/* ---- read, without a thread ---- */

struct reading {
	struct rados_store *store;
	struct engine_reading *outer;
	struct content content;
	rados_completion_t completion;
	rados_read_op_t op;
};

/* In a thread of librados, which must not wait: what is not plainly right is left to a read
 * that may. */
static void on_read(rados_completion_t completion, void *context)
{
	struct reading *reading = context;
	struct rados_store *store = reading->store;
	struct engine_reading *outer = reading->outer;
	int result = result_of(&reading->content, rados_lib.aio_get_return_value(completion));
	struct err failure = { .code = rados_outcome(result, false) };

	if (result < 0)
		err_set(&failure, failure.code, "reading %s: the cluster says: %s", outer->id.name,
			strerror(-result));
	if (result >= 0 && check_content(&reading->content, NULL) == 0)
		outer->out->len += (size_t)outer->id.size;
	else
		err_set(&outer->err, ERR_WOULD_BLOCK, "%s has to be read again", outer->id.name);
	rados_lib.release_read_op(reading->op);
	rados_lib.aio_release(completion);
	free(reading);
	outer->done(outer);
	turns_end(store->turns, &failure); /* the last: rados_store's end waits for it */
}

static bool read_begin(struct object_store *base, struct engine_reading *outer)
{
	struct rados_store *store = (struct rados_store *)base;
	const struct file_id *id = &outer->id;
	struct err full = { ERR_BUSY, "librados takes nothing" };
	char name[FILE_ID_TEXT_MAX + 1];
	struct reading *reading;

	if (id->size > READING_MAX || id->size > outer->out->limit - outer->out->len ||
		turns_take(store->turns, 0, NULL) != 0)
		return false;
	reading = calloc(1, sizeof *reading);
	assert(reading != NULL);
	*reading = (struct reading){ .store = store, .outer = outer, .content.id = id };
	reading->content.at = buf_reserve(outer->out, (size_t)id->size);
	assert(reading->content.at != NULL);
	reading->op = read_op(&reading->content);
	if (rados_lib.aio_create_completion2(reading, on_read, &reading->completion) == 0) {
		if (rados_lib.aio_read_op_operate(reading->op, rados_cluster_pool(store->cluster),
			    reading->completion, name_of(id, name), 0) == 0)
			return true;
		rados_lib.aio_release(reading->completion);
	}
	rados_lib.release_read_op(reading->op);
	free(reading);
	turns_end(store->turns, &full);
	return false;
}

/* ---- read, waiting ---- */

static int stat_object(
	struct rados_store *store, const struct file_id *id, int64_t deadline_ms, struct err *err);

/* What does not match, or cannot be read, is read once more, from any of its copies. */
static int get_object(
	struct rados_store *store, const struct file_id *id, struct buf *out, struct err *err)
{
	struct retry retry = retry_until(clock_mono_ms() + store->timeout_ms);
	unsigned odd = 0;
	uint8_t *at;
	int result;

	if (id->size > out->limit - out->len || id->size > OBJECT_MAX)
		return stat_object(store, id, retry.deadline_ms, err) != 0
			       ? -1
			       : err_set(err, ERR_TOO_LARGE, "%s is larger than is wanted here",
					 id->name);
	at = buf_reserve(out, (size_t)id->size);
	if (at == NULL)
		return err_set(err, ERR_INTERNAL, "memory has ended");
	do
		result = read_once(store, id, odd == 0 ? 0 : LIBRADOS_OPERATION_BALANCE_READS, at,
			retry.deadline_ms, err);
	while (result != 0 && (((err->code == ERR_CORRUPT || err->code == ERR_IO) && odd++ == 0) ||
				      try_again(store, &retry, err)));
	if (result == 0)
		out->len += (size_t)id->size;
	return result;
}

static int stat_once(
	struct rados_store *store, const struct file_id *id, int64_t deadline_ms, struct err *err)
{
	char name[FILE_ID_TEXT_MAX + 1];
	struct err failure = { 0 };
	uint64_t size = 0;
	time_t changed;
	int result;

	if (turns_take(store->turns, deadline_ms, err) != 0)
		return -1;
	result = rados_lib.stat(
		rados_cluster_pool(store->cluster), name_of(id, name), &size, &changed);
	result = judge(store, "asking for", id, result, false, &failure);
	turns_end(store->turns, &failure);
	if (result != 0) {
		*err = failure;
		return -1;
	}
	if (size != id->size)
		return err_set(err, ERR_CORRUPT,
			"object %s has %" PRIu64 " bytes, its id says %" PRIu64, name, size,
			id->size);
	return 0;
}

static int stat_object(
	struct rados_store *store, const struct file_id *id, int64_t deadline_ms, struct err *err)
{
	struct retry retry = retry_until(deadline_ms);
	int result;

	do
		result = stat_once(store, id, deadline_ms, err);
	while (result != 0 && try_again(store, &retry, err));
	return result;
}

/* ---- write ---- */

/* FULL_TRY: where there is no room it fails, and a remove is carried out; without it both
 * would wait until there is. */
static int operate(struct rados_store *store, const char *what, const struct file_id *id,
	rados_write_op_t op, int64_t deadline_ms, struct err *err)
{
	char name[FILE_ID_TEXT_MAX + 1];
	struct err failure = { 0 };
	int result;

	if (turns_take(store->turns, deadline_ms, err) != 0)
		return -1;
	result = rados_lib.write_op_operate(op, rados_cluster_pool(store->cluster),
		name_of(id, name), NULL, LIBRADOS_OPERATION_FULL_TRY);
	result = judge(store, what, id, result, true, &failure);
	turns_end(store->turns, &failure);
	if (result != 0)
		*err = failure;
	return result;
}

static int put_once(struct rados_store *store, const struct file_id *id, struct span content,
	int64_t deadline_ms, struct err *err)
{
	rados_write_op_t op = rados_lib.create_write_op();
	int result;

	rados_lib.write_op_create(op, LIBRADOS_CREATE_EXCLUSIVE, NULL);
	rados_lib.write_op_write_full(op, (const char *)content.data, content.len);
	result = operate(store, "putting", id, op, deadline_ms, err);
	rados_lib.release_write_op(op);
	return result;
}

static int remove_once(
	struct rados_store *store, const struct file_id *id, int64_t deadline_ms, struct err *err)
{
	rados_write_op_t op = rados_lib.create_write_op();
	int result;

	rados_lib.write_op_remove(op);
	result = operate(store, "removing", id, op, deadline_ms, err);
	rados_lib.release_write_op(op);
	return result;
}

/* Something is there, after a try that may have been carried out: is it that one's? */
static int compare(
	struct rados_store *store, const struct file_id *id, struct span content, struct err *err)
{
	struct buf there;
	int result;

	buf_init(&there, content.len);
	result = get_object(store, id, &there, err);
	if (result == 0 && !span_equal(buf_span(&there), content))
		result = err_set(err, ERR_EXISTS, "there is another %s", id->name);
	else if (result != 0)
		err->code = ERR_UNKNOWN;
	buf_fini(&there);
	return result;
}

/* ---- the store ---- */

static int64_t deadline(const struct object_store *base, uint64_t len)
{
	(void)len;
	return clock_mono_ms() + ((const struct rados_store *)base)->timeout_ms;
}

static int put(struct object_store *base, const struct file_id *id, struct span content,
	int64_t deadline_ms, struct err *err)
{
	struct rados_store *store = (struct rados_store *)base;
	struct retry retry = retry_until(deadline_ms);

	while (put_once(store, id, content, deadline_ms, err) != 0) {
		if (err->code == ERR_EXISTS)
			return retry.perhaps_done ? compare(store, id, content, err) : -1;
		if (!try_again(store, &retry, err))
			return -1;
	}
	return 0;
}

static int remove_picture(
	struct object_store *base, const struct file_id *id, int64_t deadline_ms, struct err *err)
{
	struct rados_store *store = (struct rados_store *)base;
	struct retry retry = retry_until(deadline_ms);

	while (remove_once(store, id, deadline_ms, err) != 0) {
		if (err->code == ERR_NOT_FOUND)
			return retry.perhaps_done ? 0 : -1;
		if (!try_again(store, &retry, err))
			return -1;
	}
	return 0;
}

static int get(
	struct object_store *base, const struct file_id *id, struct buf *out, struct err *err)
{
	return get_object((struct rados_store *)base, id, out, err);
}

static int stat(
	struct object_store *base, const struct file_id *id, int64_t deadline_ms, struct err *err)
{
	return stat_object((struct rados_store *)base, id, deadline_ms, err);
}

/* One name of the pool, which may be of another group. */
static bool on_name(struct rados_store *store, const char *name, unsigned flags,
	bool (*found)(void *context, const struct engine_found *found), void *context)
{
	struct engine_found one = { .what = ENGINE_FOUND_PICTURE };
	size_t group_len = strlen(store->group);
	struct buf content;

	if (strncmp(name, store->group, group_len) != 0 || name[group_len] != '/')
		return true;
	if (!file_id_parse_name(span_str(store->group), span_str(name + group_len + 1), &one.id)) {
		one.what = ENGINE_FOUND_CORRUPT;
		err_set(&one.err, ERR_CORRUPT, "object %.200s has no id as its name", name);
	} else if (flags & ENGINE_CHECK_CONTENT) {
		buf_init(&content, (size_t)one.id.size);
		if (get_object(store, &one.id, &content, &one.err) != 0)
			one.what = ENGINE_FOUND_CORRUPT;
		buf_fini(&content);
		if (one.err.code == ERR_NOT_FOUND) /* it went meanwhile */
			return true;
	}
	return found(context, &one);
}

static int walk(struct object_store *base, unsigned flags,
	bool (*found)(void *context, const struct engine_found *found), void *context,
	struct err *err)
{
	struct rados_store *store = (struct rados_store *)base;
	rados_list_ctx_t list;
	const char *name;
	int result = rados_lib.nobjects_list_open(rados_cluster_pool(store->cluster), &list);

	if (result == 0) {
		while ((result = rados_lib.nobjects_list_next(list, &name, NULL, NULL)) == 0 &&
			on_name(store, name, flags, found, context))
			;
		rados_lib.nobjects_list_close(list);
	}
	if (result == 0 || (result == -ENOENT && rados_cluster_has_pool(store->cluster)))
		return 0;
	return err_set(err, result == -ENOENT ? ERR_NOT_ALLOWED : rados_outcome(result, false),
		"the cluster lists no further: %s", strerror(-result));
}

static void space(struct object_store *base, uint64_t *total, uint64_t *free)
{
	struct rados_pool_space space = rados_cluster_space(((struct rados_store *)base)->cluster);

	*total = space.total;
	*free = space.free;
}

static int health(struct object_store *base, struct err *err)
{
	return turns_health(((struct rados_store *)base)->turns, err);
}

static void close_store(struct object_store *base)
{
	struct rados_store *store = (struct rados_store *)base;

	turns_drain(store->turns);
	rados_cluster_close(store->cluster);
	turns_free(store->turns);
	free(store);
}

static const struct object_store_ops ops = {
	.deadline = deadline,
	.put = put,
	.get = get,
	.read = read_begin,
	.stat = stat,
	.remove = remove_picture,
	.walk = walk,
	.space = space,
	.health = health,
	.close = close_store,
};

struct object_store *rados_store_open(
	const struct engine_rados_conf *conf, const char *group, struct err *err)
{
	struct rados_store *store = calloc(1, sizeof *store);

	assert(store != NULL);
	store->base.ops = &ops;
	store->cluster = rados_cluster_open(conf, err);
	if (store->cluster == NULL) {
		free(store);
		return NULL;
	}
	store->turns = turns_new(conf->in_flight, clock_mono_ms);
	strcpy(store->group, group);
	store->timeout_ms = conf->timeout_ms;
	return &store->base;
}
