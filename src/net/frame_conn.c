#include "net/frame_conn_inside.h"

#include <assert.h>
#include <stdlib.h>

int64_t frame_conn_now(const struct frame_conn *conn)
{
	return (int64_t)uv_now(&conn->server->loop->uv);
}

void frame_conn_expect(struct frame_conn *conn, int64_t ms)
{
	conn->deadline = frame_conn_now(conn) + ms;
}

void frame_conn_expect_nothing(struct frame_conn *conn)
{
	conn->deadline = conn->deadline_last = 0;
}

void frame_conn_trouble(struct frame_server *server, enum net_trouble what, const char *peer)
{
	if (server->conf.handler->trouble != NULL)
		server->conf.handler->trouble(server->conf.context, what, peer);
}

void frame_conn_make_ready(struct frame_conn *conn)
{
	if (conn->is_ready || conn->closing)
		return;
	conn->is_ready = true;
	conn->next_ready = conn->server->ready;
	conn->server->ready = conn;
}

void frame_conn_resume(struct frame_server *server)
{
	server->full = false;
	for (struct frame_conn *conn = server->conns; conn != NULL; conn = conn->next)
		if (conn->in_len > 0)
			frame_conn_make_ready(conn);
}

void frame_conn_count_unsent(struct frame_conn *conn)
{
	size_t unsent = conn->closing ? 0 : conn->out.len + conn->writing.len;

	conn->server->unsent += unsent - conn->counted;
	conn->counted = unsent;
}

/* ---- the end ---- */

void frame_conn_free_if_over(struct frame_conn *conn)
{
	struct frame_server *server = conn->server;

	if (!conn->closed || conn->count > 0)
		return;
	*(conn->prev == NULL ? &server->conns : &conn->prev->next) = conn->next;
	if (conn->next != NULL)
		conn->next->prev = conn->prev;
	server->count--;
	if (server->conns == NULL)
		frame_server_emptied(server);
	buf_fini(&conn->out);
	buf_fini(&conn->writing);
	if (conn->session != NULL)
		server->conf.shield->close(conn->session);
	free(conn->kept);
	free(conn);
}

static void on_closed(uv_handle_t *handle)
{
	struct frame_conn *conn = handle->data;

	conn->closed = true;
	frame_conn_free_if_over(conn);
}

void frame_conn_close(struct frame_conn *conn)
{
	if (conn->closing)
		return;
	conn->closing = true;
	frame_conn_count_unsent(conn);
	for (struct frame_conn **at = &conn->server->ready; conn->is_ready && *at != NULL;
		at = &(*at)->next_ready)
		if (*at == conn) {
			*at = conn->next_ready;
			break;
		}
	conn->is_ready = false;
	if (conn->coming != NULL)
		frame_pending_free(conn, conn->coming);
	conn->coming = NULL;
	for (struct frame_pending *pending = conn->first, *next; pending != NULL; pending = next) {
		next = pending->next;
		if (pending->done) {
			frame_pending_unlink(conn, pending);
			frame_pending_free(conn, pending);
		}
	}
	uv_close(&conn->uv.handle, on_closed);
}

/* Replies may have come, or been sent, or there is room for a body: write, and begin what
 * waited for that. */
static void go_on(struct frame_conn *conn)
{
	if (!conn->lingering)
		frame_conn_take_apart(conn);
	if (!conn->closing && (conn->out.len > 0 || conn->session != NULL) &&
		conn->writing.len == 0 && !conn->lingering)
		frame_conn_write(conn);
	if (conn->closing || conn->lingering)
		return;
	if (conn->in_len > 0 && !conn->waiting && frame_conn_may_begin(conn))
		frame_conn_make_ready(conn); /* what was written made room */
	else if (conn->finished && conn->count == 0 && conn->out.len == 0 && conn->writing.len == 0)
		frame_conn_linger(conn);
}
/* ---- the server's view ---- */

void frame_conn_go_on(struct frame_server *server)
{
	/* Replies that are given at once make a connection ready again: until none is. */
	while (server->ready != NULL) {
		struct frame_conn *conn = server->ready;

		server->ready = conn->next_ready;
		conn->is_ready = false;
		go_on(conn);
	}
}

struct frame_conn *frame_conn_next(struct frame_conn *conn)
{
	return conn->next;
}

static bool passed(int64_t deadline, int64_t now)
{
	return deadline != 0 && now >= deadline;
}

void frame_conn_check(struct frame_conn *conn, int64_t now)
{
	if (conn->closing)
		return;
	if (conn->writing.len > 0 && !conn->server->stopping) {
		size_t unsent = uv_stream_get_write_queue_size(&conn->uv.stream);

		if (unsent != conn->unsent) {
			conn->unsent = unsent;
			conn->write_deadline = now + conn->server->conf.timeout_ms;
		}
	}
	if (conn->coming != NULL)
		conn->coming->place.done = conn->coming_have;
	if (!passed(conn->deadline, now) && !passed(conn->deadline_last, now) &&
		!passed(conn->write_deadline, now))
		return;
	if (!conn->lingering)
		frame_conn_trouble(conn->server, NET_TIMED_OUT, conn->peer);
	frame_conn_close(conn);
}

