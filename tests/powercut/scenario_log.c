/* scenario_log.c - the delete log: lines that are appended, taken over, done in batches, tried
 * again, taken back. */
#include "scenario.h"

#include "deletion/delete_log.h"
#include "deletion/delete_queue.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 48, ENTRIES_MAX = 200, LINES = 6, NEVER = STEPS_MAX, CALLS_MAX = 2000 };

#define LOG "/log/delete.log"
#define DUE INT64_C(1000000)

/* One line, and the steps that promise something about it. */
struct log_entry {
	unsigned appended, finished, taken_back; /* or NEVER */
	bool waits;                              /* in memory: not delivered yet */
};

struct log_world {
	struct dice dice;
	struct delete_log *log;
	struct delete_queue *queue;
	struct log_entry entries[ENTRIES_MAX];
	unsigned count;
	bool seen[ENTRIES_MAX + 1]; /* by a check */
};

static void *log_begin(uint64_t seed)
{
	struct log_world *world = calloc(1, sizeof *world);

	assert(world != NULL);
	world->dice.state = seed;
	return world;
}

static void log_end(void *world)
{
	free(world);
}

static void close_all(struct log_world *world)
{
	delete_log_close(world->log);
	delete_queue_close(world->queue);
	world->log = NULL;
	world->queue = NULL;
}

static void open_log(struct log_world *world)
{
	struct err err = { 0 };

	for (int tries = 0; tries < 2 && world->log == NULL; tries++)
		world->log = delete_log_open(LOG, &err);
	if (world->log == NULL)
		broken("the log does not open: %s", err.text);
}

static void open_queue(struct log_world *world)
{
	struct err err = { 0 };

	for (int tries = 0; tries < 2 && world->queue == NULL; tries++)
		world->queue = delete_queue_open(LOG, true, &err);
	if (world->queue == NULL)
		broken("the queue does not open: %s", err.text);
}

/* --- lines --- */

static const char *url_of(unsigned number)
{
	static char text[100];

	snprintf(text, sizeof text, "g01/M00/00/%02X/CgEBxVxREbmAUETXAAEqVyZGQRY768.jpg", number);
	return text;
}

static unsigned number_of(const struct delete_line *line)
{
	unsigned number;

	if (sscanf(line->url.text, "g01/M00/00/%02X/", &number) != 1 || number > ENTRIES_MAX ||
		strcmp(line->url.text, url_of(number)) != 0)
		broken("'%s' was never asked for", line->url.text);
	return number;
}

static int append(struct log_world *world, unsigned from, unsigned count, struct err *err)
{
	struct delete_line line = { .time_ms = 1000, .verb = DELETE_VERB_DELETE, .user = 5 };
	struct buf text;
	int result;

	buf_init(&text, 10000);
	for (unsigned i = from; i < from + count; i++) {
		snprintf(line.url.text, sizeof line.url.text, "%.64s", url_of(i));
		delete_line_put(&text, &line);
	}
	result = delete_log_append(world->log, buf_span(&text), err);
	buf_fini(&text);
	return result;
}

/* --- steps --- */

static int append_some(struct log_world *world, unsigned step, struct err *err)
{
	unsigned from = world->count, count = 1 + dice_roll(&world->dice, LINES);
	int result;

	if (from + count > ENTRIES_MAX)
		return 0;
	world->count += count;
	for (unsigned i = from; i < from + count; i++)
		world->entries[i] = (struct log_entry){ step, NEVER, NEVER, false };
	result = append(world, from, count, err);
	for (unsigned i = from; i < from + count; i++)
		world->entries[i].waits = result == 0;
	return result;
}

/* The store has deleted them, but for those that it could not: these move to the front. */
static int delete_them(struct log_world *world, struct delete_line *lines, int count, unsigned step)
{
	int failed = 0;

	for (int i = 0; i < count; i++) {
		struct log_entry *entry = &world->entries[number_of(&lines[i])];

		entry->waits = false;
		if (dice_roll(&world->dice, 4) == 0)
			lines[failed++] = lines[i];
		else if (entry->finished == NEVER)
			entry->finished = step;
	}
	return failed;
}

static int do_batch(struct log_world *world, unsigned step, struct err *err)
{
	struct delete_line lines[LINES];
	struct delete_figures figures = { 0 };
	int max = 1 + (int)dice_roll(&world->dice, LINES), count, failed;

	if (delete_queue_lock(world->queue, err) != 0)
		return -1;
	count = delete_queue_next(world->queue, DUE, lines, max, &figures, err);
	failed = count <= 0 ? 0 : delete_them(world, lines, count, step);
	if (count > 0 && delete_queue_done(world->queue, lines, failed, err) != 0)
		count = -1;
	delete_queue_unlock(world->queue);
	return count < 0 ? -1 : 0;
}

