#include "store/mover.h"

#include "core/clock.h"
#include "core/disk.h"
#include "core/durable_file.h"
#include "core/steady_cond.h"
#include "store/volume_change.h"
#include "store/volume_list.h"
#include "store/volume_walk.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	LANES = 8,   /* pictures on their way at a time */
	BATCH = 256, /* that are looked for before they are moved */
	FILE_MODE = 0640,
	TEXT_MAX = 400,
	LOOK_AGAIN_MS = 1000, /* MOVER_STAY: for new ones */
	BACKOFF_MS = 1000,
	BACKOFF_MAX_MS = 15000,
};

enum what { OUT, BACK, SWEEP };

struct item {
	struct file_id id;
	enum what what;
	bool done;
};

struct position {
	size_t path;
	int number; /* of the volume */
	uint32_t spot;
};

static const struct position start_of_path = { 0, 0, VOLUME_FIRST_SPOT };

struct mover {
	struct mover_conf conf;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;

	/* Under `lock`: */
	struct mover_report now;
	bool stopping;
	unsigned orders;    /* so many have come */
	int64_t next_ms;    /* when the next bytes may go, for the rate */
	bool held_up;       /* by `now.trouble`: nothing more is begun */
	struct position at; /* of the pass */
	uint64_t saved;     /* `now.moved`, as it stands in the file */

	/* The thread's own: */
	unsigned order; /* that it carries out: `orders` when it began */
	struct mover_order doing;
	bool first; /* pass over everything, not only over what is new */
	struct position tails[ENGINE_ANY_PATH]; /* where new records began, by path */
	struct item batch[BATCH];
	size_t count;
	_Atomic size_t turn;
	uint32_t spot; /* that the batch reaches to */
};

/* ---- waiting ---- */

/* With the lock held: is there something else to do than what the thread does? */
static bool called_off(const struct mover *mover)
{
	return mover->stopping || mover->orders != mover->order;
}

/* With the lock held: are the figures those of what the thread does? */
static bool is_its_own(const struct mover *mover)
{
	return mover->orders == mover->order;
}

static bool is_called_off(struct mover *mover)
{
	bool off;

	pthread_mutex_lock(&mover->lock);
	off = called_off(mover);
	pthread_mutex_unlock(&mover->lock);
	return off;
}

/* With the lock held.  Ends early when called off. */
static void wait_ms(struct mover *mover, int64_t ms)
{
	int64_t until_ms = clock_mono_ms() + ms;

	while (!called_off(mover) && steady_cond_wait_ms(&mover->wake, &mover->lock, until_ms))
		;
}

/* Wait for the turn of `len` bytes.  False if they are not to go. */
static bool pace(struct mover *mover, uint64_t len)
{
	int64_t now_ms = clock_mono_ms(), turn_ms;
	bool go;

	pthread_mutex_lock(&mover->lock);
	turn_ms = mover->next_ms > now_ms ? mover->next_ms : now_ms;
	if (mover->now.order.rate > 0)
		mover->next_ms = turn_ms + (int64_t)(len * 1000 / mover->now.order.rate);
	if (turn_ms > now_ms)
		wait_ms(mover, turn_ms - now_ms);
	go = !called_off(mover) && !mover->held_up;
	pthread_mutex_unlock(&mover->lock);
	return go;
}

/* ---- what is on the disk ---- */

static void file_of(const struct mover *mover, char out[VOLUME_PATH_MAX + 16])
{
	snprintf(out, VOLUME_PATH_MAX + 16, "%s/moving", mover->conf.paths[0]);
}

/* With the lock held. */
static int save(struct mover *mover, struct err *err)
{
	const struct mover_report *now = &mover->now;
	char file[VOLUME_PATH_MAX + 16], text[TEXT_MAX];

	file_of(mover, file);
	snprintf(text, sizeof text,
		"moving %d %" PRId64 " %" PRIu64 " %zu %d %" PRIu32 " %" PRIu64 " %" PRIu64
		" %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
		now->order.action, now->order.before, now->order.rate, mover->at.path,
		mover->at.number, mover->at.spot, now->looked, now->moved, now->bytes, now->young,
		now->failed);
	mover->saved = now->moved;
	return durable_file_write(file, span_str(text), FILE_MODE, err);
}

