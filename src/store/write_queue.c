#include "store/write_queue.h"

#include "core/clock.h"
#include "core/steady_cond.h"

enum { BYTES_MAX = 16 << 20 }; /* contents that share a flush; one may be larger */

void write_queue_init(struct write_queue *queue)
{

	*queue = (struct write_queue){ .count = 0 };
	pthread_mutex_init(&queue->mutex, NULL);
	steady_cond_init(&queue->wake);
	queue->puts_end = &queue->puts;
	queue->removes_end = &queue->removes;
	queue->shifts_end = &queue->shifts;
}

void write_queue_fini(struct write_queue *queue)
{
	pthread_mutex_destroy(&queue->mutex);
	pthread_cond_destroy(&queue->wake);
}

/* ---- all these with the mutex held ---- */

/* Does the taker wait for more than is there? */
static bool is_early(const struct write_queue *queue)
{
	return queue->count < queue->wanted && queue->bytes <= COMPANY_BYTES_MAX;
}

static void came(struct write_queue *queue, size_t bytes)
{
	queue->count++;
	queue->bytes += bytes;
	if (!is_early(queue))
		pthread_cond_signal(&queue->wake);
}

/* Wait for those who will probably share the flush. */
static void wait_for_company(struct write_queue *queue)
{
	size_t expected = company_expected(&queue->company, queue->count, queue->bytes);
	int64_t until_us;

	if (queue->count == 0 || expected == queue->count)
		return;
	until_us = clock_mono_us() + company_wait_us(&queue->company);
	queue->wanted = expected;
	while (is_early(queue) && !queue->stop)
		if (!steady_cond_wait_us(&queue->wake, &queue->mutex, until_us))
			break;
	queue->wanted = 0;
	company_came(&queue->company, expected, queue->count);
}

static struct engine_put *take_puts(struct write_queue *queue)
{
	struct engine_put *first = queue->puts, **end = &queue->puts;
	size_t count = 0, bytes = 0;

	while (*end != NULL && count < WRITE_COUNT_MAX &&
		(count == 0 || bytes + (*end)->content.len <= BYTES_MAX)) {
		count++;
		bytes += (*end)->content.len;
		end = &(*end)->next;
	}
	if (count == 0)
		return NULL;
	queue->count -= count;
	queue->bytes -= bytes;
	queue->puts = *end;
	if (queue->puts == NULL)
		queue->puts_end = &queue->puts;
	*end = NULL;
	return first;
}

/* The same for lists whose members count alike. */
#define TAKE(queue, list, type)                                                                    \
	static struct type *take_##list(struct write_queue *queue)                                 \
	{                                                                                          \
		struct type *first = queue->list, **end = &queue->list;                            \
                                                                                                   \
		for (size_t i = 0; *end != NULL && i < WRITE_COUNT_MAX; i++) {                     \
			queue->count--;                                                            \
			end = &(*end)->next;                                                       \
		}                                                                                  \
		if (first == NULL)                                                                 \
			return NULL;                                                               \
		queue->list = *end;                                                                \
		if (queue->list == NULL)                                                           \
			queue->list##_end = &queue->list;                                          \
		*end = NULL;                                                                       \
		return first;                                                                      \
	}

TAKE(queue, removes, engine_remove)
TAKE(queue, shifts, engine_shift)

/* ---- */

void write_queue_put(struct write_queue *queue, struct engine_put *put)
{
	put->next = NULL;
	pthread_mutex_lock(&queue->mutex);
	*queue->puts_end = put;
	queue->puts_end = &put->next;
	came(queue, put->content.len);
	pthread_mutex_unlock(&queue->mutex);
}

void write_queue_remove(struct write_queue *queue, struct engine_remove *remove)
{
	remove->next = NULL;
	pthread_mutex_lock(&queue->mutex);
	*queue->removes_end = remove;
	queue->removes_end = &remove->next;
	came(queue, 0);
	pthread_mutex_unlock(&queue->mutex);
}

void write_queue_shift(struct write_queue *queue, struct engine_shift *shift)
{
	shift->next = NULL;
	pthread_mutex_lock(&queue->mutex);
	*queue->shifts_end = shift;
	queue->shifts_end = &shift->next;
	came(queue, 0);
	pthread_mutex_unlock(&queue->mutex);
}

void write_queue_poke(struct write_queue *queue)
{
	pthread_mutex_lock(&queue->mutex);
	queue->poked = true;
	pthread_cond_signal(&queue->wake);
	pthread_mutex_unlock(&queue->mutex);
}

void write_queue_stop(struct write_queue *queue)
{
	pthread_mutex_lock(&queue->mutex);
	queue->stop = true;
	pthread_cond_signal(&queue->wake);
	pthread_mutex_unlock(&queue->mutex);
}

bool write_queue_take(struct write_queue *queue, struct write_batch *batch)
{
	bool more;

	pthread_mutex_lock(&queue->mutex);
	while (queue->count == 0 && !queue->poked && !queue->stop)
		pthread_cond_wait(&queue->wake, &queue->mutex);
	wait_for_company(queue);
	batch->count = queue->count;
	batch->puts = take_puts(queue);
	batch->removes = take_removes(queue);
	batch->shifts = take_shifts(queue);
	batch->count -= queue->count;
	more = batch->count > 0 || queue->poked || !queue->stop;
	queue->poked = false;
	pthread_mutex_unlock(&queue->mutex);
	return more;
}

void write_queue_flushed(struct write_queue *queue, size_t count, int64_t flush_us)
{
	pthread_mutex_lock(&queue->mutex);
	company_flushed(&queue->company, count, queue->count, flush_us);
	pthread_mutex_unlock(&queue->mutex);
}
