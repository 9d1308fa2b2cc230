/* model.c - random operations and crashes, against a plain map in memory.
 *
 *     model [--seed N] [--steps N]
 *
 * Each step is a put, a get, a delete, a closing in order or a loss of power of the volume
 * engine on a simulated disk, or a change or a look at a file of names.db.  The map says
 * what must be there: after a crash what was acknowledged, and of what was under way
 * either. */
#include "scenario.h"

#include "core/crc32.h"
#include "store/engine.h"
#include "store/names.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PICTURES = 400, LEN_MAX = 3000, FILES = 12, FILE_MAX = 3000, NAMES_EVERY = 12 };

struct picture {
	enum { EMPTY, STORED, UNSURE, DELETED } state;
	struct file_id id;
	uint64_t seed;
	size_t len;
};

struct text {
	bool there;
	size_t len;
	uint8_t bytes[FILE_MAX];
};

static struct dice dice;
static struct sim *sim;
static struct engine *engine;
static struct names *names;
static struct picture pictures[PICTURES];
static struct text files[FILES];
static uint64_t counts[6];
enum { PUTS, GETS, REMOVES, CRASHES, CLOSES, CHANGES };

static void open_all(void)
{
	static char folder[] = "/store";
	char *paths[1] = { folder };
	struct engine_conf conf = {
		.group = "g01",
		.source = { 10, 1, 1, 197 },
		.paths = paths,
		.path_count = 1,
		.volume_size = 16 << 20,
		.preallocate = 1 << 20,
		.now = fixed_now,
	};
	struct err err = { 0 };

	engine = engine_open("volume", &conf, &err);
	names = engine == NULL ? NULL : names_open(folder, false, fixed_now, &err);
	if (names == NULL)
		broken("the store does not open: %s", err.text);
}

static void close_all(void)
{
	engine_close(engine);
	names_close(names);
}

/* --- pictures --- */

static void look(struct picture *picture)
{
	static uint8_t bytes[LEN_MAX];
	struct err err = { 0 };
	struct buf buf;

	if (picture->state == EMPTY)
		return;
	counts[GETS]++;
	buf_init(&buf, LEN_MAX);
	engine_get(engine, &picture->id, 0, &buf, &err);
	fill_bytes(bytes, picture->len, picture->seed);
	if (err.code == ERR_NONE &&
		(buf.len != picture->len || memcmp(buf.data, bytes, buf.len) != 0))
		broken("%s has other bytes", picture->id.name);
	buf_fini(&buf);
	if (picture->state == UNSURE && (err.code == ERR_NONE || err.code == ERR_GONE))
		picture->state = err.code == ERR_NONE ? STORED : DELETED;
	if (err.code != (picture->state == STORED ? ERR_NONE : ERR_GONE))
		broken("%s, which is %s, is: %s", picture->id.name,
			picture->state == STORED ? "stored" : "deleted", err_word(err.code));
}

static void put(struct picture *picture)
{
	static uint8_t bytes[LEN_MAX];
	struct engine_put put = { .ext = "jpg", .path = ENGINE_ANY_PATH };

	if (picture->state == STORED || picture->state == UNSURE)
		return;
	counts[PUTS]++;
	picture->seed = dice_bits(&dice);
	picture->len = dice_roll(&dice, dice_roll(&dice, 8) == 0 ? LEN_MAX : 500);
	fill_bytes(bytes, picture->len, picture->seed);
	put.content = span_of(bytes, picture->len);
	put.crc = crc32_add(0, put.content);
	if (engine_put_wait(engine, &put) != 0)
		broken("a put fails: %s", put.err.text);
	picture->id = put.id;
	picture->state = STORED;
}

static void take_away(struct picture *picture)
{
	struct err err = { 0 };

	if (picture->state == EMPTY || picture->state == UNSURE)
		return;
	counts[REMOVES]++;
	engine_remove_wait(engine, &picture->id, &err);
	if (err.code != (picture->state == STORED ? ERR_NONE : ERR_GONE))
		broken("a delete of %s: %s", picture->id.name, err_word(err.code));
	picture->state = DELETED;
}

/* --- files of names.db --- */

static const char *file_name(unsigned number)
{
	static char name[60];

	snprintf(name, sizeof name, "M00/00/00/appender-%u", number);
	return name;
}

