#include "net/net_server.h"

#include "net/net_conn.h"

#include <assert.h>
#include <stdlib.h>

enum { SWEEP_MS = 250 }; /* at most so much later than it is due is a deadline noticed */

static void on_sweep(uv_timer_t *timer)
{
	struct net_server *server = timer->data;
	int64_t now = (int64_t)uv_now(&server->loop->uv);
	struct net_conn *next;

	for (struct net_conn *conn = server->conns; conn != NULL; conn = next) {
		next = net_conn_next(conn);
		net_conn_check(conn, now);
	}
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct net_server *server = listener->data;

	if (status == 0)
		net_conn_accept(server);
}

static void close_handle(uv_handle_t *handle)
{
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

void net_server_emptied(struct net_server *server)
{
	if (server->stopping)
		close_handle((uv_handle_t *)&server->sweep);
}

static void stop(struct net_part *part)
{
	struct net_server *server = (struct net_server *)part;
	struct net_conn *next;

	if (server->stopping)
		return;
	server->stopping = true;
	close_handle(&server->listener.uv.handle);
	if (server->conns == NULL) {
		net_server_emptied(server);
		return;
	}
	/* Connections that wait for an answer from elsewhere do not keep a loop running; the
	 * sweep does until the last has gone. */
	uv_ref((uv_handle_t *)&server->sweep);
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
	uint64_t sweep_ms = (uint64_t)conf->timeout_ms / 8 + 1;

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
	uv_timer_init(&loop->uv, &server->sweep);
	server->sweep.data = server;
	if (sweep_ms > SWEEP_MS)
		sweep_ms = SWEEP_MS;
	uv_timer_start(&server->sweep, on_sweep, sweep_ms, sweep_ms);
	uv_unref((uv_handle_t *)&server->sweep);
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
