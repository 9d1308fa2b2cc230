/* retry.h - several tries of one thing within one deadline. */
#pragma once

#include "core/err.h"

#include <stdbool.h>
#include <stdint.h>

struct retry {
	int64_t deadline_ms, try_ms; /* by clock_mono_ms; a try takes at most half of the time */
	unsigned count;              /* of tries that failed */
	bool perhaps_done;           /* one of them ended with ERR_UNKNOWN */
};

struct retry retry_until(int64_t deadline_ms);

/* When the next try has to end. */
int64_t retry_try_end(const struct retry *retry);

/* After a failure: may there be another try?  Waits a little before it.  Once a try may
 * have been carried out, `err` says so whatever the later ones came to.  `well`: it makes
 * sense to ask again. */
bool retry_again(struct retry *retry, bool well, struct err *err);
