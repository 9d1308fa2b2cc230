/* turns.h - how many calls to a service are under way at a time, and none while it does not
 * answer: a breaker (breaker.h) stands before them.
 *
 * From any thread. */
#pragma once

#include "core/err.h"

#include <stdint.h>

struct turns;

/* At most `most` at a time.  `now_ms`: a clock that only goes forward. */
struct turns *turns_new(unsigned most, int64_t (*now_ms)(void));
void turns_free(struct turns *turns); /* NULL is fine; nobody may have a turn */

/* Take a turn, which turns_end ends; waits for one until `deadline_ms`.  ERR_BUSY: the
 * breaker is open, or no turn ended in time. */
int turns_take(struct turns *turns, int64_t deadline_ms, struct err *err);

/* Say how it went.  ERR_BUSY, ERR_UNREACHABLE, ERR_TIMEOUT and ERR_UNKNOWN are trouble: after
 * enough of that in a row the service is left alone. */
void turns_end(struct turns *turns, const struct err *err);

/* Wait until nobody has a turn. */
void turns_drain(struct turns *turns);

/* Would a call pass?  Returns -1 with why not: the breaker is open. */
int turns_health(struct turns *turns, struct err *err);
