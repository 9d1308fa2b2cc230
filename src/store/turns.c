#include "store/turns.h"

#include "core/clock.h"
#include "core/steady_cond.h"
#include "store/breaker.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

struct turns {
	unsigned most, taken;
	int64_t (*now_ms)(void);

	pthread_mutex_t mutex;
	pthread_cond_t ended;
	struct breaker breaker;
	struct err broken; /* the last failure that the breaker counted */
};

struct turns *turns_new(unsigned most, int64_t (*now_ms)(void))
{
	struct turns *turns = calloc(1, sizeof *turns);

	assert(turns != NULL && most > 0);
	turns->most = most;
	turns->now_ms = now_ms;
	pthread_mutex_init(&turns->mutex, NULL);
	steady_cond_init(&turns->ended);
	return turns;
}

void turns_free(struct turns *turns)
{
	if (turns == NULL)
		return;
	assert(turns->taken == 0);
	pthread_mutex_destroy(&turns->mutex);
	pthread_cond_destroy(&turns->ended);
	free(turns);
}

static int refuse_broken(const struct turns *turns, struct err *err)
{
	return err_set(
		err, ERR_BUSY, "it is left alone for a moment, since %s", turns->broken.text);
}

/* Wait until somebody's turn ends, at most until the deadline. */
static bool wait_for_end(struct turns *turns, int64_t deadline_ms)
{
	int64_t left_ms = deadline_ms - turns->now_ms();

	if (left_ms <= 0)
		return false;
	steady_cond_wait_ms(&turns->ended, &turns->mutex, clock_mono_ms() + left_ms);
	return true;
}

int turns_take(struct turns *turns, int64_t deadline_ms, struct err *err)
{
	int result = 0;

	pthread_mutex_lock(&turns->mutex);
	while (turns->taken == turns->most && !breaker_is_open(&turns->breaker) &&
		wait_for_end(turns, deadline_ms))
		;
	if (turns->taken == turns->most && !breaker_is_open(&turns->breaker))
		result = err_set(err, ERR_BUSY, "%u requests are under way, and none ended in time",
			turns->most);
	else if (turns->taken == turns->most || !breaker_pass(&turns->breaker, turns->now_ms()))
		result = refuse_broken(turns, err);
	else
		turns->taken++;
	pthread_mutex_unlock(&turns->mutex);
	return result;
}

static bool is_trouble(enum err_code code)
{
	return code == ERR_BUSY || code == ERR_UNREACHABLE || code == ERR_TIMEOUT ||
	       code == ERR_UNKNOWN;
}

void turns_end(struct turns *turns, const struct err *err)
{
	pthread_mutex_lock(&turns->mutex);
	turns->taken--;
	if (is_trouble(err->code)) {
		turns->broken = *err;
		breaker_failure(&turns->breaker, turns->now_ms());
	} else {
		breaker_success(&turns->breaker);
	}
	if (breaker_is_open(&turns->breaker))
		pthread_cond_broadcast(&turns->ended);
	else
		pthread_cond_signal(&turns->ended);
	pthread_mutex_unlock(&turns->mutex);
}

void turns_drain(struct turns *turns)
{
	pthread_mutex_lock(&turns->mutex);
	while (turns->taken > 0)
		pthread_cond_wait(&turns->ended, &turns->mutex);
	pthread_mutex_unlock(&turns->mutex);
}

int turns_health(struct turns *turns, struct err *err)
{
	int result = 0;

	pthread_mutex_lock(&turns->mutex);
	if (!breaker_would_pass(&turns->breaker, turns->now_ms()))
		result = refuse_broken(turns, err);
	pthread_mutex_unlock(&turns->mutex);
	return result;
}
