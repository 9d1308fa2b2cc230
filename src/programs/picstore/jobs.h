/* jobs.h - many things to do, several at a time, reported in order. */
#pragma once

#include <stddef.h>

enum { JOBS_MAX = 64 };

struct jobs {
	void (*work)(void *context, size_t i);   /* by any thread, several at a time */
	void (*report)(void *context, size_t i); /* in the order of i, one at a time */
	void *context;
};

/* Do number 0 to count - 1 with at most `threads` threads; returns when all is reported. */
void jobs_run(const struct jobs *jobs, size_t count, size_t threads);
