#include "store/engine.h"

#include "store/engine_alias.h"
#include "store/engine_pending.h"
#include "store/engines.h"
#include "store/tier.h"

#include <pthread.h>
#include <sodium.h>
#include <string.h>

static const struct engine_ops *const engines[] = { &engine_volume, &engine_file, &engine_faulty,
	&engine_s3, &engine_rados };

/* Put the cold store of `conf` behind `hot`, which is closed if that fails. */
static struct engine *put_behind(
	struct engine *hot, const struct engine_conf *conf, struct err *err)
{
	struct engine_conf below = *conf;
	struct engine *cold;

	below.cold = NULL;
	below.journal = NULL; /* what is under way is noted in the record */
	below.aliases = NULL;
	cold = engine_open(conf->cold, &below, err);
	if (cold != NULL)
		return engine_tiered_new(hot, cold);
	engine_close(hot);
	return NULL;
}

/* What a shared engine need not know of; `inner` is closed if that fails. */
static struct engine *put_around(
	struct engine *inner, const struct engine_conf *conf, struct err *err)
{
	struct engine *engine = inner;

	if (conf->journal != NULL && !conf->read_only)
		engine = engine_pending_new(engine, conf, err);
	if (engine != NULL && conf->aliases != NULL)
		engine = engine_alias_new(engine, conf, err);
	return engine;
}

struct engine *engine_open(const char *name, const struct engine_conf *conf, struct err *err)
{
	if (sodium_init() < 0) {
		err_set(err, ERR_INTERNAL, "libsodium does not start");
		return NULL;
	}
	for (size_t i = 0; i < sizeof engines / sizeof engines[0]; i++)
		if (strcmp(engines[i]->name, name) == 0) {
			struct engine *engine = engines[i]->open(conf, err);

			if (engine != NULL && engines[i] == &engine_volume && conf->cold != NULL)
				engine = put_behind(engine, conf, err);
			if (engine != NULL && engines[i] == &engine_volume)
				return engine_alias_new(engine, conf, err);
			if (engine != NULL && engines[i]->shared)
				return put_around(engine, conf, err);
			return engine;
		}
	err_set(err, ERR_CONFIG, "there is no engine called %s", name);
	return NULL;
}

void engine_close(struct engine *engine)
{
	if (engine != NULL)
		engine->ops->close(engine);
}

void engine_put(struct engine *engine, struct engine_put *put)
{
	put->err = (struct err){ 0 };
	engine->ops->put(engine, put);
}

void engine_remove(struct engine *engine, struct engine_remove *remove)
{
	remove->err = (struct err){ 0 };
	engine->ops->remove(engine, remove);
}

int engine_get(struct engine *engine, const struct file_id *id, unsigned flags, struct buf *out,
	struct err *err)
{
	return engine->ops->get(engine, id, flags, out, err);
}

bool engine_read(struct engine *engine, struct engine_reading *reading)
{
	reading->err = (struct err){ 0 };
	return engine->ops->read != NULL && engine->ops->read(engine, reading);
}

int engine_stat(struct engine *engine, const struct file_id *id, unsigned flags,
	struct engine_stat *out, struct err *err)
{
	return engine->ops->stat(engine, id, flags, out, err);
}

int engine_place(struct engine *engine, const struct file_id *id, unsigned flags,
	struct engine_place *out, struct err *err)
{
	if (engine->ops->place == NULL)
		return err_set(err, ERR_UNSUPPORTED, "engine %s keeps no files", engine->ops->name);
	return engine->ops->place(engine, id, flags, out, err);
}

int engine_walk(struct engine *engine, unsigned flags,
	bool (*found)(void *context, const struct engine_found *found), void *context,
	struct err *err)
{
	if (engine->ops->walk == NULL)
		return err_set(err, ERR_UNSUPPORTED, "engine %s cannot list its pictures",
			engine->ops->name);
	return engine->ops->walk(engine, flags, found, context, err);
}

int engine_space(struct engine *engine, struct engine_space *out, struct err *err)
{
	return engine->ops->space(engine, out, err);
}

int engine_health(struct engine *engine, struct err *err)
{
	return engine->ops->health == NULL ? 0 : engine->ops->health(engine, err);
}

bool engine_is_shared(const struct engine *engine)
{
	return engine->ops->shared;
}

struct aliases *engine_aliases(struct engine *engine)
{
	return engine->ops->aliases == NULL ? NULL : engine->ops->aliases(engine);
}

void engine_shift(struct engine *engine, struct engine_shift *shift)
{
	shift->err = (struct err){ 0 };
	if (engine->ops->shift != NULL) {
		engine->ops->shift(engine, shift);
		return;
	}
	err_set(&shift->err, ERR_UNSUPPORTED, "engine %s has no cold store behind it",
		engine->ops->name);
	shift->done(shift);
}

struct tier *engine_tier(struct engine *engine)
{
	return engine->ops->tier == NULL ? NULL : engine->ops->tier(engine);
}

int engine_sweep(struct engine *engine, struct engine_doubts *left, struct err *err)
{
	*left = (struct engine_doubts){ 0 };
	return engine->ops->sweep == NULL ? 0 : engine->ops->sweep(engine, left, err);
}

/* What a waiting caller waits on. */
struct waiting {
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	bool done;
};

static void wait_until_done(struct waiting *waiting)
{
	pthread_mutex_lock(&waiting->mutex);
	while (!waiting->done)
		pthread_cond_wait(&waiting->wake, &waiting->mutex);
	pthread_mutex_unlock(&waiting->mutex);
	pthread_mutex_destroy(&waiting->mutex);
	pthread_cond_destroy(&waiting->wake);
}

static void say_done(struct waiting *waiting)
{
	pthread_mutex_lock(&waiting->mutex);
	waiting->done = true;
	pthread_cond_signal(&waiting->wake);
	pthread_mutex_unlock(&waiting->mutex);
}

static void put_done(struct engine_put *put)
{
	say_done(put->context);
}

static void remove_done(struct engine_remove *remove)
{
	say_done(remove->context);
}

static void shift_done(struct engine_shift *shift)
{
	say_done(shift->context);
}

int engine_shift_wait(struct engine *engine, struct engine_shift *shift)
{
	struct waiting waiting = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false };

	shift->done = shift_done;
	/* cppcheck-suppress autoVariables ; it is waited for, and not used afterwards */
	shift->context = &waiting;
	engine_shift(engine, shift);
	wait_until_done(&waiting);
	return shift->err.code == ERR_NONE ? 0 : -1;
}

int engine_put_wait(struct engine *engine, struct engine_put *put)
{
	struct waiting waiting = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false };

	put->done = put_done;
	/* cppcheck-suppress autoVariables ; it is waited for, and not used afterwards */
	put->context = &waiting;
	engine_put(engine, put);
	wait_until_done(&waiting);
	return put->err.code == ERR_NONE ? 0 : -1;
}

int engine_remove_wait(struct engine *engine, const struct file_id *id, struct err *err)
{
	struct waiting waiting = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false };
	struct engine_remove remove = { .id = *id, .done = remove_done, .context = &waiting };

	engine_remove(engine, &remove);
	wait_until_done(&waiting);
	if (remove.err.code == ERR_NONE)
		return 0;
	if (err != NULL)
		*err = remove.err;
	return -1;
}
