#include "net/frame_server.h"

#include "net/frame_conn.h"

#include <assert.h>
#include <stdlib.h>

static void look(void *context, int64_t now)
{
	struct frame_server *server = context;
	struct frame_conn *next;

	for (struct frame_conn *conn = server->conns; conn != NULL; conn = next) {
		next = frame_conn_next(conn);
		frame_conn_check(conn, now);
	}
	frame_conn_make_room(server, now);
}

static void on_prepare(uv_prepare_t *prepare)
{
	frame_conn_go_on(prepare->data);
}

static void on_connection(uv_stream_t *listener, int status)
{
	if (status == 0)
		frame_conn_accept(listener->data);
}

void frame_server_emptied(struct frame_server *server)
{
	if (!server->stopping)
		return;
	net_sweep_end(&server->sweep);
	net_close((uv_handle_t *)&server->prepare);
}

static void stop(struct net_part *part)
{
	struct frame_server *server = (struct frame_server *)part;
	struct frame_conn *next;

	if (server->stopping)
		return;
	server->stopping = true;
	net_close(&server->listener.uv.handle);
	if (server->conns == NULL) {
		frame_server_emptied(server);
		return;
	}
	net_sweep_hold(&server->sweep);
	for (struct frame_conn *conn = server->conns; conn != NULL; conn = next) {
		next = frame_conn_next(conn);
		frame_conn_finish(conn);
	}
}

static void free_server(struct net_part *part)
{
	free(part);
}

struct frame_server *frame_server_new(
	struct net_loop *loop, const struct frame_server_conf *conf, struct err *err)
{
	struct frame_server *server = calloc(1, sizeof *server);

	assert(server != NULL && conf->in_flight > 0 && conf->max_package >= PACKAGE_HEADER_LEN);
	server->part.stop = stop;
	server->part.free = free_server;
	server->loop = loop;
	server->conf = *conf;
	server->bodies.limit = conf->body_memory;
	net_sweep_start(&server->sweep, loop, conf->timeout_ms, look, server);
	uv_prepare_init(&loop->uv, &server->prepare);
	server->prepare.data = server;
	uv_prepare_start(&server->prepare, on_prepare);
	uv_unref((uv_handle_t *)&server->prepare);
	net_loop_add(loop, &server->part);
	if (net_listener_open(&server->listener, loop, conf->fd, server, on_connection) != 0) {
		err_set(err, ERR_IO, "cannot wait for connections");
		return NULL;
	}
	return server;
}

void frame_server_change(struct frame_server *server, const struct frame_server_conf *conf)
{
	server->conf.in_flight = conf->in_flight;
	server->conf.in_flight_all = conf->in_flight_all;
	server->conf.max_connections = conf->max_connections;
	server->conf.timeout_ms = conf->timeout_ms;
	server->conf.reply_memory = conf->reply_memory;
	server->conf.shield_context = conf->shield_context;
	server->bodies.limit = conf->body_memory;
	frame_conn_resume(server);
}

int64_t frame_server_connections(const struct frame_server *server)
{
	return server->count;
}
