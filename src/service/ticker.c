#include "service/ticker.h"

#include "core/clock.h"
#include "core/steady_cond.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct ticker {
	int64_t every_ms;
	void (*tick)(void *context);
	void *context;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool ending; /* under `lock` */
};

/* False at the end. */
static bool wait_for_next(struct ticker *ticker)
{
	int64_t next_ms = clock_mono_ms() + ticker->every_ms;
	bool go_on;

	pthread_mutex_lock(&ticker->lock);
	while (!ticker->ending && steady_cond_wait_ms(&ticker->wake, &ticker->lock, next_ms))
		;
	go_on = !ticker->ending;
	pthread_mutex_unlock(&ticker->lock);
	return go_on;
}

static void *run(void *context)
{
	struct ticker *ticker = context;

	while (wait_for_next(ticker))
		ticker->tick(ticker->context);
	return NULL;
}

static void destroy(struct ticker *ticker)
{
	pthread_cond_destroy(&ticker->wake);
	pthread_mutex_destroy(&ticker->lock);
	free(ticker);
}

struct ticker *ticker_new(
	int64_t every_ms, void (*tick)(void *context), void *context, struct err *err)
{
	struct ticker *ticker = calloc(1, sizeof *ticker);

	assert(ticker != NULL && every_ms > 0);
	ticker->every_ms = every_ms;
	ticker->tick = tick;
	ticker->context = context;
	pthread_mutex_init(&ticker->lock, NULL);
	steady_cond_init(&ticker->wake);
	if (pthread_create(&ticker->thread, NULL, run, ticker) != 0) {
		destroy(ticker);
		err_set(err, ERR_INTERNAL, "cannot start a thread");
		return NULL;
	}
	return ticker;
}

void ticker_free(struct ticker *ticker)
{
	if (ticker == NULL)
		return;
	pthread_mutex_lock(&ticker->lock);
	ticker->ending = true;
	pthread_cond_signal(&ticker->wake);
	pthread_mutex_unlock(&ticker->lock);
	pthread_join(ticker->thread, NULL);
	destroy(ticker);
}
