/* breaker.h - fails at once while what is behind it does not answer, and tries again.
 *
 * Closed it lets everything through.  After BREAKER_FAILURES failures in a row it opens:
 * nothing gets through until its time is over, then one call as a probe.  If the probe
 * succeeds it closes, if not it opens again for twice as long.
 *
 * No locks, and time is passed in: milliseconds of a clock that only goes forward. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
	BREAKER_FAILURES = 5,
	BREAKER_FIRST_MS = 1000,
	BREAKER_MOST_MS = 15000,
};

/* Zeroed it is closed. */
struct breaker {
	unsigned failures; /* in a row */
	int64_t open_ms;   /* how long it opened last; 0: it is closed */
	int64_t until_ms;  /* then a probe may pass */
	bool probing;      /* one is under way */
};

/* May a call pass?  If so, say how it went with one of the next three. */
bool breaker_pass(struct breaker *breaker, int64_t now_ms);
void breaker_success(struct breaker *breaker);
void breaker_failure(struct breaker *breaker, int64_t now_ms);
/* The call came to nothing that tells anything. */
void breaker_neither(struct breaker *breaker);

bool breaker_is_open(const struct breaker *breaker);

/* Would a call pass now? */
bool breaker_would_pass(const struct breaker *breaker, int64_t now_ms);
