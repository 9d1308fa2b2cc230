/* frame_conn.h - one connection of a frame_server.
 *
 * Its input is taken apart into requests, which wait in a list until their replies have
 * gone to `out`; from there they are written before the loop waits again.  It lives until
 * the last of its requests is answered, even if its socket has long gone. */
#pragma once

#include "net/frame_server.h"
#include "net/net_budget.h"
#include "net/net_listener.h"
#include "net/net_sweep.h"

struct frame_conn;

struct frame_server {
	struct net_part part; /* first */
	struct net_loop *loop;
	struct frame_server_conf conf;
	struct net_listener listener;
	struct net_sweep sweep;
	uv_prepare_t prepare; /* writes what replies have come */
	bool stopping;
	struct frame_conn *conns;
	struct frame_conn *ready; /* those with something to write, or to go on with */
	_Atomic int64_t count;
	struct net_budget bodies;
	int64_t in_flight; /* requests begun and not answered */
	bool full;         /* `in_flight` was at its limit: connections wait */
	uint64_t unsent;   /* bytes of replies */
};

/* The last connection has gone. */
void frame_server_emptied(struct frame_server *server);

/* Take the connection that waits at the listener. */
void frame_conn_accept(struct frame_server *server);

/* Limits may have changed: look at every connection again. */
void frame_conn_resume(struct frame_server *server);

/* Go on with every connection on the `ready` list. */
void frame_conn_go_on(struct frame_server *server);

/* Close it if a deadline has passed. */
void frame_conn_check(struct frame_conn *conn, int64_t now);

/* Close who sends slowest of those that hold up others. */
void frame_conn_make_room(struct frame_server *server, int64_t now);

/* Take no further package, and close it once those it has are answered. */
void frame_conn_finish(struct frame_conn *conn);

struct frame_conn *frame_conn_next(struct frame_conn *conn);
