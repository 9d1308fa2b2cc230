/* http_waiters.h - threads for what has to wait, first come first served. */
#pragma once

#include "core/err.h"

struct http_waiters;

struct http_waiting { /* in the caller's memory, until its `work` begins */
	void (*work)(struct http_waiting *waiting);
	struct http_waiting *next; /* the waiters' */
};

struct http_waiters *http_waiters_new(int threads, struct err *err);
void http_waiters_add(struct http_waiters *waiters, struct http_waiting *waiting);
void http_waiters_free(struct http_waiters *waiters); /* once all is done; NULL is fine */
