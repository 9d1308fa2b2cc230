/* scenario_tiered.c - pictures that move between volumes and a cold store, one by one, and are
 * deleted here and there.
 *
 * The cold store is in memory and loses nothing.  What it has done is noted in the record as
 * steps of their own, so that after a power cut it is put back to what it was then. */
#include "scenario.h"

#include "core/crc32.h"
#include "store/fsck.h"
#include "store/record.h"
#include "store/tier.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEN_MAX = 9000, MORE_MAX = 8 };

enum kind { PUT, REMOVE, OUT, BACK, COLD_PUT, COLD_REMOVE };

struct step {
	enum kind kind;
	unsigned target; /* the step of the put that it is about */
	struct file_id id;
	enum err_code code;
	uint8_t *bytes;
	size_t len;
};

struct tiered_world {
	struct dice dice;
	char *paths[1];
	struct engine_conf conf;
	struct engine *engine;
	struct step steps[STEPS_MAX];
	unsigned count;
	bool living;              /* and not after a power cut */
	bool has_copy[STEPS_MAX]; /* by the step of the put; under `lock` */
	pthread_mutex_t lock;
};

static unsigned add_step(struct tiered_world *world, enum kind kind, unsigned target)
{
	unsigned number = world->count++;

	world->steps[number] = (struct step){ .kind = kind, .target = target };
	step_note(number, STEP_BEGUN);
	return number;
}

/* --- the cold store --- */

struct cold {
	struct engine base;
	struct tiered_world *world;
};

/* The step that stored `id`, or STEPS_MAX. */
static unsigned step_of(const struct tiered_world *world, const struct file_id *id)
{
	for (unsigned i = 0; i < world->count; i++)
		if (world->steps[i].kind == PUT && file_id_equal(&world->steps[i].id, id))
			return i;
	return STEPS_MAX;
}

static void put_cold(struct engine *engine, struct engine_put *put)
{
	struct tiered_world *world = ((struct cold *)engine)->world;
	unsigned target = step_of(world, put->wanted), number = 0;

	if (target == STEPS_MAX)
		broken("a copy of a picture that nobody has put");
	if (world->living)
		number = add_step(world, COLD_PUT, target);
	pthread_mutex_lock(&world->lock);
	if (world->has_copy[target])
		err_set(&put->err, ERR_EXISTS, "it is there");
	world->has_copy[target] = true;
	pthread_mutex_unlock(&world->lock);
	if (world->living)
		step_note(number, STEP_DONE);
	put->done(put);
}

static void remove_cold(struct engine *engine, struct engine_remove *remove)
{
	struct tiered_world *world = ((struct cold *)engine)->world;
	unsigned target = step_of(world, &remove->id), number = 0;

	if (target == STEPS_MAX)
		broken("a copy is removed that nobody has made");
	if (world->living)
		number = add_step(world, COLD_REMOVE, target);
	pthread_mutex_lock(&world->lock);
	if (!world->has_copy[target])
		err_set(&remove->err, ERR_NOT_FOUND, "it is not there");
	world->has_copy[target] = false;
	pthread_mutex_unlock(&world->lock);
	if (world->living)
		step_note(number, STEP_DONE);
	remove->done(remove);
}

static int get_cold(struct engine *engine, const struct file_id *id, unsigned flags,
	struct buf *out, struct err *err)
{
	struct tiered_world *world = ((struct cold *)engine)->world;
	unsigned target = step_of(world, id);
	bool there;

	(void)flags;
	pthread_mutex_lock(&world->lock);
	there = target < STEPS_MAX && world->has_copy[target];
	pthread_mutex_unlock(&world->lock);
	if (!there)
		return err_set(err, ERR_NOT_FOUND, "it is not there");
	buf_put(out, world->steps[target].bytes, world->steps[target].len);
	return 0;
}

static void close_cold(struct engine *engine)
{
	free(engine);
}

static const struct engine_ops cold_ops = {
	.name = "cold",
	.close = close_cold,
	.put = put_cold,
	.remove = remove_cold,
	.get = get_cold,
};

static struct engine *cold_new(struct tiered_world *world)
{
	struct cold *cold = calloc(1, sizeof *cold);

	assert(cold != NULL);
	cold->base.ops = &cold_ops;
	cold->world = world;
	return &cold->base;
}

/* --- the world --- */

static void *tiered_begin(uint64_t seed)
{
	struct tiered_world *world = calloc(1, sizeof *world);
	static char folder[] = "/store";

	assert(world != NULL);
	world->dice.state = seed;
	world->paths[0] = folder;
	world->conf = (struct engine_conf){
		.group = "g01",
		.source = { 10, 1, 1, 197 },
		.paths = world->paths,
		.path_count = 1,
		.volume_size = (30 + dice_roll(&world->dice, 60)) << 10,
		.preallocate = (8 + dice_roll(&world->dice, 40)) << 10,
		.punch_delay_ms = dice_roll(&world->dice, 4) == 0 ? 60000 : 0,
		.now = fixed_now,
	};
	pthread_mutex_init(&world->lock, NULL);
	disk->mkdir(folder, 0700);
	return world;
}

