/* scenario_volume.c - uploads and deletes in the volume engine: one by one and many at
 * once, over several volumes, with closing in order between them. */
#include "scenario.h"

#include "core/crc32.h"
#include "store/engine.h"
#include "store/fsck.h"
#include "store/record.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEN_MAX = 20000, BATCH_MAX = 8 };

struct step {
	struct volume_world *world;
	unsigned number;
	bool is_remove;
	unsigned target; /* of a remove: the step of the put */
	uint64_t seed;
	uint8_t *bytes;
	size_t len;
	struct engine_put put;
	struct engine_remove remove;
};

struct volume_world {
	struct dice dice;
	char *paths[1];
	struct engine_conf conf;
	struct engine *engine;
	struct step steps[STEPS_MAX];
	unsigned count;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned under_way;
};

static void *volume_begin(uint64_t seed)
{
	struct volume_world *world = calloc(1, sizeof *world);
	static char folder[] = "/store";

	assert(world != NULL);
	world->dice.state = seed;
	world->paths[0] = folder;
	world->conf = (struct engine_conf){
		.group = "g01",
		.source = { 10, 1, 1, 197 },
		.paths = world->paths,
		.path_count = 1,
		.volume_size = (40 + dice_roll(&world->dice, 80)) << 10,
		.preallocate = (8 + dice_roll(&world->dice, 40)) << 10,
		.punch_delay_ms = dice_roll(&world->dice, 4) == 0 ? 60000 : 0,
		.now = fixed_now,
	};
	pthread_mutex_init(&world->lock, NULL);
	pthread_cond_init(&world->changed, NULL);
	disk->mkdir(folder, 0700);
	return world;
}

static void volume_end(void *context)
{
	struct volume_world *world = context;

	for (unsigned i = 0; i < world->count; i++)
		free(world->steps[i].bytes);
	pthread_mutex_destroy(&world->lock);
	pthread_cond_destroy(&world->changed);
	free(world);
}

static void close_engine(struct volume_world *world)
{
	engine_close(world->engine);
	world->engine = NULL;
}

/* A start that fails is tried again: whoever starts the program does that. */
static void open_engine(struct volume_world *world)
{
	struct err err = { 0 };

	for (int tries = 0; tries < 2 && world->engine == NULL; tries++)
		world->engine = engine_open("volume", &world->conf, &err);
	if (world->engine == NULL)
		broken("the engine does not open: %s", err.text);
}

/* --- steps --- */

static void finished(struct step *step, const struct err *err)
{
	struct volume_world *world = step->world;

	if (err->code != ERR_NONE && err->code != ERR_GONE && !faults_expected)
		broken("step %u fails: %s", step->number, err->text);
	step_note(step->number, err->code == ERR_NONE ? STEP_DONE : STEP_FAILED);
	sim_gate_open(); /* it may never have come to a flush */
	pthread_mutex_lock(&world->lock);
	world->under_way--;
	pthread_cond_signal(&world->changed);
	pthread_mutex_unlock(&world->lock);
}

static void put_done(struct engine_put *put)
{
	finished(put->context, &put->err);
}

static void remove_done(struct engine_remove *remove)
{
	finished(remove->context, &remove->err);
}

static struct step *new_step(struct volume_world *world)
{
	struct step *step = &world->steps[world->count];

	*step = (struct step){ .world = world, .number = world->count++ };
	return step;
}

static void start(struct step *step)
{
	pthread_mutex_lock(&step->world->lock);
	step->world->under_way++;
	pthread_mutex_unlock(&step->world->lock);
	step_note(step->number, STEP_BEGUN);
}

/* Wait until nothing is under way: so a run does the same each time. */
static void wait_all(struct volume_world *world)
{
	struct file_id nothing = { .group = "g01", .name = "M00/nothing" };

	pthread_mutex_lock(&world->lock);
	while (world->under_way > 0)
		pthread_cond_wait(&world->changed, &world->lock);
	pthread_mutex_unlock(&world->lock);
	/* The engine's thread answers this one when it has erased what was deleted. */
	nothing.name_len = FILE_ID_NAME_LEN;
	nothing.random = VOLUME_FIRST_SPOT;
	engine_remove_wait(world->engine, &nothing, NULL);
}