static void look_at_file(unsigned number)
{
	const struct text *text = &files[number];
	struct err err = { 0 };
	struct buf buf;

	buf_init(&buf, FILE_MAX);
	names_read(names, file_name(number), 0, FILE_MAX, &buf, &err);
	if (err.code != (text->there ? ERR_NONE : ERR_NOT_FOUND) ||
		(text->there &&
			(buf.len != text->len || memcmp(buf.data, text->bytes, buf.len) != 0)))
		broken("%s is not what it was: %s", file_name(number), err.text);
	buf_fini(&buf);
}

static void change_file(unsigned number)
{
	const char *name = file_name(number);
	struct text *text = &files[number];
	uint8_t bytes[200];
	size_t len = 1 + dice_roll(&dice, sizeof bytes), at;
	struct names_new new = { name, NULL, span_of(bytes, len) };
	struct err err = { 0 };
	int result;

	counts[CHANGES]++;
	fill_bytes(bytes, len, dice_bits(&dice));
	if (!text->there) {
		result = names_create(names, &new, &err);
		*text = (struct text){ .there = true, .len = len };
		memcpy(text->bytes, bytes, len);
	} else if (text->len + len > FILE_MAX || dice_roll(&dice, 10) == 0) {
		result = names_remove(names, name, &err);
		text->there = false;
	} else if (dice_roll(&dice, 4) == 0) {
		at = dice_roll(&dice, FILE_MAX);
		result = names_truncate(names, name, at, FILE_MAX, &err);
		if (at > text->len)
			memset(text->bytes + text->len, 0, at - text->len);
		text->len = at;
	} else {
		at = dice_roll(&dice, text->len + 1);
		result = names_modify(names, name, at, span_of(bytes, len), FILE_MAX, &err);
		memcpy(text->bytes + at, bytes, len);
		if (at + len > text->len)
			text->len = at + len;
	}
	if (result != 0)
		broken("a change of %s fails: %s", name, err.text);
	look_at_file(number);
}

/* --- the end of everything, now and then --- */

/* Power goes when all is acknowledged, or in the middle of one last put or delete. */
static void crash(void)
{
	struct picture *last = &pictures[dice_roll(&dice, PICTURES)], before = *last;
	size_t answered = sim_event_count(sim), until;
	struct sim_replay *replay;
	struct sim *after;

	counts[CRASHES]++;
	if (before.state == STORED)
		take_away(last);
	else
		put(last);
	until = answered + dice_roll(&dice, sim_event_count(sim) - answered + 1);
	close_all(); /* nobody sees that */
	if (before.state == STORED)
		last->state = UNSURE;
	else
		last->state = EMPTY; /* nobody was told its id */
	replay = sim_replay_new(sim);
	sim_replay_to(replay, until);
	after = sim_replay_crash(replay, dice_bits(&dice));
	sim_replay_free(replay);
	sim_free(sim);
	sim = after;
	sim_use(sim);
	open_all();
	for (unsigned i = 0; i < PICTURES; i++)
		look(&pictures[i]);
	for (unsigned i = 0; i < FILES; i++)
		look_at_file(i);
}

static void step(void)
{
	struct picture *picture = &pictures[dice_roll(&dice, PICTURES)];
	uint32_t what = dice_roll(&dice, 1000);

	if (what == 0) {
		crash();
	} else if (what == 1) {
		counts[CLOSES]++;
		close_all();
		sim_settle(sim);
		open_all();
	} else if (what < 1000 / NAMES_EVERY) {
		change_file(dice_roll(&dice, FILES));
	} else if (what < 300) {
		put(picture);
	} else if (what < 420) {
		take_away(picture);
	} else {
		look(picture);
	}
}

int main(int argc, char **argv)
{
	uint64_t seed = (uint64_t)time(NULL), steps = 2000000;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--seed") == 0)
			seed = strtoull(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--steps") == 0)
			steps = strtoull(argv[i + 1], NULL, 10);
	}
	printf("seed %" PRIu64 "\n", seed);
	fflush(stdout);
	dice.state = seed;
	fixed_world(seed);
	sim = sim_new();
	sim_use(sim);
	disk->mkdir("/store", 0700);
	sim_settle(sim);
	open_all();
	for (uint64_t i = 0; i < steps; i++) {
		where("--seed %" PRIu64 ", step %" PRIu64, seed, i);
		step();
	}
	close_all();
	sim_free(sim);
	printf("%" PRIu64 " steps: %" PRIu64 " puts, %" PRIu64 " gets, %" PRIu64
	       " deletes, %" PRIu64 " changes in names.db, %" PRIu64 " crashes, %" PRIu64
	       " stops\n",
		steps, counts[PUTS], counts[GETS], counts[REMOVES], counts[CHANGES],
		counts[CRASHES], counts[CLOSES]);
	return 0;
}