static void tiered_end(void *context)
{
	struct tiered_world *world = context;

	for (unsigned i = 0; i < world->count; i++)
		free(world->steps[i].bytes);
	pthread_mutex_destroy(&world->lock);
	free(world);
}

static void close_engine(struct tiered_world *world)
{
	engine_close(world->engine);
	world->engine = NULL;
}

static void open_engine(struct tiered_world *world)
{
	struct err err = { 0 };

	for (int tries = 0; tries < 2 && world->engine == NULL; tries++)
		world->engine = engine_open("volume", &world->conf, &err);
	if (world->engine == NULL)
		broken("the engine does not open: %s", err.text);
	world->engine = engine_tiered_new(world->engine, cold_new(world));
}

/* The engine's thread answers this one when it has erased what is due. */
static void wait_for_eraser(struct tiered_world *world)
{
	struct file_id nothing = { .group = "g01", .name = "M00/nothing" };

	nothing.name_len = FILE_ID_NAME_LEN;
	nothing.random = VOLUME_FIRST_SPOT;
	engine_remove_wait(world->engine, &nothing, NULL);
}

static void finish(struct tiered_world *world, unsigned number, int rc, const struct err *err)
{
	if (rc != 0 && err->code != ERR_GONE && !faults_expected)
		broken("step %u fails: %s", number, err->text);
	world->steps[number].code = rc == 0 ? ERR_NONE : err->code;
	step_note(number, rc == 0 ? STEP_DONE : STEP_FAILED);
	wait_for_eraser(world);
}

static void put_one(struct tiered_world *world)
{
	unsigned number = add_step(world, PUT, world->count);
	struct step *step = &world->steps[number];
	struct engine_put put = { .ext = "jpg", .path = ENGINE_ANY_PATH };
	uint64_t seed = dice_bits(&world->dice);
	int rc;

	step->len = dice_roll(&world->dice, 2) == 0 ? dice_roll(&world->dice, 600)
						    : dice_roll(&world->dice, LEN_MAX);
	step->bytes = malloc(step->len + 1);
	assert(step->bytes != NULL);
	fill_bytes(step->bytes, step->len, seed);
	put.content = span_of(step->bytes, step->len);
	put.crc = crc32_add(0, put.content);
	rc = engine_put_wait(world->engine, &put);
	step->id = put.id;
	finish(world, number, rc, &put.err);
}

/* Do something with a picture that is there, or was. */
static void change_one(struct tiered_world *world, enum kind kind)
{
	unsigned target = dice_roll(&world->dice, world->count), number;
	struct step *put = &world->steps[target];
	struct err err = { 0 };
	bool moved;
	int rc;

	if (put->kind != PUT || put->code != ERR_NONE)
		return;
	number = add_step(world, kind, target);
	world->steps[number].id = put->id;
	if (kind == REMOVE)
		rc = engine_remove_wait(world->engine, &put->id, &err);
	else if (kind == OUT)
		rc = tier_out(engine_tier(world->engine), &put->id, &moved, &err);
	else
		rc = tier_back(engine_tier(world->engine), &put->id, &moved, &err);
	finish(world, number, rc, &err);
}

static void tiered_live(void *context)
{
	struct tiered_world *world = context;

	world->living = true;
	open_engine(world);
	put_one(world);
	while (world->count + MORE_MAX < STEPS_MAX) {
		switch (dice_roll(&world->dice, 10)) {
		case 0:
			close_engine(world);
			open_engine(world);
			break;
		case 1:
			change_one(world, REMOVE);
			break;
		case 2:
		case 3:
			change_one(world, BACK);
			break;
		case 4:
		case 5:
		case 6:
			change_one(world, OUT);
			break;
		default:
			put_one(world);
		}
	}
	close_engine(world);
	world->living = false;
}

/* --- after a crash --- */

static void tiered_recover(void *context)
{
	struct tiered_world *world = context;

	open_engine(world);
	close_engine(world);
}

/* What the cold store had.  What it was about to do: a put was done, a remove was not. */
static void restore_cold(struct tiered_world *world, const uint8_t *status)
{
	memset(world->has_copy, 0, sizeof world->has_copy);
	for (unsigned i = 0; i < world->count; i++)
		if (world->steps[i].kind == COLD_PUT && status[i] != STEP_AHEAD)
			world->has_copy[world->steps[i].target] = true;
		else if (world->steps[i].kind == COLD_REMOVE && status[i] == STEP_DONE)
			world->has_copy[world->steps[i].target] = false;
}

static enum err_code get(struct tiered_world *world, const struct step *step, unsigned number)
{
	struct err err = { 0 };
	struct buf buf;

