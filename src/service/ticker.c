#include "service/ticker.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

enum { MS_PER_S = 1000, NS_PER_MS = 1000000, NS_PER_S = 1000000000 };

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
	struct timespec until;
	bool go_on;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ticker->every_ms / MS_PER_S;
	until.tv_nsec += ticker->every_ms % MS_PER_S * NS_PER_MS;
	until.tv_sec += until.tv_nsec / NS_PER_S;
	until.tv_nsec %= NS_PER_S;
	pthread_mutex_lock(&ticker->lock);
	while (!ticker->ending && pthread_cond_timedwait(&ticker->wake, &ticker->lock, &until) == 0)
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
	pthread_condattr_t attr;

	assert(ticker != NULL && every_ms > 0);
	ticker->every_ms = every_ms;
	ticker->tick = tick;
	ticker->context = context;
	pthread_mutex_init(&ticker->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&ticker->wake, &attr);
	pthread_condattr_destroy(&attr);
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
