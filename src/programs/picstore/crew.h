/* crew.h - threads that work on things which come one by one, however many there are. */
#pragma once

#include <stddef.h>

struct crew;

/* Start at most `threads` (1 to JOBS_MAX) that call `work` with each item.  Before the
 * first call to crew_push the caller may set up what `context` points to. */
struct crew *crew_new(size_t threads, void (*work)(void *context, void *item), void *context);

/* Hand an item over; `work` frees it.  Waits while many are waiting, so that memory stays
 * bounded. */
void crew_push(struct crew *crew, void *item);

/* Wait until everything that was handed over is done. */
void crew_wait(struct crew *crew);

/* Wait until all are done, and free the crew. */
void crew_end(struct crew *crew);
