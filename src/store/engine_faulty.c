#include "store/engine_faulty.h"

#include "store/engines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const op_names[ENGINE_OP_COUNT] = {
	[ENGINE_OP_PUT] = "put",
	[ENGINE_OP_REMOVE] = "remove",
	[ENGINE_OP_GET] = "get",
	[ENGINE_OP_STAT] = "stat",
	[ENGINE_OP_PLACE] = "place",
	[ENGINE_OP_WALK] = "walk",
	[ENGINE_OP_SPACE] = "space",
};

struct rule {
	_Atomic unsigned code, after, every, calls;
};

struct engine_faulty {
	struct engine base;
	struct engine *inner;
	struct rule rules[ENGINE_OP_COUNT];
};

/* Is it this call's turn to fail?  Fills `err` if so. */
static bool fails(struct engine *engine, enum engine_op op, struct err *err)
{
	struct rule *rule = &((struct engine_faulty *)engine)->rules[op];
	unsigned every = rule->every > 0 ? rule->every : 1, call = rule->calls++;

	if (rule->code == ERR_NONE || call < rule->after || (call - rule->after + 1) % every != 0)
		return false;
	err_set(err, (enum err_code)rule->code, "%s fails on purpose", op_names[op]);
	return true;
}

static struct engine *inner_of(struct engine *engine)
{
	return ((struct engine_faulty *)engine)->inner;
}

/* Store it and keep the outcome to oneself. */
static void put_in_secret(struct engine *engine, const struct engine_put *put)
{
	struct engine_put copy = *put;

	engine_put_wait(inner_of(engine), &copy);
}

static void put_faulty(struct engine *engine, struct engine_put *put)
{
	struct err err;

	if (!fails(engine, ENGINE_OP_PUT, &err)) {
		engine_put(inner_of(engine), put);
		return;
	}
	if (err.code == ERR_UNKNOWN)
		put_in_secret(engine, put);
	put->err = err;
	put->done(put);
}

static void remove_faulty(struct engine *engine, struct engine_remove *remove)
{
	struct err err;

	if (!fails(engine, ENGINE_OP_REMOVE, &err)) {
		engine_remove(inner_of(engine), remove);
		return;
	}
	if (err.code == ERR_UNKNOWN)
		engine_remove_wait(inner_of(engine), &remove->id, NULL);
	remove->err = err;
	remove->done(remove);
}

static int get_faulty(struct engine *engine, const struct file_id *id, unsigned flags,
	struct buf *out, struct err *err)
{
	if (fails(engine, ENGINE_OP_GET, err))
		return -1;
	return engine_get(inner_of(engine), id, flags, out, err);
}

static int stat_faulty(struct engine *engine, const struct file_id *id, unsigned flags,
	struct engine_stat *out, struct err *err)
{
	if (fails(engine, ENGINE_OP_STAT, err))
		return -1;
	return engine_stat(inner_of(engine), id, flags, out, err);
}

static int place_faulty(struct engine *engine, const struct file_id *id, unsigned flags,
	struct engine_place *out, struct err *err)
{
	if (fails(engine, ENGINE_OP_PLACE, err))
		return -1;
	return engine_place(inner_of(engine), id, flags, out, err);
}

static int walk_faulty(struct engine *engine, unsigned flags,
	bool (*found)(void *context, const struct engine_found *found), void *context,
	struct err *err)
{
	if (fails(engine, ENGINE_OP_WALK, err))
		return -1;
	return engine_walk(inner_of(engine), flags, found, context, err);
}

static int space_faulty(struct engine *engine, struct engine_space *out, struct err *err)
{
	if (fails(engine, ENGINE_OP_SPACE, err))
		return -1;
	return engine_space(inner_of(engine), out, err);
}

static int health_faulty(struct engine *engine, struct err *err)
{
	return engine_health(inner_of(engine), err);
}

static struct aliases *aliases_faulty(struct engine *engine)
{
	return engine_aliases(inner_of(engine));
}

static void close_faulty(struct engine *engine)
{
	engine_close(inner_of(engine));
	free(engine);
}

struct engine *engine_faulty_new(struct engine *inner, struct err *err)
{
	struct engine_faulty *self = calloc(1, sizeof *self);

	if (self == NULL) {
		err_set(err, ERR_INTERNAL, "memory has ended");
		return NULL;
	}
	self->base.ops = &engine_faulty;
	self->inner = inner;
	return &self->base;
}

static struct engine *open_faulty(const struct engine_conf *conf, struct err *err)
{
	const char *faults = getenv("PICSTORE_FAULTS");
	struct engine *inner = engine_open("volume", conf, err), *engine;

	if (inner == NULL)
		return NULL;
	engine = engine_faulty_new(inner, err);
	if (engine == NULL) {
		engine_close(inner);
		return NULL;
	}
	if (faults != NULL && engine_faulty_parse(engine, faults, err) != 0) {
		engine_close(engine);
		return NULL;
	}
	return engine;
}

void engine_faulty_set(struct engine *engine, enum engine_op op, const struct engine_fault *fault)
{
	struct rule *rule = &((struct engine_faulty *)engine)->rules[op];

	rule->code = fault->code;
	rule->after = fault->after;
	rule->every = fault->every;
	rule->calls = 0;
}

static bool find_op(const char *name, enum engine_op *op)
{
	for (int i = 0; i < ENGINE_OP_COUNT; i++)
		if (strcmp(op_names[i], name) == 0) {
			*op = (enum engine_op)i;
			return true;
		}
	return false;
}

static bool find_code(const char *word, enum err_code *code)
{
	for (int i = 0; i < ERR_COUNT; i++)
		if (strcmp(err_word((enum err_code)i), word) == 0) {
			*code = (enum err_code)i;
			return true;
		}
	return false;
}

/* One rule, "op=word", with "/every" and "+after" behind it. */
static bool parse_rule(struct engine *engine, const char *text)
{
	struct engine_fault fault = { 0 };
	char name[16], word[32];
	enum engine_op op;
	int len = 0;

	if (sscanf(text, "%15[a-z]=%31[a-z_]%n", name, word, &len) != 2)
		return false;
	for (text += len; *text == '/' || *text == '+';) {
		unsigned *number = *text == '/' ? &fault.every : &fault.after;

		if (sscanf(text + 1, "%9u%n", number, &len) != 1)
			return false;
		text += 1 + len;
	}
	if (*text != '\0' || !find_op(name, &op) || !find_code(word, &fault.code))
		return false;
	engine_faulty_set(engine, op, &fault);
	return true;
}

int engine_faulty_parse(struct engine *engine, const char *text, struct err *err)
{
	char copy[256], *rest = copy, *rule;

	if (strlen(text) >= sizeof copy)
		return err_set(err, ERR_CONFIG, "too many faults");
	strcpy(copy, text);
	while ((rule = strsep(&rest, ",")) != NULL)
		if (*rule != '\0' && !parse_rule(engine, rule))
			return err_set(err, ERR_CONFIG, "'%s' is not a fault", rule);
	return 0;
}

const struct engine_ops engine_faulty = {
	.name = "faulty",
	.open = open_faulty,
	.close = close_faulty,
	.put = put_faulty,
	.remove = remove_faulty,
	.get = get_faulty,
	.stat = stat_faulty,
	.place = place_faulty,
	.walk = walk_faulty,
	.space = space_faulty,
	.health = health_faulty,
	.aliases = aliases_faulty,
};