static void start_put(struct volume_world *world)
{
	struct step *step = new_step(world);
	struct dice *dice = &world->dice;

	step->seed = dice_bits(dice);
	step->len = dice_roll(dice, 6) == 0   ? dice_roll(dice, LEN_MAX)
		    : dice_roll(dice, 2) == 0 ? dice_roll(dice, 600)
					      : dice_roll(dice, 4000);
	step->bytes = malloc(step->len + 1);
	assert(step->bytes != NULL);
	fill_bytes(step->bytes, step->len, step->seed);
	step->put = (struct engine_put){
		.content = span_of(step->bytes, step->len),
		.crc = crc32_add(0, span_of(step->bytes, step->len)),
		.ext = "jpg",
		.path = ENGINE_ANY_PATH,
		.done = put_done,
		.context = step,
	};
	start(step);
	engine_put(world->engine, &step->put);
}

/* Delete one that was put by step `before` or earlier; or nothing. */
static void start_remove(struct volume_world *world, unsigned before)
{
	unsigned target = before == 0 ? 0 : dice_roll(&world->dice, before);
	struct step *step;

	if (before == 0 || world->steps[target].is_remove ||
		world->steps[target].put.err.code != ERR_NONE)
		return;
	step = new_step(world);
	step->is_remove = true;
	step->target = target;
	step->remove = (struct engine_remove){
		.id = world->steps[target].put.id, .done = remove_done, .context = step
	};
	start(step);
	engine_remove(world->engine, &step->remove);
}

/* Everything but the first shares a flush. */
static void batch(struct volume_world *world)
{
	unsigned more = 1 + dice_roll(&world->dice, BATCH_MAX), before;

	sim_gate_shut();
	start_put(world);
	sim_gate_wait();
	before = world->count - 1;
	for (unsigned i = 0; i < more; i++)
		if (dice_roll(&world->dice, 3) == 0)
			start_remove(world, before);
		else
			start_put(world);
	sim_gate_open();
}

static void volume_live(void *context)
{
	struct volume_world *world = context;

	open_engine(world);
	while (world->count + BATCH_MAX + 1 < STEPS_MAX) {
		switch (dice_roll(&world->dice, 8)) {
		case 0:
			close_engine(world);
			open_engine(world);
			break;
		case 1:
		case 2:
			start_remove(world, world->count);
			break;
		case 3:
		case 4:
			batch(world);
			break;
		default:
			start_put(world);
		}
		wait_all(world);
	}
	close_engine(world);
}

/* --- after a crash --- */

static void volume_recover(void *context)
{
	struct volume_world *world = context;

	open_engine(world);
	close_engine(world);
}

static enum err_code get(struct volume_world *world, const struct step *step)
{
	struct err err = { 0 }, place_err = { 0 };
	struct engine_place place;
	struct buf buf;

	buf_init(&buf, LEN_MAX);
	if (engine_get(world->engine, &step->put.id, 0, &buf, &err) == 0 &&
		(buf.len != step->len || memcmp(buf.data, step->bytes, step->len) != 0))
		broken("step %u: other bytes are served", step->number);
	if (err.code != ERR_NONE && buf.len > 0)
		broken("step %u: an error, and bytes", step->number);
	buf_fini(&buf);
	engine_place(world->engine, &step->put.id, 0, &place, &place_err);
	if (place_err.code != err.code)
		broken("step %u: get says '%s', place '%s'", step->number, err.text,
			place_err.text);
	return err.code;
}

/* How far the delete of what step `put` stored is: STEP_AHEAD, STEP_BEGUN or STEP_DONE.
 * "Gone already" promises as much as "deleted". */