static void save_or_say(struct mover *mover)
{
	struct err err;
	int rc;

	pthread_mutex_lock(&mover->lock);
	rc = called_off(mover) ? 0 : save(mover, &err);
	pthread_mutex_unlock(&mover->lock);
	if (rc != 0)
		mover->conf.failed(mover->conf.context, NULL, &err);
}

/* What makes no sense is an order that was done long ago. */
static void load(struct mover *mover)
{
	char file[VOLUME_PATH_MAX + 16], end;
	struct mover_report now = { .state = MOVER_IDLE };
	struct position at;
	int action, count;
	FILE *in;

	file_of(mover, file);
	in = fopen(file, "re");
	if (in == NULL)
		return;
	count = fscanf(in,
		"moving %1d %19" SCNd64 " %19" SCNu64 " %3zu %6d %8" SCNu32 " %19" SCNu64
		" %19" SCNu64 " %19" SCNu64 " %19" SCNu64 " %19" SCNu64 "%c",
		&action, &now.order.before, &now.order.rate, &at.path, &at.number, &at.spot,
		&now.looked, &now.moved, &now.bytes, &now.young, &now.failed, &end);
	fclose(in);
	if (count != 12 || end != '\n' || action < 0 || action >= MOVER_ACTIONS ||
		at.path > mover->conf.path_count || at.number < 0 ||
		at.number > VOLUME_NUMBER_MAX + 1 || at.spot < VOLUME_FIRST_SPOT ||
		at.spot > RECORD_SPOT_END)
		return;
	now.order.action = (enum mover_action)action;
	if (action != MOVER_REST)
		now.state = at.path == mover->conf.path_count ? MOVER_DONE : MOVER_WORKING;
	/* Of an order without end the tails are not remembered. */
	if (action == MOVER_STAY) {
		at = start_of_path;
		now.state = MOVER_WORKING;
	}
	mover->now = now;
	mover->saved = now.moved;
	mover->at = at;
}

/* ---- a batch ---- */

/* Will it be the same with the next picture, and otherwise later? */
static bool passes(enum err_code code)
{
	switch (code) {
	case ERR_CORRUPT:
	case ERR_IO:
	case ERR_EXISTS:
	case ERR_TOO_LARGE:
	case ERR_BAD_REQUEST:
	case ERR_INTERNAL:
		return false;
	default:
		return true;
	}
}

static void settle(
	struct mover *mover, struct item *item, int rc, bool moved, const struct err *err)
{
	bool gone = rc != 0 && (err->code == ERR_GONE || err->code == ERR_NOT_FOUND);
	bool fails = rc != 0 && !gone, waits = fails && passes(err->code), say = false;

	pthread_mutex_lock(&mover->lock);
	item->done = !waits;
	if (is_its_own(mover)) {
		say = fails && (!waits || mover->now.state != MOVER_WAITING);
		mover->now.moved += rc == 0 && moved;
		mover->now.bytes += rc == 0 && moved ? item->id.size : 0;
		mover->now.failed += fails && !waits;
		if (fails)
			mover->now.trouble = *err;
		if (waits) {
			mover->held_up = true;
			mover->now.state = MOVER_WAITING;
		}
	}
	pthread_mutex_unlock(&mover->lock);
	if (say)
		mover->conf.failed(mover->conf.context, waits ? NULL : &item->id, err);
}