	buf_init(&buf, LEN_MAX);
	if (engine_get(world->engine, &step->id, 0, &buf, &err) == 0 &&
		(buf.len != step->len || memcmp(buf.data, step->bytes, step->len) != 0))
		broken("step %u: other bytes are served", number);
	if (err.code != ERR_NONE && buf.len > 0)
		broken("step %u: an error, and bytes", number);
	buf_fini(&buf);
	return err.code;
}

/* How far the delete of what step `put` stored is. */
static enum step_status removal(
	const struct tiered_world *world, const uint8_t *status, unsigned put)
{
	enum step_status most = STEP_AHEAD;

	for (unsigned i = 0; i < world->count; i++) {
		const struct step *step = &world->steps[i];
		bool answered = status[i] == STEP_DONE ||
				(status[i] == STEP_FAILED && step->code == ERR_GONE);

		if (step->kind != REMOVE || step->target != put || status[i] == STEP_AHEAD)
			continue;
		if (answered || most == STEP_AHEAD)
			most = answered ? STEP_DONE : STEP_BEGUN;
	}
	return most;
}

static void check_put(struct tiered_world *world, unsigned number, const uint8_t *status)
{
	const struct step *step = &world->steps[number];
	enum step_status removed = removal(world, status, number);
	enum err_code code;

	if (status[number] == STEP_AHEAD || step->id.name[0] == '\0')
		return;
	code = get(world, step, number);
	if (status[number] != STEP_DONE) {
		if (code != ERR_NONE && code != ERR_NOT_FOUND && code != ERR_CORRUPT)
			broken("step %u was being stored, and is: %s", number, err_word(code));
		return;
	}
	if (removed == STEP_DONE && code != ERR_GONE)
		broken("step %u was deleted, and is: %s", number, err_word(code));
	if (removed == STEP_DONE && world->has_copy[number])
		broken("step %u was deleted, and the cold store has it", number);
	if (removed == STEP_AHEAD && code != ERR_NONE)
		broken("step %u was stored, and is: %s", number, err_word(code));
	if (removed == STEP_BEGUN && code != ERR_NONE && code != ERR_GONE)
		broken("step %u was being deleted, and is: %s", number, err_word(code));
}

static void check_all(struct tiered_world *world, const uint8_t *status)
{
	for (unsigned i = 0; i < world->count; i++)
		if (world->steps[i].kind == PUT)
			check_put(world, i, status);
}

/* Every picture that is there goes out, or comes back. */
static void move_all(struct tiered_world *world, const uint8_t *status, bool out)
{
	struct tier *tier = engine_tier(world->engine);
	struct err err = { 0 };
	bool moved;

	for (unsigned i = 0; i < world->count; i++) {
		const struct step *step = &world->steps[i];
		int rc;

		if (step->kind != PUT || status[i] == STEP_AHEAD || step->id.name[0] == '\0' ||
			get(world, step, i) != ERR_NONE)
			continue;
		rc = out ? tier_out(tier, &step->id, &moved, &err)
			 : tier_back(tier, &step->id, &moved, &err);
		if (rc != 0)
			broken("step %u does not move: %s", i, err.text);
		if (world->has_copy[i] != out)
			broken("step %u has moved, and has not", i);
	}
}

static bool sweep(void *context, const struct engine_found *found)
{
	struct tiered_world *world = context;
	struct err err;

	if (found->what == ENGINE_FOUND_DELETED && found->cold != ENGINE_COLD_NONE &&
		tier_sweep(engine_tier(world->engine), &found->id, &err) != 0)
		broken("a copy is not swept up: %s", err.text);
	return true;
}

static void tell(void *context, const char *file, const struct err *err)
{
	(void)context;
	(void)file;
	broken("fsck: %s", err->text);
}

static void check_fsck(const struct tiered_world *world)
{
	struct fsck fsck = {
		.group = "g01", .paths = world->conf.paths, .path_count = 1, .problem = tell
	};
	struct fsck_totals totals;

	if (fsck_run(&fsck, &totals, NULL) != 0 || !fsck_clean(&totals))
		broken("fsck is not content");
}

/* Of nothing there is a copy that nobody knows. */
static void tiered_check(void *context, const uint8_t status[STEPS_MAX], bool thorough)
{
	struct tiered_world *world = context;
	struct err err;

	restore_cold(world, status);
	open_engine(world);
	check_all(world, status);
	if (thorough) {
		move_all(world, status, true);
		check_all(world, status);
		move_all(world, status, false);
		check_all(world, status);
		if (engine_walk(world->engine, 0, sweep, world, &err) != 0)
			broken("no walk: %s", err.text);
		for (unsigned i = 0; i < world->count; i++)
			if (world->has_copy[i])
				broken("a copy of what step %u stored is left", i);
	}
	close_engine(world);
	if (thorough)
		check_fsck(world);
}

const struct scenario scenario_tiered = {
	.name = "tiered",
	.share = 15,
	.begin = tiered_begin,
	.live = tiered_live,
	.end = tiered_end,
	.recover = tiered_recover,
	.check = tiered_check,
};
