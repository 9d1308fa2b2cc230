#include "store/engine_alias.h"

#include "store/engines.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct engine_alias {
	struct engine base;
	struct engine *inner;
	struct aliases *aliases, *own; /* the same, or NULL: they are another's */
	char group[FILE_ID_GROUP_MAX + 1];
};

static struct engine_alias *self_of(struct engine *engine)
{
	return (struct engine_alias *)engine;
}

/* The inner engine has no record of `id` (`err` says so).  Returns true with the picture
 * that it means in `*target`; else `err` is the outcome. */
static bool means(struct engine_alias *self, const struct file_id *id, unsigned flags,
	struct file_id *target, struct err *err)
{
	char name[FILE_ID_NAME_MAX + 1];
	int found;

	if (err->code != ERR_NOT_FOUND || !aliases_any(self->aliases))
		return false;
	if ((flags & ENGINE_NO_WAIT) != 0) {
		err_set(err, ERR_WOULD_BLOCK, "%s must be looked up", id->name);
		return false;
	}
	found = aliases_find(self->aliases, id->name, name, err);
	if (found != 1)
		return false;
	if (file_id_parse_name(span_str(self->group), span_str(name), target)) {
		*err = (struct err){ 0 }; /* for callers that look at it alone */
		return true;
	}
	err_set(err, ERR_CORRUPT, "the alias %s means '%s', which is no name", id->name, name);
	return false;
}

static void put_alias(struct engine *engine, struct engine_put *put)
{
	engine_put(self_of(engine)->inner, put);
}

/* A remove on its way through. */
struct detour {
	struct engine_alias *self;
	struct engine_remove inner, *outer;
	bool looked_up;
};

static void on_removed(struct engine_remove *inner)
{
	struct detour *detour = inner->context;
	struct engine_remove *outer = detour->outer;
	struct err err = inner->err;
	struct file_id target;

	if (!detour->looked_up && means(detour->self, &inner->id, 0, &target, &err)) {
		detour->looked_up = true;
		inner->id = target;
		engine_remove(detour->self->inner, inner);
		return;
	}
	outer->err = err;
	free(detour);
	outer->done(outer);
}

static void remove_alias(struct engine *engine, struct engine_remove *remove)
{
	struct engine_alias *self = self_of(engine);
	struct detour *detour;

	if (!aliases_any(self->aliases)) {
		engine_remove(self->inner, remove);
		return;
	}
	detour = calloc(1, sizeof *detour);
	assert(detour != NULL);
	*detour = (struct detour){
		.self = self,
		.inner = { .id = remove->id, .done = on_removed, .context = detour },
		.outer = remove,
	};
	engine_remove(self->inner, &detour->inner);
}

static int get_alias(struct engine *engine, const struct file_id *id, unsigned flags,
	struct buf *out, struct err *err)
{
	struct engine_alias *self = self_of(engine);
	struct file_id target;

	if (engine_get(self->inner, id, flags, out, err) == 0)
		return 0;
	if (!means(self, id, flags, &target, err))
		return -1;
	return engine_get(self->inner, &target, flags, out, err);
}

static int stat_alias(struct engine *engine, const struct file_id *id, unsigned flags,
	struct engine_stat *out, struct err *err)
{
	struct engine_alias *self = self_of(engine);
	struct file_id target;

	if (engine_stat(self->inner, id, flags, out, err) == 0)
		return 0;
	if (!means(self, id, flags, &target, err))
		return -1;
	return engine_stat(self->inner, &target, flags, out, err);
}

static int place_alias(struct engine *engine, const struct file_id *id, unsigned flags,
	struct engine_place *out, struct err *err)
{
	struct engine_alias *self = self_of(engine);
	struct file_id target;

	if (engine_place(self->inner, id, flags, out, err) == 0)
		return 0;
	if (!means(self, id, flags, &target, err))
		return -1;
	return engine_place(self->inner, &target, flags, out, err);
}

static int walk_alias(struct engine *engine, unsigned flags,
	bool (*found)(void *context, const struct engine_found *found), void *context,
	struct err *err)
{
	return engine_walk(self_of(engine)->inner, flags, found, context, err);
}

static int space_alias(struct engine *engine, struct engine_space *out, struct err *err)
{
	return engine_space(self_of(engine)->inner, out, err);
}

static struct aliases *aliases_alias(struct engine *engine)
{
	return self_of(engine)->aliases;
}

static void shift_alias(struct engine *engine, struct engine_shift *shift)
{
	engine_shift(self_of(engine)->inner, shift);
}

static struct tier *tier_alias(struct engine *engine)
{
	return engine_tier(self_of(engine)->inner);
}

static int health_alias(struct engine *engine, struct err *err)
{
	return engine_health(self_of(engine)->inner, err);
}

static int sweep_alias(struct engine *engine, struct engine_doubts *left, struct err *err)
{
	return engine_sweep(self_of(engine)->inner, left, err);
}

/* The inner engine first: it finishes removes, which look names up. */
static void close_alias(struct engine *engine)
{
	struct engine_alias *self = self_of(engine);

	engine_close(self->inner);
	aliases_close(self->own);
	free(self);
}

#define OPERATIONS(is_shared)                                                                      \
	{                                                                                          \
		.shared = is_shared, .name = "alias", .close = close_alias, .put = put_alias,      \
		.remove = remove_alias, .get = get_alias, .stat = stat_alias,                      \
		.place = place_alias, .walk = walk_alias, .space = space_alias,                    \
		.aliases = aliases_alias, .shift = shift_alias, .tier = tier_alias,                \
		.health = health_alias, .sweep = sweep_alias,                                      \
	}

static const struct engine_ops of_one = OPERATIONS(false), of_many = OPERATIONS(true);

struct engine *engine_alias_new(
	struct engine *inner, const struct engine_conf *conf, struct err *err)
{
	struct engine_alias *self = calloc(1, sizeof *self);

	assert(self != NULL);
	self->base.ops = engine_is_shared(inner) ? &of_many : &of_one;
	self->inner = inner;
	strcpy(self->group, conf->group);
	self->aliases = conf->aliases;
	if (self->aliases == NULL)
		self->aliases = self->own = aliases_open(conf->paths[0], conf->read_only, err);
	if (self->aliases != NULL)
		return &self->base;
	close_alias(&self->base);
	return NULL;
}
