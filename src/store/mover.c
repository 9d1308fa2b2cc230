#include "core/steady_cond.h"
#include "store/mover_inside.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>

static void *run(void *context)
{
	struct mover *mover = context;

	pthread_mutex_lock(&mover->lock);
	while (!mover->stopping) {
		mover->order = mover->orders;
		mover->doing = mover->now.order;
		if (mover->now.state == MOVER_IDLE || mover->now.state == MOVER_DONE) {
			while (!mover_called_off(mover))
				pthread_cond_wait(&mover->wake, &mover->lock);
			continue;
		}
		pthread_mutex_unlock(&mover->lock);
		mover_carry_out(mover);
		pthread_mutex_lock(&mover->lock);
	}
	pthread_mutex_unlock(&mover->lock);
	return NULL;
}

int mover_command(struct mover *mover, const struct mover_order *order, struct err *err)
{
	struct mover_report *now = &mover->now, before;
	struct mover_position at;
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
		mover->at = mover_start_of(0);
	}
	rc = mover_save(mover, err);
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
	mover->at = mover_start_of(0);
	pthread_mutex_init(&mover->lock, NULL);
	steady_cond_init(&mover->wake);
	mover_load(mover);
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
	if (mover->now.moved != mover->saved && mover_save(mover, &err) != 0)
		mover->conf.failed(mover->conf.context, NULL, &err);
	destroy(mover);
}
