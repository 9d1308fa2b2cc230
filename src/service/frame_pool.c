#include "service/frame_pool.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct job {
	struct job *next;
	struct frame_request *request;
};

struct frame_pool {
	void (*work)(void *context, struct frame_request *request);
	void *context;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct job *first, **last;
	bool ending;
	pthread_t *threads;
	size_t count; /* of them, started */
};

static void *work(void *argument)
{
	struct frame_pool *pool = argument;

	pthread_mutex_lock(&pool->lock);
	for (;;) {
		struct job *job = pool->first;

		if (job == NULL && pool->ending)
			break;
		if (job == NULL) {
			pthread_cond_wait(&pool->wake, &pool->lock);
			continue;
		}
		pool->first = job->next;
		if (pool->first == NULL)
			pool->last = &pool->first;
		pthread_mutex_unlock(&pool->lock);
		pool->work(pool->context, job->request);
		free(job);
		pthread_mutex_lock(&pool->lock);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

struct frame_pool *frame_pool_new(int64_t threads,
	void (*do_work)(void *context, struct frame_request *request), void *context,
	struct err *err)
{
	struct frame_pool *pool = calloc(1, sizeof *pool);

	assert(pool != NULL && threads > 0);
	pool->work = do_work;
	pool->context = context;
	pool->last = &pool->first;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->wake, NULL);
	pool->threads = calloc((size_t)threads, sizeof *pool->threads);
	assert(pool->threads != NULL);
	for (; pool->count < (size_t)threads; pool->count++) {
		int status = pthread_create(&pool->threads[pool->count], NULL, work, pool);

		if (status != 0) {
			err_set(err, ERR_INTERNAL, "cannot start a thread: %s", strerror(status));
			frame_pool_free(pool);
			return NULL;
		}
	}
	return pool;
}

void frame_pool_add(struct frame_pool *pool, struct frame_request *request)
{
	struct job *job = malloc(sizeof *job);

	assert(job != NULL);
	*job = (struct job){ .request = request };
	pthread_mutex_lock(&pool->lock);
	*pool->last = job;
	pool->last = &job->next;
	pthread_cond_signal(&pool->wake);
	pthread_mutex_unlock(&pool->lock);
}

void frame_pool_free(struct frame_pool *pool)
{
	if (pool == NULL)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->ending = true;
	pthread_cond_broadcast(&pool->wake);
	pthread_mutex_unlock(&pool->lock);
	for (size_t i = 0; i < pool->count; i++)
		pthread_join(pool->threads[i], NULL);
	pthread_cond_destroy(&pool->wake);
	pthread_mutex_destroy(&pool->lock);
	free(pool->threads);
	free(pool);
}
