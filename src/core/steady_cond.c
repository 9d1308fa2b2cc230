#include "core/steady_cond.h"

#include <time.h>

enum { US_PER_MS = 1000, US_PER_S = 1000000, NS_PER_US = 1000 };

void steady_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

bool steady_cond_wait_us(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t until_us)
{
	const struct timespec until = {
		.tv_sec = until_us / US_PER_S,
		.tv_nsec = until_us % US_PER_S * NS_PER_US,
	};

	return pthread_cond_timedwait(cond, mutex, &until) == 0;
}

bool steady_cond_wait_ms(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t until_ms)
{
	/* A time far ahead may be "never". */
	if (until_ms > INT64_MAX / US_PER_MS)
		until_ms = INT64_MAX / US_PER_MS;
	return steady_cond_wait_us(cond, mutex, until_ms * US_PER_MS);
}