void frame_conn_make_room(struct frame_server *server, int64_t now)
{
	struct net_place *place = net_budget_laggard(&server->bodies, now);
	struct frame_conn *conn;

	if (place == NULL)
		return;
	conn = ((struct frame_pending *)((char *)place - offsetof(struct frame_pending, place)))
		       ->conn;
	frame_conn_trouble(server, NET_TOO_SLOW, conn->peer);
	frame_conn_close(conn);
}

void frame_conn_finish(struct frame_conn *conn)
{
	if (conn->closing || conn->lingering)
		return;
	if (conn->coming != NULL)
		frame_pending_free(conn, conn->coming);
	conn->coming = NULL;
	conn->waiting = conn->skipping = false;
	conn->header_have = 0;
	conn->finished = true;
	frame_conn_expect_nothing(conn);
	if (conn->writing.len > 0)
		conn->write_deadline = frame_conn_now(conn) + FRAME_STOP_MS;
	if (conn->count == 0 && conn->out.len == 0 && conn->writing.len == 0)
		frame_conn_close(conn);
	else
		frame_conn_make_ready(conn);
}

/* Ask the handler about the peer. */
static bool admitted(struct frame_conn *conn)
{
	const struct frame_handler *handler = conn->server->conf.handler;
	int len = sizeof conn->from;

	if (handler->admit == NULL || conn->server->listener.is_unix)
		return true;
	return uv_tcp_getpeername(&conn->uv.tcp, (struct sockaddr *)&conn->from, &len) == 0 &&
	       handler->admit(conn->server->conf.context, (struct sockaddr *)&conn->from);
}

static bool shielded(struct frame_conn *conn)
{
	const struct frame_server_conf *conf = &conn->server->conf;

	if (conf->shield == NULL)
		return true;
	conn->session = conf->shield->open(conf->shield_context);
	return conn->session != NULL;
}

/* As in net_conn.c. */
static enum net_worth worth(const struct frame_conn *conn)
{
	bool in_body = conn->coming != NULL || conn->skipping;

	if (conn->closing || conn->lingering || conn->idle_since == 0 || conn->count > 0 ||
		conn->out.len + conn->writing.len > 0)
		return NET_WORTH_ALL;
	if (!in_body && conn->header_have == 0)
		return conn->known ? NET_WORTH_LITTLE : NET_WORTH_NOTHING;
	if (conn->known)
		return NET_WORTH_ALL;
	return in_body ? NET_WORTH_SOME : NET_WORTH_NOTHING;
}

static bool replace_one(struct frame_server *server)
{
	struct frame_conn *worst = NULL;
	enum net_worth least = NET_WORTH_ALL;

	for (struct frame_conn *conn = server->conns; conn != NULL; conn = conn->next) {
		enum net_worth its = worth(conn);

		if (its < least ||
			(its == least && worst != NULL && conn->idle_since <= worst->idle_since)) {
			worst = conn;
			least = its;
		}
	}
	if (worst == NULL)
		return false;
	frame_conn_trouble(server, NET_REPLACED, worst->peer);
	frame_conn_close(worst);
	return true;
}

void frame_conn_accept(struct frame_server *server)
{
	struct frame_conn *conn = calloc(1, sizeof *conn);

	assert(conn != NULL);
	conn->server = server;
	buf_init(&conn->out, FRAME_OUT_MAX);
	buf_init(&conn->writing, FRAME_OUT_MAX);
	conn->next = server->conns;
	if (conn->next != NULL)
		conn->next->prev = conn;
	server->conns = conn;
	server->count++;
	if (!net_listener_accept(&server->listener, server->loop, &conn->uv, conn)) {
		frame_conn_close(conn);
	} else if (!net_listener_admit(&server->listener, &conn->uv, server->conf.allow, conn->peer,
			   sizeof conn->peer) ||
		   !admitted(conn)) {
		if (conn->peer[0] != '\0')
			frame_conn_trouble(server, NET_REFUSED, conn->peer);
		frame_conn_close(conn);
	} else if (server->count > server->conf.max_connections && !replace_one(server)) {
		frame_conn_trouble(server, NET_TOO_MANY, conn->peer);
		frame_conn_close(conn);
	} else if (!shielded(conn)) {
		frame_conn_close(conn);
	} else {
		conn->owner = net_listener_owner(&server->listener, &conn->uv);
		conn->idle_since = frame_conn_now(conn);
		frame_conn_expect(conn, server->conf.timeout_ms);
		frame_conn_start_reading(conn);
	}
}
