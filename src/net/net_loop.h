/* net_loop.h - one thread that waits for everything: sockets, timers, work done elsewhere.
 *
 * src/net is the only user of libuv; it does not show in these headers.  Functions
 * belong to the loop's thread (or to the time before net_loop_run), unless they say
 * "any thread". */
#pragma once

#include "core/err.h"

#include <stdbool.h>
#include <stdint.h>

struct net_loop;
struct net_timer;

struct net_loop *net_loop_new(struct err *err);

/* Serve until net_loop_stop, then until the last request under way is answered. */
int net_loop_run(struct net_loop *loop, struct err *err);

/* Stop: servers take nothing new and finish what they have.  Any thread, any time; a
 * stop before net_loop_run makes that return at once. */
void net_loop_stop(struct net_loop *loop);

/* net_loop_stop was called, and servers have been told. */
bool net_loop_stopping(const struct net_loop *loop);

/* Have `call` called in the loop's thread, soon.  Any thread. */
void net_loop_call(struct net_loop *loop, void (*call)(void *context), void *context);

/* Frees the loop and the servers on it.  Nothing may be under way: net_loop_run has
 * returned, or was never called.  NULL is fine. */
void net_loop_free(struct net_loop *loop);

/* Do `work` in a thread that may block, then `done` in the loop's thread.  A loop that
 * stops waits for it. */
void net_loop_work(struct net_loop *loop, void (*work)(void *context), void (*done)(void *context),
	void *context);

/* Call `tick` every `interval_ms` until net_timer_free.  A timer does not keep a loop that
 * stops from ending. */
struct net_timer *net_timer_new(
	struct net_loop *loop, int64_t interval_ms, void (*tick)(void *context), void *context);
void net_timer_free(struct net_timer *timer); /* NULL is fine */
