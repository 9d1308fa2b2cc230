/* proxy_health.h - whether a back end is used, and which of several takes a request.
 *
 *     NEW ──► UP ◄──► DOWN
 *
 * A back end is DOWN after a check that failed, a connection that broke or could not be
 * made, or STALLS requests in a row without an answer.  It is then checked again after a
 * while, which doubles each time it fails anew; having been up for STEADY_MS it is
 * trusted again.  NEW: nothing is known yet; what fails before the first time that it is
 * up does not count against it.
 *
 * Time is passed in, in milliseconds on a clock that only goes forward. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PROXY_RETRY_MIN_MS = 100,
	PROXY_RETRY_MAX_MS = 2000,
	PROXY_STEADY_MS = 10000,
	PROXY_STALLS = 3,
};

struct proxy_health {
	enum { PROXY_NEW, PROXY_UP, PROXY_DOWN } state;
	int64_t since;    /* of the state */
	int64_t check_at; /* when the next check is due */
	int64_t retry_ms; /* between checks while it is not up */
	int stalls;
	bool was_up; /* ever */
};

void proxy_health_init(struct proxy_health *health, int64_t now);

/* A check went well; the next one is due after `interval_ms`.  True if it was not up. */
bool proxy_health_good(struct proxy_health *health, int64_t now, int64_t interval_ms);

/* Something failed.  True if it was not DOWN already. */
bool proxy_health_bad(struct proxy_health *health, int64_t now);

void proxy_health_answered(struct proxy_health *health);

/* A request got no answer in time.  True if that were too many: call _bad. */
bool proxy_health_stalled(struct proxy_health *health);

/* What there is to know of a back end to choose one. */
struct proxy_load {
	bool usable; /* up, connected, with room for one more */
	bool avoid;  /* only if there is no other */
	uint32_t under_way;
};

/* The usable one with least under way; those that have equally little take turns by
 * `*turn`.  Returns `count` if none is usable. */
size_t proxy_choose(const struct proxy_load *loads, size_t count, size_t *turn);
