#include "service/frame_pool.h"

#include "unit.h"

#include <pthread.h>
#include <stdlib.h>

enum { COUNT = 1000 };

struct fixture {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	uint32_t seqs[COUNT];
	int done, together, wanted;
};

static void note(void *context, struct frame_request *request)
{
	struct fixture *f = context;

	pthread_mutex_lock(&f->lock);
	f->seqs[f->done++] = request->package.seq;
	pthread_mutex_unlock(&f->lock);
}

/* Returns when as many as are wanted are in it together. */
static void meet(void *context, struct frame_request *request)
{
	struct fixture *f = context;

	(void)request;
	pthread_mutex_lock(&f->lock);
	f->together++;
	pthread_cond_broadcast(&f->wake);
	while (f->together < f->wanted)
		pthread_cond_wait(&f->wake, &f->lock);
	f->done++;
	pthread_mutex_unlock(&f->lock);
}

static struct fixture fresh(void)
{
	return (struct fixture){ .lock = PTHREAD_MUTEX_INITIALIZER,
		.wake = PTHREAD_COND_INITIALIZER };
}

TEST(one_thread_works_in_the_order_of_arrival)
{
	struct frame_request *requests = calloc(COUNT, sizeof *requests);
	struct fixture f = fresh();
	struct frame_pool *pool = frame_pool_new(1, note, &f, NULL);

	for (uint32_t i = 0; i < COUNT; i++) {
		requests[i].package.seq = i;
		frame_pool_add(pool, &requests[i]);
	}
	frame_pool_free(pool); /* once all is done */
	assert_int_equal(f.done, COUNT);
	for (uint32_t i = 0; i < COUNT; i++)
		assert_int_equal(f.seqs[i], i);
	free(requests);
}

TEST(many_threads_do_each_request_once)
{
	struct frame_request *requests = calloc(COUNT, sizeof *requests);
	struct fixture f = fresh();
	struct frame_pool *pool = frame_pool_new(8, note, &f, NULL);
	bool seen[COUNT] = { false };

	for (uint32_t i = 0; i < COUNT; i++) {
		requests[i].package.seq = i;
		frame_pool_add(pool, &requests[i]);
	}
	frame_pool_free(pool);
	assert_int_equal(f.done, COUNT);
	for (uint32_t i = 0; i < COUNT; i++) {
		assert_false(seen[f.seqs[i]]);
		seen[f.seqs[i]] = true;
	}
	free(requests);
}

TEST(as_many_requests_are_worked_on_together_as_there_are_threads)
{
	struct frame_request requests[5] = { 0 };
	struct fixture f = fresh();
	struct frame_pool *pool;

	f.wanted = 5;
	pool = frame_pool_new(5, meet, &f, NULL);
	for (int i = 0; i < 5; i++)
		frame_pool_add(pool, &requests[i]);
	frame_pool_free(pool); /* would never return if one of them had to wait */
	assert_int_equal(f.done, 5);
}

TEST(a_pool_that_has_nothing_to_do_ends)
{
	struct fixture f = fresh();

	frame_pool_free(frame_pool_new(4, note, &f, NULL));
	frame_pool_free(NULL);
	assert_int_equal(f.done, 0);
}
