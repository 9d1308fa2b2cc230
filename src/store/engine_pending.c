#include "store/engine_pending.h"

#include "store/engines.h"
#include "store/pending.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SWEEP_AT_ONCE = 32 };

struct engine_pending {
	struct engine base;
	struct engine *inner;
	struct engine_journal conf;
	struct pending *pending;
	char group[FILE_ID_GROUP_MAX + 1];
};

static struct engine_pending *self_of(struct engine *engine)
{
	return (struct engine_pending *)engine;
}

static int64_t now_s(const struct engine_pending *self)
{
	return self->conf.now_ms() / 1000;
}

static void tell(struct engine_pending *self, const struct err *err)
{
	self->conf.tell(self->conf.context, err);
}

/* Note a doubt; who cannot be told by the journal is told by the log. */
static void doubt(struct engine_pending *self, enum pending_what what, const char *name)
{
	struct err err;

	if (pending_doubt(self->pending, what, name, now_s(self), &err) == 0)
		return;
	err_prefix(&err, "%s: its outcome is not known, and cannot be noted", name);
	tell(self, &err);
}

/* ---- put ---- */

struct putting {
	struct engine_pending *self;
	struct engine_put inner, *outer;
	bool noted; /* inner.id, in the journal */
};

static int before_put(struct engine_put *inner)
{
	struct putting *putting = inner->context;
	struct pending *pending = putting->self->pending;

	if (inner->wanted != NULL) /* its caller knows the id, and may put it again */
		return !pending_is_doubtful(pending, inner->id.name)
			       ? 0
			       : err_set(&inner->err, ERR_BUSY, "a delete of %s is pending",
					 inner->id.name);
	/* The id before was that of something else. */
	if (putting->noted && pending_end(pending, putting->outer->id.name, &inner->err) != 0)
		return -1;
	putting->noted = pending_begin(pending, PENDING_PUT, inner->id.name, &inner->err) == 0;
	putting->outer->id = inner->id;
	return putting->noted ? 0 : -1;
}

static void after_put(struct engine_put *inner)
{
	struct putting *putting = inner->context;
	struct engine_pending *self = putting->self;
	struct engine_put *outer = putting->outer;
	struct err err;

	outer->err = inner->err;
	if (putting->noted && inner->err.code == ERR_UNKNOWN) {
		doubt(self, PENDING_PUT, inner->id.name);
	} else if (putting->noted && pending_end(self->pending, inner->id.name, &err) != 0 &&
		   inner->err.code == ERR_NONE) {
		/* The next start would remove it. */
		outer->err = err;
		outer->err.code = ERR_UNKNOWN;
		err_prefix(&outer->err, "%s is stored, and the journal fails", inner->id.name);
		doubt(self, PENDING_PUT, inner->id.name);
	}
	outer->id = inner->id;
	free(putting);
	outer->done(outer);
}

static void put_pending(struct engine *engine, struct engine_put *put)
{
	struct putting *putting = calloc(1, sizeof *putting);

	assert(putting != NULL);
	*putting = (struct putting){ .self = self_of(engine), .inner = *put, .outer = put };
	putting->inner.done = after_put;
	putting->inner.sending = before_put;
	putting->inner.context = putting;
	engine_put(putting->self->inner, &putting->inner);
}

/* ---- remove ---- */

struct removing {
	struct engine_pending *self;
	struct engine_remove inner, *outer;
	bool noted;
};

static void before_remove(struct engine_remove *inner)
{
	struct removing *removing = inner->context;
	struct err err;

	/* A full disk is no reason to keep a picture. */
	removing->noted = pending_begin(removing->self->pending, PENDING_REMOVE, inner->id.name,
				  &err) == 0;
}

static void after_remove(struct engine_remove *inner)
{
	struct removing *removing = inner->context;
	struct engine_pending *self = removing->self;
	struct engine_remove *outer = removing->outer;
	struct err ignored;

	if (inner->err.code == ERR_UNKNOWN)
		doubt(self, PENDING_REMOVE, inner->id.name);
	else if (removing->noted) /* if not, it is removed once more */
		pending_end(self->pending, inner->id.name, &ignored);
	outer->err = inner->err;
	free(removing);
	outer->done(outer);
}

static void remove_pending(struct engine *engine, struct engine_remove *remove)
{
	struct removing *removing = calloc(1, sizeof *removing);

	assert(removing != NULL);
	*removing = (struct removing){ .self = self_of(engine), .outer = remove };
	removing->inner = (struct engine_remove){
		.id = remove->id,
		.done = after_remove,
		.sending = before_remove,
		.context = removing,
	};
	engine_remove(removing->self->inner, &removing->inner);
}

/* ---- sweep ---- */

