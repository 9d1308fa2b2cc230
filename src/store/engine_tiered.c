#include "core/buf.h"
#include "core/crc32.h"
#include "store/tier.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { READ_TRIES = 3 }; /* a picture may be on its way from one store to the other */

/* A picture that is moved right now, and who waits to delete it. */
struct under_way {
	const struct file_id *id;
	struct engine_remove *removes, **removes_end;
	struct under_way *next;
};

struct tier {
	struct engine base;
	struct engine *hot, *cold;
	pthread_mutex_t lock;
	pthread_cond_t idle;
	struct under_way *under_way; /* under `lock` */
	size_t deletes;              /* under `lock`: begun and not answered */
};

static struct tier *self_of(struct engine *engine)
{
	return (struct tier *)engine;
}

/* ---- reading: the hot store knows where ---- */

static int get_tiered(struct engine *engine, const struct file_id *id, unsigned flags,
	struct buf *out, struct err *err)
{
	struct tier *self = self_of(engine);
	struct err hot = { 0 }, cold = { 0 };

	for (int i = 0; i < READ_TRIES; i++) {
		if (engine_get(self->hot, id, flags, out, &hot) == 0)
			return 0;
		if (hot.code != ERR_UNREACHABLE)
			return err_set(err, hot.code, "%s", hot.text);
		if (engine_get(self->cold, id, flags, out, &cold) == 0)
			return 0;
		if (cold.code != ERR_NOT_FOUND && cold.code != ERR_GONE)
			return err_set(err, cold.code, "%s", cold.text);
		/* It was there: it has come back, or it was deleted. */
	}
	return err_set(err, ERR_CORRUPT, "the bytes of %s are missing in the cold store", id->name);
}

static int place_tiered(struct engine *engine, const struct file_id *id, unsigned flags,
	struct engine_place *out, struct err *err)
{
	struct tier *self = self_of(engine);
	struct err hot = { 0 };

	if (engine_place(self->hot, id, flags, out, &hot) == 0)
		return 0;
	if (hot.code != ERR_UNREACHABLE)
		return err_set(err, hot.code, "%s", hot.text);
	return err_set(err, ERR_UNSUPPORTED, "%s is in no file here", id->name);
}

static int stat_tiered(struct engine *engine, const struct file_id *id, unsigned flags,
	struct engine_stat *out, struct err *err)
{
	return engine_stat(self_of(engine)->hot, id, flags, out, err);
}

static int walk_tiered(struct engine *engine, unsigned flags,
	bool (*found)(void *context, const struct engine_found *found), void *context,
	struct err *err)
{
	return engine_walk(self_of(engine)->hot, flags, found, context, err);
}

static int space_tiered(struct engine *engine, struct engine_space *out, struct err *err)
{
	return engine_space(self_of(engine)->hot, out, err);
}

static int health_tiered(struct engine *engine, struct err *err)
{
	return engine_health(self_of(engine)->hot, err);
}

static void put_tiered(struct engine *engine, struct engine_put *put)
{
	engine_put(self_of(engine)->hot, put);
}

static void shift_tiered(struct engine *engine, struct engine_shift *shift)
{
	engine_shift(self_of(engine)->hot, shift);
}

static struct tier *tier_tiered(struct engine *engine)
{
	return self_of(engine);
}

/* ---- deleting: the tombstone, the copy, and that there is none any more ---- */

struct delete
{
	struct tier *tier;
	struct engine_remove *outer, inner;
	struct engine_shift shift;
	struct err err; /* what the hot store has said */
};

static void finish_delete(struct delete *delete)
{
	struct tier *self = delete->tier;
	struct engine_remove *outer = delete->outer;

	outer->err = delete->err;
	free(delete);
	outer->done(outer);
	pthread_mutex_lock(&self->lock);
	if (--self->deletes == 0)
		pthread_cond_broadcast(&self->idle);
	pthread_mutex_unlock(&self->lock);
}

/* Without the note the next delete would ask the cold store again, no more. */
static void on_noted(struct engine_shift *shift)
{
	finish_delete(shift->context);
}

static void on_cold_removed(struct engine_remove *inner)
{
	struct delete *delete = inner->context;

	if (inner->err.code != ERR_NONE && inner->err.code != ERR_NOT_FOUND &&
		inner->err.code != ERR_GONE) {
		delete->err = inner->err;
		finish_delete(delete);
		return;
	}
	delete->shift = (struct engine_shift){
		.id = inner->id, .to = ENGINE_COLD_NONE, .done = on_noted, .context = delete
	};
	engine_shift(delete->tier->hot, &delete->shift);
}