static enum step_status removal(
	const struct volume_world *world, const uint8_t *status, unsigned put)
{
	enum step_status most = STEP_AHEAD;

	for (unsigned i = 0; i < world->count; i++) {
		const struct step *step = &world->steps[i];
		bool answered = status[i] == STEP_DONE ||
				(status[i] == STEP_FAILED && step->remove.err.code == ERR_GONE);

		if (!step->is_remove || step->target != put || status[i] == STEP_AHEAD)
			continue;
		if (answered || most == STEP_AHEAD)
			most = answered ? STEP_DONE : STEP_BEGUN;
	}
	return most;
}

static void check_put(struct volume_world *world, const struct step *step, const uint8_t *status)
{
	enum step_status put = status[step->number];
	enum step_status removed = removal(world, status, step->number);
	enum err_code code;

	if (put == STEP_AHEAD || step->put.id.name[0] == '\0')
		return;
	code = get(world, step);
	if (put == STEP_DONE && removed == STEP_DONE && code != ERR_GONE)
		broken("step %u was deleted, and is: %s", step->number, err_word(code));
	if (put == STEP_DONE && removed == STEP_AHEAD && code != ERR_NONE)
		broken("step %u was stored, and is: %s", step->number, err_word(code));
	if (put == STEP_DONE && removed == STEP_BEGUN && code != ERR_NONE && code != ERR_GONE)
		broken("step %u was being deleted, and is: %s", step->number, err_word(code));
	if (put != STEP_DONE && code != ERR_NONE && code != ERR_NOT_FOUND && code != ERR_CORRUPT)
		broken("step %u was being stored, and is: %s", step->number, err_word(code));
}

static void tell(void *context, const char *file, const struct err *err)
{
	char *text = context;

	(void)file;
	snprintf(text, 300, "%s", err->text);
}

static void check_fsck(const struct volume_world *world)
{
	char problem[300] = "";
	struct fsck fsck = {
		.group = "g01",
		.paths = world->conf.paths,
		.path_count = 1,
		.repair = true,
		.problem = tell,
		.context = problem,
	};
	struct fsck_totals totals;

	if (fsck_run(&fsck, &totals, NULL) != 0 || !fsck_clean(&totals))
		broken("fsck: %s", problem);
	if (totals.repaired > 0 && problem[0] == '\0')
		broken("fsck repairs in silence");
	fsck.repair = false;
	problem[0] = '\0';
	if (fsck_run(&fsck, &totals, NULL) != 0 || !fsck_clean(&totals) || problem[0] != '\0')
		broken("fsck, once repaired: %s", problem);
}

static void check_all(struct volume_world *world, const uint8_t *status)
{
	for (unsigned i = 0; i < world->count; i++)
		if (!world->steps[i].is_remove)
			check_put(world, &world->steps[i], status);
}

/* It goes on: what comes now is stored, deletes what it is told, and harms nothing. */
static void check_next(struct volume_world *world, const uint8_t *status)
{
	static uint8_t bytes[3000];
	struct engine_put put = {
		.content = span_of(bytes, sizeof bytes),
		.crc = crc32_add(0, span_of(bytes, sizeof bytes)),
		.path = ENGINE_ANY_PATH,
	};
	struct err err = { 0 };

	if (engine_put_wait(world->engine, &put) != 0)
		broken("the next upload fails: %s", put.err.text);
	check_all(world, status);
	if (engine_remove_wait(world->engine, &put.id, &err) != 0)
		broken("the next delete fails: %s", err.text);
	check_all(world, status);
}

static void volume_check(void *context, const uint8_t status[STEPS_MAX], bool thorough)
{
	struct volume_world *world = context;

	open_engine(world);
	check_all(world, status);
	if (thorough)
		check_next(world, status);
	close_engine(world);
	if (thorough)
		check_fsck(world);
}

const struct scenario scenario_volume = {
	.name = "volume",
	.share = 30,
	.begin = volume_begin,
	.live = volume_live,
	.end = volume_end,
	.recover = volume_recover,
	.check = volume_check,
};
