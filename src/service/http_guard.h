/* http_guard.h - cuts connections off that are late.
 *
 * A connection has a deadline, which is moved when something was achieved, not when a
 * byte came: so nobody lives on trickled bytes. */
#pragma once

#include "core/err.h"

#include <stdatomic.h>
#include <stdint.h>

#define HTTP_GUARD_NEVER INT64_MAX

struct http_guard;

struct http_guarded { /* in the caller's memory */
	struct http_guarded *prev, *next;
	int fd;
	_Atomic int64_t deadline_ms; /* clock_mono_ms(); any thread may move it */
};

/* Look at all connections every `step_ms`, in a thread of its own.  `cut` counts. */
struct http_guard *http_guard_new(int64_t step_ms, _Atomic int64_t *cut, struct err *err);
void http_guard_free(struct http_guard *guard); /* NULL is fine */

/* Watch a connection from now on; until http_guard_leave() `fd` must stay open. */
void http_guard_enter(
	struct http_guard *guard, struct http_guarded *guarded, int fd, int64_t deadline_ms);
void http_guard_leave(struct http_guard *guard, struct http_guarded *guarded);
