/* net_conn.h - one connection of a net_server. */
#pragma once

#include "net/net_budget.h"
#include "net/net_inside.h"
#include "net/net_listener.h"
#include "net/net_server.h"
#include "net/net_sweep.h"

struct net_server {
	struct net_part part; /* first */
	struct net_loop *loop;
	const struct net_protocol *protocol;
	void *context;
	const struct allow *allow;
	int64_t max_connections, timeout_ms;
	struct net_listener listener;
	struct net_sweep sweep;
	bool stopping;
	struct net_conn *conns;
	_Atomic int64_t count, count_max;
	struct net_budget bodies, replies;
};

/* The last connection has gone. */
void net_server_emptied(struct net_server *server);

/* Take the connection that waits at the listener. */
void net_conn_accept(struct net_server *server);

/* Close it if a deadline has passed. */
void net_conn_check(struct net_conn *conn, int64_t now);

/* Close who holds up others: the slowest of those that send, and of those that take. */
void net_conn_make_room(struct net_server *server, int64_t now);

/* Close it if nothing is under way, else after its answer. */
void net_conn_finish(struct net_conn *conn);

struct net_conn *net_conn_next(struct net_conn *conn);
