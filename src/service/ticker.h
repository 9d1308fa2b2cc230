/* ticker.h - a thread that does something now and then. */
#pragma once

#include "core/err.h"

#include <stdint.h>

struct ticker;

/* Call `tick` in a thread of its own, the first time after `every_ms`, and again so long
 * after it has returned.  NULL with err. */
struct ticker *ticker_new(
	int64_t every_ms, void (*tick)(void *context), void *context, struct err *err);

/* Returns when `tick` is not running and will not be called again; NULL is fine. */
void ticker_free(struct ticker *ticker);
