/* log_limit.h - so many lines a second and no more, for what strangers can cause. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { LOG_LIMIT_A_SECOND = 5 };

/* Zeroed at first.  Belongs to one thread. */
struct log_limit {
	int64_t second;
	unsigned shown;
	unsigned hidden;
};

/* May a line be written at `now_ms`?  If so, `*hidden` is how many were not since the
 * last one that was. */
bool log_limit_pass(struct log_limit *limit, int64_t now_ms, unsigned *hidden);