static void *lane(void *context)
{
	struct mover *mover = context;
	struct tier *tier = mover->conf.tier;

	for (size_t at; (at = mover->turn++) < mover->count;) {
		struct item *item = &mover->batch[at];
		struct err err = { 0 };
		bool moved = false;
		int rc;

		if (item->done)
			continue;
		if (!pace(mover, item->what == SWEEP ? 0 : item->id.size))
			break;
		if (item->what == OUT)
			rc = tier_out(tier, &item->id, &moved, &err);
		else if (item->what == BACK)
			rc = tier_back(tier, &item->id, &moved, &err);
		else
			rc = tier_sweep(tier, &item->id, &err);
		settle(mover, item, rc, moved, &err);
	}
	return NULL;
}

static void run_lanes(struct mover *mover)
{
	pthread_t threads[LANES - 1];
	size_t count = 0, most = mover->count - 1;

	mover->turn = 0;
	while (count < LANES - 1 && count < most &&
		pthread_create(&threads[count], NULL, lane, mover) == 0)
		count++;
	lane(mover);
	while (count > 0)
		pthread_join(threads[--count], NULL);
}

/* Wait until there may be changes. */
static bool wait_for_leave(struct mover *mover)
{
	struct err err;

	err_set(&err, ERR_BUSY, "this storage is read-only");
	pthread_mutex_lock(&mover->lock);
	while (!called_off(mover) && !mover->conf.may(mover->conf.context)) {
		mover->now.state = MOVER_WAITING;
		mover->now.trouble = err;
		wait_ms(mover, BACKOFF_MS);
	}
	pthread_mutex_unlock(&mover->lock);
	return !is_called_off(mover);
}

/* Move all of the batch, however long it takes.  False if called off. */
static bool run_batch(struct mover *mover)
{
	int64_t backoff_ms = BACKOFF_MS;

	while (mover->count > 0 && wait_for_leave(mover)) {
		bool held_up;

		pthread_mutex_lock(&mover->lock);
		mover->held_up = false;
		pthread_mutex_unlock(&mover->lock);
		run_lanes(mover);
		pthread_mutex_lock(&mover->lock);
		held_up = mover->held_up;
		if (held_up) {
			wait_ms(mover, backoff_ms);
			backoff_ms = 2 * backoff_ms < BACKOFF_MAX_MS ? 2 * backoff_ms
								     : BACKOFF_MAX_MS;
		} else if (!called_off(mover)) {
			if (mover->now.state == MOVER_WAITING)
				mover->now.state = MOVER_WORKING;
			mover->count = 0;
		}
		pthread_mutex_unlock(&mover->lock);
		if (is_called_off(mover))
			break;
	}
	if (is_called_off(mover))
		return false;
	pthread_mutex_lock(&mover->lock);
	mover->at.spot = mover->spot;
	pthread_mutex_unlock(&mover->lock);
	return true;
}

/* ---- what is to be moved ---- */

static void add(struct mover *mover, const struct walk_found *found, enum what what)
{
	struct item *item = &mover->batch[mover->count];

	*item = (struct item){ .what = what };
	mover->count += record_id(&found->record, &item->id);
}

static void take_picture(struct mover *mover, const struct walk_found *found)
{
	const struct mover_order *order = &mover->doing;
	const struct record *record = &found->record;
	bool young = order->action == MOVER_OUT && record->stored >= order->before;

	pthread_mutex_lock(&mover->lock);
	if (is_its_own(mover)) {
		mover->now.looked += mover->first;
		mover->now.young += young && record_is_here(record);
	}
	pthread_mutex_unlock(&mover->lock);
	if (order->action == MOVER_BACK) {
		if (record->cold != ENGINE_COLD_NONE)
			add(mover, found, BACK);
		return;
	}
	/* One that waits to be erased is noted again: whoever had it noted may have died. */
	if (!young && (record_is_here(record) || (mover->first && record_is_to_erase(record))))
		add(mover, found, OUT);
}

static bool take(void *context, const struct walk_found *found)
{
	struct mover *mover = context;

	mover->spot = (uint32_t)(found->offset / RECORD_BLOCK);
	if (found->what == WALK_PICTURE)
		take_picture(mover, found);
	else if (found->what == WALK_TOMBSTONE && found->record.cold != ENGINE_COLD_NONE)
		add(mover, found, SWEEP);
	if (mover->count == BATCH) {
		if (!run_batch(mover))
			return false;
		save_or_say(mover);
	}
	return true;
}

