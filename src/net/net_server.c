#include "net/net_server.h"

#include "net/net_conn.h"

#include <assert.h>
#include <stdlib.h>

static void look(void *context, int64_t now)
{
	struct net_server *server = context;
	struct net_conn *next;

	for (struct net_conn *conn = server->conns; conn != NULL; conn = next) {
		next = net_conn_next(conn);
		net_conn_check(conn, now);
	}
	net_conn_make_room(server, now);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct net_server *server = listener->data;

	if (status == 0)
		net_conn_accept(server);
}

void net_server_emptied(struct net_server *server)
{
	if (server->stopping)
		net_sweep_end(&server->sweep);
}

static void stop(struct net_part *part)
{
	struct net_server *server = (struct net_server *)part;
	struct net_conn *next;

	if (server->stopping)
		return;
	server->stopping = true;
	net_close(&server->listener.uv.handle);
	if (server->conns == NULL) {
		net_server_emptied(server);
		return;
	}
	net_sweep_hold(&server->sweep);
	for (struct net_conn *conn = server->conns; conn != NULL; conn = next) {
		next = net_conn_next(conn);
		net_conn_finish(conn);
	}
}

static void free_server(struct net_part *part)
{
	free(part);
}

struct net_server *net_server_new(
	struct net_loop *loop, const struct net_server_conf *conf, struct err *err)
{
	struct net_server *server = calloc(1, sizeof *server);

	assert(server != NULL && conf->protocol->header_len <= NET_HEADER_MAX);
	server->part.stop = stop;
	server->part.free = free_server;
	server->loop = loop;
	server->protocol = conf->protocol;
	server->context = conf->context;
	server->allow = conf->allow;
	server->max_connections = conf->max_connections;
	server->timeout_ms = conf->timeout_ms;
	server->bodies.limit = conf->body_memory;
	server->replies.limit = conf->reply_memory;
	if (net_listener_open(&server->listener, loop, conf->fd, server, on_connection) != 0) {
		/* The handle may be on the loop's list, which is its end to see to. */
		err_set(err, ERR_IO, "cannot wait for connections");
		server->stopping = true;
		net_loop_add(loop, &server->part);
		return NULL;
	}
	net_sweep_start(&server->sweep, loop, conf->timeout_ms, look, server);
	net_loop_add(loop, &server->part);
	return server;
}

int64_t net_server_connections(const struct net_server *server)
{
	return server->count;
}

int64_t net_server_connections_max(const struct net_server *server)
{
	return server->count_max;
}
