#include "service/http_waiters.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct http_waiters {
	pthread_mutex_t lock; /* of the queue and `ending` */
	pthread_cond_t more;
	bool ending;
	struct http_waiting *first, **last;
	int count;
	pthread_t threads[];
};

static struct http_waiting *take(struct http_waiters *waiters)
{
	struct http_waiting *waiting;

	pthread_mutex_lock(&waiters->lock);
	while (waiters->first == NULL && !waiters->ending)
		pthread_cond_wait(&waiters->more, &waiters->lock);
	waiting = waiters->first;
	if (waiting != NULL) {
		waiters->first = waiting->next;
		if (waiters->first == NULL)
			waiters->last = &waiters->first;
	}
	pthread_mutex_unlock(&waiters->lock);
	return waiting;
}

static void *work(void *argument)
{
	struct http_waiting *waiting;

	while ((waiting = take(argument)) != NULL)
		waiting->work(waiting);
	return NULL;
}

struct http_waiters *http_waiters_new(int threads, struct err *err)
{
	struct http_waiters *waiters = calloc(
		1, sizeof *waiters + (size_t)threads * sizeof waiters->threads[0]);

	if (waiters == NULL)
		abort();
	pthread_mutex_init(&waiters->lock, NULL);
	pthread_cond_init(&waiters->more, NULL);
	waiters->last = &waiters->first;
	for (; waiters->count < threads; waiters->count++) {
		int status = pthread_create(&waiters->threads[waiters->count], NULL, work, waiters);

		if (status != 0) {
			err_set(err, ERR_INTERNAL, "cannot start a thread: %s", strerror(status));
			http_waiters_free(waiters);
			return NULL;
		}
	}
	return waiters;
}

void http_waiters_add(struct http_waiters *waiters, struct http_waiting *waiting)
{
	waiting->next = NULL;
	pthread_mutex_lock(&waiters->lock);
	*waiters->last = waiting;
	waiters->last = &waiting->next;
	pthread_cond_signal(&waiters->more);
	pthread_mutex_unlock(&waiters->lock);
}

void http_waiters_free(struct http_waiters *waiters)
{
	if (waiters == NULL)
		return;
	pthread_mutex_lock(&waiters->lock);
	waiters->ending = true;
	pthread_cond_broadcast(&waiters->more);
	pthread_mutex_unlock(&waiters->lock);
	for (int i = 0; i < waiters->count; i++)
		pthread_join(waiters->threads[i], NULL);
	pthread_cond_destroy(&waiters->more);
	pthread_mutex_destroy(&waiters->lock);
	free(waiters);
}