static int move_volume(struct mover *mover, struct err *err)
{
	const struct position *at = &mover->at; /* which only this thread changes */
	const struct volume_store store = {
		.folder = mover->conf.paths[at->path],
		.path = (uint8_t)at->path,
		.group = mover->conf.group,
	};
	struct volume *volume = volume_open(&store, (uint16_t)at->number, err);
	uint64_t tail;
	uint32_t last;
	int rc = -1;

	/* What comes while this goes on is looked at in the next pass. */
	if (volume != NULL && volume_tail(volume, &tail, err) == 0 &&
		volume_last_batch(volume, tail, &last, err) == 0) {
		mover->count = 0;
		mover->spot = at->spot;
		rc = volume_walk(volume, at->spot, false, take, mover, err);
		if (rc == 0 && !is_called_off(mover))
			run_batch(mover);
		mover->tails[at->path] = (struct position){ at->path, at->number, last };
	}
	volume_unref(volume);
	return rc;
}

static void go_to(struct mover *mover, struct position at)
{
	pthread_mutex_lock(&mover->lock);
	if (!called_off(mover))
		mover->at = at;
	pthread_mutex_unlock(&mover->lock);
}

static void next_volume(struct mover *mover)
{
	go_to(mover, (struct position){ mover->at.path, mover->at.number + 1, VOLUME_FIRST_SPOT });
	pthread_mutex_lock(&mover->lock);
	if (!called_off(mover))
		mover->now.volumes_done++;
	pthread_mutex_unlock(&mover->lock);
}

static void move_path(struct mover *mover)
{
	const char *folder = mover->conf.paths[mover->at.path];

	while (!is_called_off(mover)) {
		int number = volume_list_next(folder, mover->at.number - 1);
		struct err err = { 0 };

		if (number < 0)
			return;
		if (number != mover->at.number)
			go_to(mover,
				(struct position){ mover->at.path, number, VOLUME_FIRST_SPOT });
		if (move_volume(mover, &err) != 0 && err.code != ERR_NOT_FOUND) {
			pthread_mutex_lock(&mover->lock);
			if (is_its_own(mover)) {
				mover->now.failed++;
				mover->now.trouble = err;
			}
			pthread_mutex_unlock(&mover->lock);
			mover->conf.failed(mover->conf.context, NULL, &err);
		}
		if (is_called_off(mover))
			return;
		next_volume(mover);
		if (mover->first)
			save_or_say(mover);
	}
}

/* How many there are, and how many of them an earlier start has been through. */
static void count_volumes(const struct mover *mover, uint64_t *all, uint64_t *done)
{
	*all = *done = 0;
	for (size_t i = 0; i < mover->conf.path_count; i++)
		for (int at = -1; (at = volume_list_next(mover->conf.paths[i], at)) >= 0;) {
			++*all;
			*done += i < mover->at.path ||
				 (i == mover->at.path && at < mover->at.number);
		}
}

/* From where it stands to the end. */
static void pass(struct mover *mover)
{
	while (mover->at.path < mover->conf.path_count) {
		size_t path = mover->at.path;

		if (!mover->first)
			go_to(mover, mover->tails[path]);
		move_path(mover);
		if (is_called_off(mover))
			return;
		go_to(mover, (struct position){ path + 1, 0, VOLUME_FIRST_SPOT });
	}
}

/* ---- the thread ---- */