static void on_hot_removed(struct engine_remove *inner)
{
	struct delete *delete = inner->context;

	delete->err = inner->err;
	if ((inner->err.code != ERR_NONE && inner->err.code != ERR_GONE) || !inner->cold) {
		finish_delete(delete);
		return;
	}
	delete->inner = (struct engine_remove){
		.id = delete->outer->id, .done = on_cold_removed, .context = delete
	};
	engine_remove(delete->tier->cold, &delete->inner);
}

/* With the lock held. */
static struct under_way **find_under_way(struct tier *self, const struct file_id *id)
{
	struct under_way **at = &self->under_way;

	while (*at != NULL && !file_id_equal((*at)->id, id))
		at = &(*at)->next;
	return at;
}

static void begin_delete(struct tier *self, struct engine_remove *remove)
{
	struct delete *delete = calloc(1, sizeof *delete);

	assert(delete != NULL);
	delete->tier = self;
	delete->outer = remove;
	delete->inner = (struct engine_remove){
		.id = remove->id, .done = on_hot_removed, .context = delete
	};
	engine_remove(self->hot, &delete->inner);
}

static void remove_tiered(struct engine *engine, struct engine_remove *remove)
{
	struct tier *self = self_of(engine);
	struct under_way *moving;

	remove->next = NULL;
	pthread_mutex_lock(&self->lock);
	self->deletes++;
	moving = *find_under_way(self, &remove->id);
	if (moving != NULL) {
		*moving->removes_end = remove;
		moving->removes_end = &remove->next;
	}
	pthread_mutex_unlock(&self->lock);
	if (moving == NULL)
		begin_delete(self, remove);
}

/* ---- moving ---- */

static int begin_move(
	struct tier *self, struct under_way *move, const struct file_id *id, struct err *err)
{
	bool busy;

	*move = (struct under_way){ .id = id };
	move->removes_end = &move->removes;
	pthread_mutex_lock(&self->lock);
	busy = *find_under_way(self, id) != NULL;
	if (!busy) {
		move->next = self->under_way;
		self->under_way = move;
	}
	pthread_mutex_unlock(&self->lock);
	return busy ? err_set(err, ERR_BUSY, "%s is on its way already", id->name) : 0;
}

static void end_move(struct tier *self, struct under_way *move)
{
	struct under_way **at;

	pthread_mutex_lock(&self->lock);
	at = find_under_way(self, move->id);
	assert(*at == move);
	*at = move->next;
	pthread_mutex_unlock(&self->lock);
	for (struct engine_remove *remove = move->removes, *next; remove != NULL; remove = next) {
		next = remove->next;
		begin_delete(self, remove);
	}
}

static int note(struct tier *self, const struct file_id *id, enum engine_cold to,
	enum engine_cold *now, struct err *err)
{
	struct engine_shift shift = { .id = *id, .to = to };

	if (engine_shift_wait(self->hot, &shift) != 0)
		return err_set(err, shift.err.code, "%s", shift.err.text);
	if (now != NULL)
		*now = shift.cold;
	return 0;
}

static int remove_cold(struct tier *self, const struct file_id *id, struct err *err)
{
	struct err why = { 0 };

	if (engine_remove_wait(self->cold, id, &why) == 0 || why.code == ERR_NOT_FOUND ||
		why.code == ERR_GONE)
		return 0;
	return err_set(err, why.code, "%s", why.text);
}

/* Is what the cold store has the picture?  Read back, all of it. */
static int verify(struct tier *self, const struct file_id *id, struct span content, struct err *err)
{
	struct buf copy;
	int rc;

	buf_init(&copy, content.len);
	rc = engine_get(self->cold, id, 0, &copy, err);
	if (rc == 0 && (copy.len != content.len ||
			       (copy.len > 0 && memcmp(copy.data, content.data, copy.len) != 0)))
		rc = err_set(err, ERR_CORRUPT, "the copy of %s is not what was sent", id->name);
	buf_fini(&copy);
	return rc;
}

static int put_cold(
	struct tier *self, const struct file_id *id, struct span content, struct err *err)
{
	struct engine_put put = {
		.content = content,
		.crc = id->crc,
		.path = ENGINE_ANY_PATH,
		.wanted = id,
	};

	if (engine_put_wait(self->cold, &put) == 0 || put.err.code == ERR_EXISTS)
		return 0;
	return err_set(err, put.err.code, "%s", put.err.text);
}

/* What an earlier try has left there may be damaged: then it is replaced, once. */
static int copy_out(
	struct tier *self, const struct file_id *id, struct span content, struct err *err)
{
	struct err why = { 0 };

	if (put_cold(self, id, content, err) != 0)
		return -1;
	if (verify(self, id, content, &why) == 0)
		return 0;
	if (why.code != ERR_CORRUPT && why.code != ERR_NOT_FOUND && why.code != ERR_GONE)
		return err_set(err, why.code, "%s", why.text);
	if (remove_cold(self, id, err) != 0 || put_cold(self, id, content, err) != 0 ||
		verify(self, id, content, err) != 0)
		return -1;
	return 0;
}