static int do_again(struct log_world *world, unsigned step, struct err *err)
{
	struct delete_line *lines = NULL;
	int count, left, result = delete_queue_again(world->queue, &lines, &count, err);

	if (result == 0 && count > 0) {
		left = delete_them(world, lines, count, step);
		if (left < count)
			result = delete_queue_again_set(world->queue, lines, left, err);
	}
	free(lines);
	return result;
}

static int take_back(struct log_world *world, unsigned step, struct err *err)
{
	unsigned at = world->count == 0 ? 0 : dice_roll(&world->dice, world->count);
	int result;

	if (world->count == 0 || !world->entries[at].waits)
		return 0;
	if (delete_queue_lock(world->queue, err) != 0)
		return -1;
	world->entries[at].taken_back = step;
	result = delete_queue_take_back(world->queue, url_of(at), 5, 2000, err);
	if (result == 0)
		world->entries[at].waits = false;
	delete_queue_unlock(world->queue);
	return result;
}

static int take_step(struct log_world *world, unsigned step, struct err *err)
{
	switch (dice_roll(&world->dice, 8)) {
	case 0:
	case 1:
	case 2:
		return append_some(world, step, err);
	case 3:
		return take_back(world, step, err);
	case 4:
		return do_again(world, step, err);
	default:
		return do_batch(world, step, err);
	}
}

static void log_live(void *context)
{
	struct log_world *world = context;

	open_log(world);
	open_queue(world);
	for (unsigned step = 0; step < STEPS; step++) {
		struct err err = { 0 };
		int result;

		if (dice_roll(&world->dice, 10) == 0) {
			close_all(world);
			open_log(world);
			open_queue(world);
		}
		step_note(step, STEP_BEGUN);
		result = take_step(world, step, &err);
		step_note(step, result == 0 ? STEP_DONE : STEP_FAILED);
		if (result == 0)
			continue;
		if (!faults_expected)
			broken("step %u fails: %s", step, err.text);
		/* A run of del_file_ontime ends then, and del_svr goes on. */
		delete_queue_close(world->queue);
		world->queue = NULL;
		open_queue(world);
	}
	close_all(world);
}

/* --- after a crash --- */

static void log_recover(void *context)
{
	struct log_world *world = context;
	struct delete_line lines[LINES];
	struct delete_figures figures = { 0 };

	open_log(world);
	open_queue(world);
	/* Looked at, and nothing is done. */
	delete_queue_next(world->queue, DUE, lines, LINES, &figures, NULL);
	close_all(world);
}

static void see(struct log_world *world, const struct delete_line *lines, int count)
{
	for (int i = 0; i < count; i++)
		world->seen[number_of(&lines[i])] = true;
}

/* Everything that the queue gives, until it is empty. */
static void drain(struct log_world *world)
{
	struct delete_figures figures = { 0 };
	struct delete_line lines[LINES], *again = NULL;
	struct err err = { 0 };
	int count;

	if (delete_queue_again(world->queue, &again, &count, &err) != 0)
		broken("LOG.again cannot be read: %s", err.text);
	see(world, again, count);
	free(again);
	for (int calls = 0; calls < CALLS_MAX; calls++) {
		count = delete_queue_next(world->queue, DUE, lines, LINES, &figures, &err);
		if (count < 0)
			broken("the queue cannot be read: %s", err.text);
		if (count == 0)
			return;
		see(world, lines, count);
		if (delete_queue_done(world->queue, lines, 0, &err) != 0)
			broken("a batch cannot be done: %s", err.text);
	}
	broken("the queue does not end");
}

static enum step_status of(const uint8_t *status, unsigned step)
{
	return step == NEVER ? STEP_AHEAD : status[step];
}

static void check_entry(const struct log_world *world, unsigned number, const uint8_t *status)
{
	const struct log_entry *entry = &world->entries[number];
	enum step_status appended = of(status, entry->appended);
	enum step_status finished = of(status, entry->finished);
	enum step_status back = of(status, entry->taken_back);

	if (world->seen[number] && appended == STEP_AHEAD)
		broken("line %u was never asked for", number);
	if (world->seen[number] && back == STEP_DONE)
		broken("line %u was taken back, and is done", number);
	if (!world->seen[number] && appended == STEP_DONE && finished == STEP_AHEAD &&
		back == STEP_AHEAD)
		broken("line %u is lost", number);
}

static void log_check(void *context, const uint8_t status[STEPS_MAX], bool thorough)
{
	struct log_world *world = context;
	struct err err = { 0 };

	memset(world->seen, 0, sizeof world->seen);
	open_log(world);
	open_queue(world);
	if (thorough && append(world, ENTRIES_MAX, 1, &err) != 0)
		broken("the next line cannot be appended: %s", err.text);
	drain(world);
	close_all(world);
	for (unsigned i = 0; i < world->count; i++)
		check_entry(world, i, status);
	if (thorough && !world->seen[ENTRIES_MAX])
		broken("the next line is lost");
}

const struct scenario scenario_log = {
	.name = "log",
	.share = 20,
	.begin = log_begin,
	.live = log_live,
	.end = log_end,
	.recover = log_recover,
	.check = log_check,
};
