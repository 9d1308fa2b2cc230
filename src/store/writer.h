/* writer.h - the one thread that changes a store path.
 *
 * Requests are queued; the thread takes what is there, writes all of it, flushes once
 * and answers.  What arrives during a flush is the next batch: under load many
 * uploads share one flush; company.h says when a batch waits for more.
 *
 * Shifts (volume_shift.h) are done behind what came with them.  Tombstones are answered after
 * the same flush; the bytes under them are erased `punch_delay_ms` later (eraser.h), because
 * a web server may be sending them. */
#pragma once

#include "store/engine.h"
#include "store/volume_cache.h"

struct writer;

struct writer_conf {
	struct volume_store store;
	struct volume_cache *cache; /* outlives the writer */
	uint8_t source[4];
	uint64_t volume_size, preallocate, reserved_space;
	int64_t punch_delay_ms;
	int64_t (*now)(void);
	/* Called for a put that finds no room here: returns true if it has taken it over. */
	bool (*overflow)(void *context, struct engine_put *put);
	void *context;
};

/* Lock the store path, find the volume that is written to and start the thread.  NULL
 * with err: ERR_BUSY if another process has the lock. */
struct writer *writer_open(const struct writer_conf *conf, struct err *err);

/* Finish everything that is queued, stop the thread, unlock.  NULL is fine. */
void writer_close(struct writer *writer);

void writer_put(struct writer *writer, struct engine_put *put);
void writer_remove(struct writer *writer, struct engine_remove *remove);
void writer_shift(struct writer *writer, struct engine_shift *shift);
