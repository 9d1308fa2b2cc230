/* mover_turns.c - when the mover goes on, and when it has something else to do. */
#include "core/clock.h"
#include "core/steady_cond.h"
#include "store/mover_inside.h"

bool mover_called_off(const struct mover *mover)
{
	return mover->stopping || mover->orders != mover->order;
}

bool mover_is_its_own(const struct mover *mover)
{
	return mover->orders == mover->order;
}

bool mover_is_called_off(struct mover *mover)
{
	bool off;

	pthread_mutex_lock(&mover->lock);
	off = mover_called_off(mover);
	pthread_mutex_unlock(&mover->lock);
	return off;
}

void mover_wait_ms(struct mover *mover, int64_t ms)
{
	int64_t until_ms = clock_mono_ms() + ms;

	while (!mover_called_off(mover) &&
		steady_cond_wait_ms(&mover->wake, &mover->lock, until_ms))
		;
}

bool mover_pace(struct mover *mover, uint64_t len)
{
	int64_t now_ms = clock_mono_ms(), turn_ms;
	bool go;

	pthread_mutex_lock(&mover->lock);
	turn_ms = mover->next_ms > now_ms ? mover->next_ms : now_ms;
	if (mover->now.order.rate > 0)
		mover->next_ms = turn_ms + (int64_t)(len * 1000 / mover->now.order.rate);
	if (turn_ms > now_ms)
		mover_wait_ms(mover, turn_ms - now_ms);
	go = !mover_called_off(mover) && !mover->held_up;
	pthread_mutex_unlock(&mover->lock);
	return go;
}