static void carry_out(struct mover *mover)
{
	uint64_t volumes, done;

	count_volumes(mover, &volumes, &done);
	for (size_t i = 0; i < ENGINE_ANY_PATH; i++)
		mover->tails[i] = (struct position){ i, 0, VOLUME_FIRST_SPOT };
	mover->first = true;
	pthread_mutex_lock(&mover->lock);
	if (!called_off(mover)) {
		mover->now.volumes = volumes;
		mover->now.volumes_done = done;
	}
	pthread_mutex_unlock(&mover->lock);
	for (;;) {
		pass(mover);
		if (is_called_off(mover))
			return;
		if (mover->first || mover->now.moved != mover->saved)
			save_or_say(mover);
		mover->first = false;
		pthread_mutex_lock(&mover->lock);
		if (!called_off(mover))
			mover->now.state = mover->doing.action == MOVER_STAY ? MOVER_SETTLED
									     : MOVER_DONE;
		while (mover->now.state == MOVER_DONE && !called_off(mover))
			pthread_cond_wait(&mover->wake, &mover->lock);
		wait_ms(mover, LOOK_AGAIN_MS);
		pthread_mutex_unlock(&mover->lock);
		go_to(mover, start_of_path);
	}
}

static void *run(void *context)
{
	struct mover *mover = context;

	pthread_mutex_lock(&mover->lock);
	while (!mover->stopping) {
		mover->order = mover->orders;
		mover->doing = mover->now.order;
		if (mover->now.state == MOVER_IDLE || mover->now.state == MOVER_DONE) {
			while (!called_off(mover))
				pthread_cond_wait(&mover->wake, &mover->lock);
			continue;
		}
		pthread_mutex_unlock(&mover->lock);
		carry_out(mover);
		pthread_mutex_lock(&mover->lock);
	}
	pthread_mutex_unlock(&mover->lock);
	return NULL;
}

int mover_command(struct mover *mover, const struct mover_order *order, struct err *err)
{
	struct mover_report *now = &mover->now, before;
	struct position at;
	bool same;
	int rc;

	pthread_mutex_lock(&mover->lock);
	before = *now;
	at = mover->at;
	same = now->order.action == order->action && now->order.before == order->before &&
	       (now->state == MOVER_WORKING || now->state == MOVER_WAITING);
	if (same) {
		now->order.rate = order->rate;
		mover->next_ms = 0;
	} else {
		*now = (struct mover_report){ .order = *order,
			.state = order->action == MOVER_REST ? MOVER_IDLE : MOVER_WORKING };
		mover->at = start_of_path;
	}
	rc = save(mover, err);
	if (rc != 0) {
		*now = before;
		mover->at = at;
	} else if (!same) {
		mover->orders++;
		mover->next_ms = 0;
	}
	pthread_cond_broadcast(&mover->wake);
	pthread_mutex_unlock(&mover->lock);
	return rc;
}

void mover_tell(struct mover *mover, struct mover_report *report)
{
	pthread_mutex_lock(&mover->lock);
	*report = mover->now;
	pthread_mutex_unlock(&mover->lock);
}

static void destroy(struct mover *mover)
{
	pthread_cond_destroy(&mover->wake);
	pthread_mutex_destroy(&mover->lock);
	free(mover);
}

struct mover *mover_start(const struct mover_conf *conf, struct err *err)
{
	struct mover *mover = calloc(1, sizeof *mover);
	sigset_t all, before;
	int rc;

	assert(mover != NULL && conf->path_count > 0);
	mover->conf = *conf;
	mover->at = start_of_path;
	pthread_mutex_init(&mover->lock, NULL);
	steady_cond_init(&mover->wake);
	load(mover);
	sigfillset(&all); /* signals are the main thread's */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&mover->thread, NULL, run, mover);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc == 0)
		return mover;
	destroy(mover);
	err_set(err, ERR_INTERNAL, "cannot start a thread");
	return NULL;
}

void mover_stop(struct mover *mover)
{
	struct err err;

	if (mover == NULL)
		return;
	pthread_mutex_lock(&mover->lock);
	mover->stopping = true;
	pthread_cond_broadcast(&mover->wake);
	pthread_mutex_unlock(&mover->lock);
	pthread_join(mover->thread, NULL);
	if (mover->now.moved != mover->saved && save(mover, &err) != 0)
		mover->conf.failed(mover->conf.context, NULL, &err);
	destroy(mover);
}
