/* net_sweep.h - a server's look at its connections, several times a second, for deadlines
 * that have passed.
 *
 * Connections that wait for an answer from elsewhere do not keep a loop running; the sweep
 * of a server that stops does, until the last of them has gone. */
#pragma once

#include "net/net_inside.h"

struct net_sweep {
	uv_timer_t timer;
	void (*look)(void *server, int64_t now);
};

/* Have `look` called with `server` and the time of the loop, often enough for deadlines of
 * `timeout_ms`. */
void net_sweep_start(struct net_sweep *sweep, struct net_loop *loop, int64_t timeout_ms,
	void (*look)(void *server, int64_t now), void *server);

/* The server stops and has connections: keep the loop running until net_sweep_end. */
void net_sweep_hold(struct net_sweep *sweep);
void net_sweep_end(struct net_sweep *sweep);

/* Close a handle that nobody waits for; once more is fine. */
void net_close(uv_handle_t *handle);
