#include "store/put_queue.h"

#include <pthread.h>
#include <stdlib.h>

struct put_queue {
	void (*put)(void *context, struct engine_put *put);
	void (*remove)(void *context, struct engine_remove *remove);
	void *context;

	pthread_mutex_t mutex;
	pthread_cond_t wake;
	struct engine_put *puts, **puts_end;
	struct engine_remove *removes, **removes_end;
	bool stop;
	unsigned thread_count;
	pthread_t threads[];
};

static struct engine_put *take_put(struct put_queue *queue)
{
	struct engine_put *put = queue->puts;

	if (put == NULL)
		return NULL;
	queue->puts = put->next;
	if (queue->puts == NULL)
		queue->puts_end = &queue->puts;
	return put;
}

static struct engine_remove *take_remove(struct put_queue *queue)
{
	struct engine_remove *remove = queue->removes;

	if (remove == NULL)
		return NULL;
	queue->removes = remove->next;
	if (queue->removes == NULL)
		queue->removes_end = &queue->removes;
	return remove;
}

static void *work(void *arg)
{
	struct put_queue *queue = arg;

	pthread_mutex_lock(&queue->mutex);
	for (;;) {
		struct engine_put *put = take_put(queue);
		struct engine_remove *remove = put == NULL ? take_remove(queue) : NULL;

		if (put == NULL && remove == NULL) {
			if (queue->stop)
				break;
			pthread_cond_wait(&queue->wake, &queue->mutex);
			continue;
		}
		pthread_mutex_unlock(&queue->mutex);
		if (put != NULL)
			queue->put(queue->context, put);
		else
			queue->remove(queue->context, remove);
		pthread_mutex_lock(&queue->mutex);
	}
	pthread_mutex_unlock(&queue->mutex);
	return NULL;
}

struct put_queue *put_queue_new(unsigned threads,
	void (*put)(void *context, struct engine_put *put),
	void (*remove)(void *context, struct engine_remove *remove), void *context)
{
	struct put_queue *queue = calloc(1, sizeof *queue + threads * sizeof queue->threads[0]);

	if (queue == NULL)
		abort();
	queue->put = put;
	queue->remove = remove;
	queue->context = context;
	queue->puts_end = &queue->puts;
	queue->removes_end = &queue->removes;
	pthread_mutex_init(&queue->mutex, NULL);
	pthread_cond_init(&queue->wake, NULL);
	while (queue->thread_count < threads &&
		pthread_create(&queue->threads[queue->thread_count], NULL, work, queue) == 0)
		queue->thread_count++;
	if (queue->thread_count == 0)
		abort(); /* nothing would ever be answered */
	return queue;
}

void put_queue_put(struct put_queue *queue, struct engine_put *put)
{
	put->next = NULL;
	pthread_mutex_lock(&queue->mutex);
	*queue->puts_end = put;
	queue->puts_end = &put->next;
	pthread_cond_signal(&queue->wake);
	pthread_mutex_unlock(&queue->mutex);
}

void put_queue_remove(struct put_queue *queue, struct engine_remove *remove)
{
	remove->next = NULL;
	pthread_mutex_lock(&queue->mutex);
	*queue->removes_end = remove;
	queue->removes_end = &remove->next;
	pthread_cond_signal(&queue->wake);
	pthread_mutex_unlock(&queue->mutex);
}

void put_queue_free(struct put_queue *queue)
{
	if (queue == NULL)
		return;
	pthread_mutex_lock(&queue->mutex);
	queue->stop = true;
	pthread_cond_broadcast(&queue->wake);
	pthread_mutex_unlock(&queue->mutex);
	for (unsigned i = 0; i < queue->thread_count; i++)
		pthread_join(queue->threads[i], NULL);
	pthread_mutex_destroy(&queue->mutex);
	pthread_cond_destroy(&queue->wake);
	free(queue);
}
