/* put_queue.h - puts and removes wait in line for threads that do them, for engines whose
 * work is one waiting call after another. */
#pragma once

#include "store/engine.h"

struct put_queue;

/* `threads` threads take what is put in; `put` and `remove` do it and call its `done`. */
struct put_queue *put_queue_new(unsigned threads,
	void (*put)(void *context, struct engine_put *put),
	void (*remove)(void *context, struct engine_remove *remove), void *context);

void put_queue_put(struct put_queue *queue, struct engine_put *put);
void put_queue_remove(struct put_queue *queue, struct engine_remove *remove);

/* Wait until all of it is done, then end the threads; NULL is fine. */
void put_queue_free(struct put_queue *queue);
