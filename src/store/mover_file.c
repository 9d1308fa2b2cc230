/* mover_file.c - the mover's order, position and figures, as they outlast a stop. */
#include "core/durable_file.h"
#include "store/mover_inside.h"
#include "store/volume.h"

#include <inttypes.h>
#include <stdio.h>

enum { FILE_MODE = 0640, TEXT_MAX = 400 };

static void file_of(const struct mover *mover, char out[VOLUME_PATH_MAX + 16])
{
	snprintf(out, VOLUME_PATH_MAX + 16, "%s/moving", mover->conf.paths[0]);
}

int mover_save(struct mover *mover, struct err *err)
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

void mover_save_or_say(struct mover *mover)
{
	struct err err;
	int rc;

	pthread_mutex_lock(&mover->lock);
	rc = mover_called_off(mover) ? 0 : mover_save(mover, &err);
	pthread_mutex_unlock(&mover->lock);
	if (rc != 0)
		mover->conf.failed(mover->conf.context, NULL, &err);
}

void mover_load(struct mover *mover)
{
	char file[VOLUME_PATH_MAX + 16], end;
	struct mover_report now = { .state = MOVER_IDLE };
	struct mover_position at;
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
		at = mover_start_of(0);
		now.state = MOVER_WORKING;
	}
	mover->now = now;
	mover->saved = now.moved;
	mover->at = at;
}
