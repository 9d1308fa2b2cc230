#include "service/ticker.h"

#include "unit.h"

#include <semaphore.h>
#include <stdatomic.h>

struct clockwork {
	sem_t ticked;
	atomic_int count;
};

static void tick(void *context)
{
	struct clockwork *clockwork = context;

	atomic_fetch_add(&clockwork->count, 1);
	sem_post(&clockwork->ticked);
}

TEST(ticks_until_it_is_freed)
{
	struct clockwork clockwork = { .count = 0 };
	struct ticker *ticker;
	int count;

	sem_init(&clockwork.ticked, 0, 0);
	ticker = ticker_new(1, tick, &clockwork, NULL);
	assert_non_null(ticker);
	for (int i = 0; i < 3; i++)
		sem_wait(&clockwork.ticked);
	ticker_free(ticker);
	count = atomic_load(&clockwork.count);
	assert_true(count >= 3);
	while (sem_trywait(&clockwork.ticked) == 0)
		count--;
	assert_int_equal(count, 3); /* each has ended */
	sem_destroy(&clockwork.ticked);
}

TEST(one_that_waits_for_long_is_freed_at_once)
{
	struct clockwork clockwork = { .count = 0 };
	struct ticker *ticker;

	sem_init(&clockwork.ticked, 0, 0);
	ticker = ticker_new(INT64_C(1000) * 3600, tick, &clockwork, NULL);
	assert_non_null(ticker);
	ticker_free(ticker);
	assert_int_equal(atomic_load(&clockwork.count), 0);
	sem_destroy(&clockwork.ticked);
}