static int move_out(struct tier *self, const struct file_id *id, bool *moved, struct err *err)
{
	enum engine_cold now;
	struct buf content;
	int rc;

	if (note(self, id, ENGINE_COLD_COPY, &now, err) != 0)
		return -1;
	if (now == ENGINE_COLD_EMPTY)
		return 0;
	if (now == ENGINE_COLD_ONLY) /* it is to be erased yet */
		return note(self, id, ENGINE_COLD_ONLY, NULL, err);
	buf_init(&content, id->size);
	rc = engine_get(self->hot, id, 0, &content, err);
	if (rc == 0)
		rc = copy_out(self, id, span_of(content.data, content.len), err);
	if (rc == 0)
		rc = note(self, id, ENGINE_COLD_ONLY, NULL, err);
	*moved = rc == 0;
	buf_fini(&content);
	return rc;
}

static int refill(struct tier *self, const struct file_id *id, struct err *err)
{
	struct engine_shift shift = { .id = *id, .to = ENGINE_COLD_COPY, .back = true };
	struct engine_space space;
	struct buf content;
	int rc = engine_space(self->hot, &space, err);

	if (rc == 0 && space.path_free[id->path] < id->size)
		rc = err_set(err, ERR_FULL, "M%02X has no room for %s", id->path, id->name);
	if (rc != 0)
		return rc;
	buf_init(&content, id->size);
	rc = engine_get(self->cold, id, 0, &content, err);
	shift.content = span_of(content.data, content.len);
	if (rc == 0 && engine_shift_wait(self->hot, &shift) != 0)
		rc = err_set(err, shift.err.code, "%s", shift.err.text);
	buf_fini(&content);
	return rc;
}

static int move_back(struct tier *self, const struct file_id *id, bool *moved, struct err *err)
{
	enum engine_cold now;

	/* It asks, and changes nothing of a picture that is out. */
	if (note(self, id, ENGINE_COLD_COPY, &now, err) != 0)
		return -1;
	if (now != ENGINE_COLD_COPY) {
		struct err why = { 0 };

		if (refill(self, id, &why) != 0)
			return err_set(err,
				why.code == ERR_NOT_FOUND || why.code == ERR_GONE ? ERR_CORRUPT
										  : why.code,
				"%s", why.text);
		*moved = true;
	}
	if (remove_cold(self, id, err) != 0)
		return -1;
	return note(self, id, ENGINE_COLD_NONE, NULL, err);
}

int tier_out(struct tier *tier, const struct file_id *id, bool *moved, struct err *err)
{
	struct under_way move;
	int rc;

	*moved = false;
	if (begin_move(tier, &move, id, err) != 0)
		return -1;
	rc = move_out(tier, id, moved, err);
	end_move(tier, &move);
	return rc;
}

int tier_back(struct tier *tier, const struct file_id *id, bool *moved, struct err *err)
{
	struct under_way move;
	int rc;

	*moved = false;
	if (begin_move(tier, &move, id, err) != 0)
		return -1;
	rc = move_back(tier, id, moved, err);
	end_move(tier, &move);
	return rc;
}

int tier_sweep(struct tier *tier, const struct file_id *id, struct err *err)
{
	if (remove_cold(tier, id, err) != 0)
		return -1;
	return note(tier, id, ENGINE_COLD_NONE, NULL, err);
}

int tier_health(struct tier *tier, struct err *err)
{
	return engine_health(tier->cold, err);
}

/* ---- the engine ---- */

static void close_tiered(struct engine *engine)
{
	struct tier *self = self_of(engine);

	/* A delete goes from one store to the other and back. */
	pthread_mutex_lock(&self->lock);
	assert(self->under_way == NULL);
	while (self->deletes > 0)
		pthread_cond_wait(&self->idle, &self->lock);
	pthread_mutex_unlock(&self->lock);
	engine_close(self->hot);
	engine_close(self->cold);
	pthread_cond_destroy(&self->idle);
	pthread_mutex_destroy(&self->lock);
	free(self);
}

static const struct engine_ops engine_tiered = {
	.name = "tiered",
	.close = close_tiered,
	.put = put_tiered,
	.remove = remove_tiered,
	.get = get_tiered,
	.stat = stat_tiered,
	.place = place_tiered,
	.walk = walk_tiered,
	.space = space_tiered,
	.health = health_tiered,
	.shift = shift_tiered,
	.tier = tier_tiered,
};

struct engine *engine_tiered_new(struct engine *hot, struct engine *cold)
{
	struct tier *self = calloc(1, sizeof *self);

	assert(self != NULL);
	self->base.ops = &engine_tiered;
	self->hot = hot;
	self->cold = cold;
	pthread_mutex_init(&self->lock, NULL);
	pthread_cond_init(&self->idle, NULL);
	return &self->base;
}
