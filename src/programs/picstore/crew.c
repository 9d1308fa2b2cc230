#include "programs/picstore/crew.h"

#include "programs/picstore/jobs.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

enum { WAITING = 2 * JOBS_MAX };

struct crew {
	void (*work)(void *context, void *item);
	void *context;
	pthread_mutex_t lock;
	pthread_cond_t more, room, idle;
	void *items[WAITING];
	size_t first, count, most, busy;
	bool ending;
	pthread_t threads[JOBS_MAX];
	size_t thread_count;
};

static void *run(void *argument)
{
	struct crew *crew = argument;

	pthread_mutex_lock(&crew->lock);
	for (;;) {
		void *item;

		if (crew->count == 0 && crew->ending)
			break;
		if (crew->count == 0) {
			pthread_cond_wait(&crew->more, &crew->lock);
			continue;
		}
		item = crew->items[crew->first];
		crew->first = (crew->first + 1) % WAITING;
		crew->count--;
		crew->busy++;
		pthread_cond_signal(&crew->room);
		pthread_mutex_unlock(&crew->lock);
		crew->work(crew->context, item);
		pthread_mutex_lock(&crew->lock);
		if (--crew->busy == 0 && crew->count == 0)
			pthread_cond_signal(&crew->idle);
	}
	pthread_mutex_unlock(&crew->lock);
	return NULL;
}

struct crew *crew_new(size_t threads, void (*work)(void *context, void *item), void *context)
{
	struct crew *crew = calloc(1, sizeof *crew);

	assert(crew != NULL && threads >= 1 && threads <= JOBS_MAX);
	crew->work = work;
	crew->context = context;
	crew->most = 2 * threads;
	pthread_mutex_init(&crew->lock, NULL);
	pthread_cond_init(&crew->more, NULL);
	pthread_cond_init(&crew->room, NULL);
	pthread_cond_init(&crew->idle, NULL);
	while (crew->thread_count < threads &&
		pthread_create(&crew->threads[crew->thread_count], NULL, run, crew) == 0)
		crew->thread_count++;
	assert(crew->thread_count > 0);
	return crew;
}

void crew_push(struct crew *crew, void *item)
{
	pthread_mutex_lock(&crew->lock);
	while (crew->count == crew->most)
		pthread_cond_wait(&crew->room, &crew->lock);
	crew->items[(crew->first + crew->count++) % WAITING] = item;
	pthread_cond_signal(&crew->more);
	pthread_mutex_unlock(&crew->lock);
}

void crew_wait(struct crew *crew)
{
	pthread_mutex_lock(&crew->lock);
	while (crew->count > 0 || crew->busy > 0)
		pthread_cond_wait(&crew->idle, &crew->lock);
	pthread_mutex_unlock(&crew->lock);
}

void crew_end(struct crew *crew)
{
	pthread_mutex_lock(&crew->lock);
	crew->ending = true;
	pthread_cond_broadcast(&crew->more);
	pthread_mutex_unlock(&crew->lock);
	for (size_t i = 0; i < crew->thread_count; i++)
		pthread_join(crew->threads[i], NULL);
	pthread_cond_destroy(&crew->more);
	pthread_cond_destroy(&crew->room);
	pthread_cond_destroy(&crew->idle);
	pthread_mutex_destroy(&crew->lock);
	free(crew);
}
