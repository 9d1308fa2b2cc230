/* write_queue.h - what waits for the writer of a store path, and when a batch of it begins. */
#pragma once

#include "store/company.h"
#include "store/engine.h"

#include <pthread.h>

enum { WRITE_COUNT_MAX = 256 }; /* of each kind, that share a flush */

struct write_queue {
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	struct engine_put *puts, **puts_end;
	struct engine_remove *removes, **removes_end;
	struct engine_shift *shifts, **shifts_end;
	size_t count, bytes; /* requests, and their contents */
	size_t wanted;       /* the taker need not wake for fewer */
	bool poked, stop;
	struct company company;
};

/* Lists, by `next`. */
struct write_batch {
	struct engine_put *puts;
	struct engine_remove *removes;
	struct engine_shift *shifts;
	size_t count; /* of all together; none when the queue was only poked */
};

void write_queue_init(struct write_queue *queue);
void write_queue_fini(struct write_queue *queue); /* it is empty */

/* From any thread. */
void write_queue_put(struct write_queue *queue, struct engine_put *put);
void write_queue_remove(struct write_queue *queue, struct engine_remove *remove);
void write_queue_shift(struct write_queue *queue, struct engine_shift *shift);
void write_queue_poke(struct write_queue *queue); /* let the taker look after other things */
void write_queue_stop(struct write_queue *queue);

/* Wait for work and take a batch.  False: it was stopped, and nothing is left. */
bool write_queue_take(struct write_queue *queue, struct write_batch *batch);

/* The batch of `count` has been flushed, which took `flush_us`. */
void write_queue_flushed(struct write_queue *queue, size_t count, int64_t flush_us);
