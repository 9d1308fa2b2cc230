/* frame_pool.h - threads that answer requests, first come first served. */
#pragma once

#include "net/frame_server.h"

struct frame_pool;

/* Start `threads` threads, each of which calls `work` for one request at a time. */
struct frame_pool *frame_pool_new(int64_t threads,
	void (*work)(void *context, struct frame_request *request), void *context, struct err *err);

/* Have `request` worked on when its turn comes. */
void frame_pool_add(struct frame_pool *pool, struct frame_request *request);

/* End the threads once all that was added is done.  NULL is fine. */
void frame_pool_free(struct frame_pool *pool);
