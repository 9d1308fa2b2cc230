#include "core/clock.h"
#include "core/steady_cond.h"
#include "unit.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond;
static bool said;

TEST(a_time_that_has_passed_is_not_waited_for)
{
	int64_t now_ms = clock_mono_ms();

	steady_cond_init(&cond);
	pthread_mutex_lock(&lock);
	assert_false(steady_cond_wait_ms(&cond, &lock, now_ms - 1));
	assert_false(steady_cond_wait_us(&cond, &lock, clock_mono_us()));
	assert_false(steady_cond_wait_ms(&cond, &lock, now_ms + 2));
	assert_true(clock_mono_ms() >= now_ms + 2);
	pthread_mutex_unlock(&lock);
	pthread_cond_destroy(&cond);
}

static void *say(void *context)
{
	(void)context;
	pthread_mutex_lock(&lock);
	said = true;
	pthread_cond_signal(&cond);
	pthread_mutex_unlock(&lock);
	return NULL;
}

TEST(who_waits_for_ever_is_woken)
{
	pthread_t thread;

	steady_cond_init(&cond);
	pthread_mutex_lock(&lock);
	assert_int_equal(pthread_create(&thread, NULL, say, NULL), 0);
	while (!said)
		assert_true(steady_cond_wait_ms(&cond, &lock, INT64_MAX));
	pthread_mutex_unlock(&lock);
	pthread_join(thread, NULL);
	pthread_cond_destroy(&cond);
}
