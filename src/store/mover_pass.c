/* mover_pass.c - what is to be moved: volumes are walked over, path by path. */
#include "store/mover_inside.h"
#include "store/volume_change.h"
#include "store/volume_list.h"
#include "store/volume_walk.h"

enum { LOOK_AGAIN_MS = 1000 }; /* MOVER_STAY: for new ones */

static void add(struct mover *mover, const struct walk_found *found, enum mover_what what)
{
	struct mover_item *item = &mover->batch[mover->count];

	*item = (struct mover_item){ .what = what };
	mover->count += record_id(&found->record, &item->id);
}

static void take_picture(struct mover *mover, const struct walk_found *found)
{
	const struct mover_order *order = &mover->doing;
	const struct record *record = &found->record;
	bool young = order->action == MOVER_OUT && record->stored >= order->before;

	pthread_mutex_lock(&mover->lock);
	if (mover_is_its_own(mover)) {
		mover->now.looked += mover->first;
		mover->now.young += young && record_is_here(record);
	}
	pthread_mutex_unlock(&mover->lock);
	if (order->action == MOVER_BACK) {
		if (record->cold != ENGINE_COLD_NONE)
			add(mover, found, MOVE_BACK);
		return;
	}
	/* One that waits to be erased is noted again: whoever had it noted may have died. */
	if (!young && (record_is_here(record) || (mover->first && record_is_to_erase(record))))
		add(mover, found, MOVE_OUT);
}

static bool take(void *context, const struct walk_found *found)
{
	struct mover *mover = context;

	mover->spot = (uint32_t)(found->offset / RECORD_BLOCK);
	if (found->what == WALK_PICTURE)
		take_picture(mover, found);
	else if (found->what == WALK_TOMBSTONE && found->record.cold != ENGINE_COLD_NONE)
		add(mover, found, MOVE_SWEEP);
	if (mover->count == MOVER_BATCH) {
		if (!mover_run_batch(mover))
			return false;
		mover_save_or_say(mover);
	}
	return true;
}

static int move_volume(struct mover *mover, struct err *err)
{
	const struct mover_position *at = &mover->at; /* which only this thread changes */
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
		if (rc == 0 && !mover_is_called_off(mover))
			mover_run_batch(mover);
		mover->tails[at->path] = (struct mover_position){ at->path, at->number, last };
	}
	volume_unref(volume);
	return rc;
}

static void go_to(struct mover *mover, struct mover_position at)
{
	pthread_mutex_lock(&mover->lock);
	if (!mover_called_off(mover))
		mover->at = at;
	pthread_mutex_unlock(&mover->lock);
}

static void next_volume(struct mover *mover)
{
	go_to(mover,
		(struct mover_position){ mover->at.path, mover->at.number + 1, VOLUME_FIRST_SPOT });
	pthread_mutex_lock(&mover->lock);
	if (!mover_called_off(mover))
		mover->now.volumes_done++;
	pthread_mutex_unlock(&mover->lock);
}

static void move_path(struct mover *mover)
{
	const char *folder = mover->conf.paths[mover->at.path];

	while (!mover_is_called_off(mover)) {
		int number = volume_list_next(folder, mover->at.number - 1);
		struct err err = { 0 };

		if (number < 0)
			return;
		if (number != mover->at.number)
			go_to(mover, (struct mover_position){
					     mover->at.path, number, VOLUME_FIRST_SPOT });
		if (move_volume(mover, &err) != 0 && err.code != ERR_NOT_FOUND) {
			pthread_mutex_lock(&mover->lock);
			if (mover_is_its_own(mover)) {
				mover->now.failed++;
				mover->now.trouble = err;
			}
			pthread_mutex_unlock(&mover->lock);
			mover->conf.failed(mover->conf.context, NULL, &err);
		}
		if (mover_is_called_off(mover))
			return;
		next_volume(mover);
		if (mover->first)
			mover_save_or_say(mover);
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
		if (mover_is_called_off(mover))
			return;
		go_to(mover, mover_start_of(path + 1));
	}
}

void mover_carry_out(struct mover *mover)
{
	uint64_t volumes, done;

	count_volumes(mover, &volumes, &done);
	for (size_t i = 0; i < ENGINE_ANY_PATH; i++)
		mover->tails[i] = mover_start_of(i);
	mover->first = true;
	pthread_mutex_lock(&mover->lock);
	if (!mover_called_off(mover)) {
		mover->now.volumes = volumes;
		mover->now.volumes_done = done;
	}
	pthread_mutex_unlock(&mover->lock);
	for (;;) {
		pass(mover);
		if (mover_is_called_off(mover))
			return;
		if (mover->first || mover->now.moved != mover->saved)
			mover_save_or_say(mover);
		mover->first = false;
		pthread_mutex_lock(&mover->lock);
		if (!mover_called_off(mover))
			mover->now.state = mover->doing.action == MOVER_STAY ? MOVER_SETTLED
									     : MOVER_DONE;
		while (mover->now.state == MOVER_DONE && !mover_called_off(mover))
			pthread_cond_wait(&mover->wake, &mover->lock);
		mover_wait_ms(mover, LOOK_AGAIN_MS);
		pthread_mutex_unlock(&mover->lock);
		go_to(mover, mover_start_of(0));
	}
}
