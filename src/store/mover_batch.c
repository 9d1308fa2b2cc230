/* mover_batch.c - the pictures of a batch on their way, a few at a time. */
#include "store/mover_inside.h"

enum {
	LANES = 8, /* pictures on their way at a time */
	BACKOFF_MS = 1000,
	BACKOFF_MAX_MS = 15000,
};

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
	struct mover *mover, struct mover_item *item, int rc, bool moved, const struct err *err)
{
	bool gone = rc != 0 && (err->code == ERR_GONE || err->code == ERR_NOT_FOUND);
	bool fails = rc != 0 && !gone, waits = fails && passes(err->code), say = false;

	pthread_mutex_lock(&mover->lock);
	item->done = !waits;
	if (mover_is_its_own(mover)) {
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
		struct mover_item *item = &mover->batch[at];
		struct err err = { 0 };
		bool moved = false;
		int rc;

		if (item->done)
			continue;
		if (!mover_pace(mover, item->what == MOVE_SWEEP ? 0 : item->id.size))
			break;
		if (item->what == MOVE_OUT)
			rc = tier_out(tier, &item->id, &moved, &err);
		else if (item->what == MOVE_BACK)
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
	while (!mover_called_off(mover) && !mover->conf.may(mover->conf.context)) {
		mover->now.state = MOVER_WAITING;
		mover->now.trouble = err;
		mover_wait_ms(mover, BACKOFF_MS);
	}
	pthread_mutex_unlock(&mover->lock);
	return !mover_is_called_off(mover);
}

bool mover_run_batch(struct mover *mover)
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
			mover_wait_ms(mover, backoff_ms);
			backoff_ms = 2 * backoff_ms < BACKOFF_MAX_MS ? 2 * backoff_ms
								     : BACKOFF_MAX_MS;
		} else if (!mover_called_off(mover)) {
			if (mover->now.state == MOVER_WAITING)
				mover->now.state = MOVER_WORKING;
			mover->count = 0;
		}
		pthread_mutex_unlock(&mover->lock);
		if (mover_is_called_off(mover))
			break;
	}
	if (mover_is_called_off(mover))
		return false;
	pthread_mutex_lock(&mover->lock);
	mover->at.spot = mover->spot;
	pthread_mutex_unlock(&mover->lock);
	return true;
}
