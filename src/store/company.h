/* company.h - whether a batch waits for company before it is flushed.
 *
 * A flush costs the same for one small request as for many.  Clients that wait for an
 * answer come back soon after it, all at about the same time: a batch that starts with
 * the first of them leaves the others to the next, and each gets every second flush.
 * So a batch waits until as many are there as took part lately, but no longer than a
 * flush takes, and after a wait in vain not again for a while, twice as long each time.
 *
 * A single client never waits: there was no company the last time. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { COMPANY_WAIT_MAX_US = 250, COMPANY_BYTES_MAX = 64 << 10, COMPANY_SKIP_MAX = 64 };

/* All zeros at first.  Used under the caller's lock, or by one thread. */
struct company {
	size_t lately;       /* requests of the last batch, and those that came meanwhile */
	int64_t flush_us;    /* what a flush takes, on average */
	int skip, skip_next; /* batches that are not to wait: from now on, after a wait in vain */
};

/* How many requests a batch that would begin with `count` of them, `bytes` long, waits for:
 * `count` if it does not wait.  Contents over COMPANY_BYTES_MAX do not wait: with them it
 * is not the flush that takes long. */
size_t company_expected(struct company *company, size_t count, size_t bytes);

/* For how long it waits at most, microseconds; 0: not at all. */
int64_t company_wait_us(const struct company *company);

/* A wait is over: did those come who were expected? */
void company_came(struct company *company, size_t expected, size_t count);

/* A batch of `count` requests was flushed, which took `flush_us`; `queued` came meanwhile. */
void company_flushed(struct company *company, size_t count, size_t queued, int64_t flush_us);