/* Is it gone for sure?  If not, err says why. */
static bool remove_again(struct engine_pending *self, const char *name, struct err *err)
{
	struct file_id id;

	if (!file_id_parse_name(span_str(self->group), span_str(name), &id))
		return true; /* nothing here ever had that name */
	return engine_remove_wait(self->inner, &id, err) == 0 || err->code == ERR_NOT_FOUND ||
	       err->code == ERR_GONE;
}

static int sweep_row(struct engine_pending *self, const struct pending_row *row, struct err *err)
{
	static const char *const told[] = {
		[PENDING_PUT] = "an upload of unknown outcome, of which nobody was told, is gone",
		[PENDING_REMOVE] = "a delete of unknown outcome is done",
	};
	int64_t begun_s = now_s(self);
	struct err failure = { 0 }, done = { 0 };
	bool gone = remove_again(self, row->name, &failure);
	int result = pending_tried(self->pending, row->what, row->name, gone, begun_s, err);

	if (result == 1) {
		snprintf(done.text, sizeof done.text, "%s: %s", row->name, told[row->what]);
		tell(self, &done);
	}
	if (result < 0 || gone)
		return result < 0 ? -1 : 0;
	return err_set(err, failure.code, "%s: %s", row->name, failure.text);
}

static int sweep_pending(struct engine *engine, struct engine_doubts *left, struct err *err)
{
	struct engine_pending *self = self_of(engine);
	struct pending_row rows[SWEEP_AT_ONCE];
	int64_t counts[PENDING_KINDS];
	int count = 0, result = 0;

	if (engine_health(self->inner, NULL) == 0)
		count = pending_due(self->pending, now_s(self), rows, SWEEP_AT_ONCE, err);
	/* When one fails the others would. */
	for (int i = 0; i < count && result == 0; i++)
		result = sweep_row(self, &rows[i], err);
	pending_count(self->pending, counts);
	*left = (struct engine_doubts){ counts[PENDING_PUT], counts[PENDING_REMOVE] };
	return count < 0 ? -1 : result;
}

/* ---- what goes through ---- */

static int get_pending(struct engine *engine, const struct file_id *id, unsigned flags,
	struct buf *out, struct err *err)
{
	return engine_get(self_of(engine)->inner, id, flags, out, err);
}

static bool read_pending(struct engine *engine, struct engine_reading *reading)
{
	return engine_read(self_of(engine)->inner, reading);
}

static int stat_pending(struct engine *engine, const struct file_id *id, unsigned flags,
	struct engine_stat *out, struct err *err)
{
	return engine_stat(self_of(engine)->inner, id, flags, out, err);
}

static int place_pending(struct engine *engine, const struct file_id *id, unsigned flags,
	struct engine_place *out, struct err *err)
{
	return engine_place(self_of(engine)->inner, id, flags, out, err);
}

static int walk_pending(struct engine *engine, unsigned flags,
	bool (*found)(void *context, const struct engine_found *found), void *context,
	struct err *err)
{
	return engine_walk(self_of(engine)->inner, flags, found, context, err);
}

static int space_pending(struct engine *engine, struct engine_space *out, struct err *err)
{
	return engine_space(self_of(engine)->inner, out, err);
}

static int health_pending(struct engine *engine, struct err *err)
{
	return engine_health(self_of(engine)->inner, err);
}

/* The inner engine first: what is under way notes its outcome. */
static void close_pending(struct engine *engine)
{
	struct engine_pending *self = self_of(engine);

	engine_close(self->inner);
	pending_close(self->pending);
	free(self);
}

static const struct engine_ops engine_pending = {
	.name = "pending",
	.shared = true,
	.close = close_pending,
	.put = put_pending,
	.remove = remove_pending,
	.get = get_pending,
	.stat = stat_pending,
	.place = place_pending,
	.walk = walk_pending,
	.space = space_pending,
	.health = health_pending,
	.sweep = sweep_pending,
	.read = read_pending,
};

static void on_left(void *context, const char *name)
{
	struct err err;

	err_set(&err, ERR_UNKNOWN,
		"%s was on its way when the machine went down; nobody may have its id", name);
	tell(context, &err);
}

struct engine *engine_pending_new(
	struct engine *inner, const struct engine_conf *conf, struct err *err)
{
	struct engine_pending *self = calloc(1, sizeof *self);

	assert(self != NULL);
	self->base.ops = &engine_pending;
	self->inner = inner;
	strcpy(self->group, conf->group);
	self->conf = *conf->journal;
	self->conf.path = NULL; /* is not kept */
	self->pending = pending_open(conf->journal->path, NULL, now_s(self), on_left, self, err);
	if (self->pending != NULL)
		return &self->base;
	close_pending(&self->base);
	return NULL;
}
