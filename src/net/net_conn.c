#include "net/net_conn_inside.h"

#include <assert.h>
#include <stdlib.h>

enum { STOP_MS = 10000 }; /* a peer in the middle of something when the server stops */

int64_t net_conn_now(const struct net_conn *conn)
{
	return (int64_t)uv_now(&conn->server->loop->uv);
}

void net_conn_expect(struct net_conn *conn, int64_t ms)
{
	conn->deadline = net_conn_now(conn) + ms;
}

void net_conn_expect_nothing(struct net_conn *conn)
{
	conn->deadline = conn->deadline_last = 0;
}

void net_conn_trouble(struct net_server *server, enum net_trouble what, const char *peer)
{
	if (server->protocol->trouble != NULL)
		server->protocol->trouble(server->context, what, peer);
}

static void on_closed(uv_handle_t *handle)
{
	struct net_conn *conn = handle->data;
	struct net_server *server = conn->server;

	if (conn->mine != NULL && server->protocol->ended != NULL)
		server->protocol->ended(server->context, conn->mine);
	*(conn->prev == NULL ? &server->conns : &conn->prev->next) = conn->next;
	if (conn->next != NULL)
		conn->next->prev = conn->prev;
	server->count--;
	if (server->conns == NULL)
		net_server_emptied(server);
	buf_fini(&conn->reply.body);
	free(conn->body);
	free(conn->kept);
	free(conn);
}

void net_conn_give_back(struct net_conn *conn)
{
	net_budget_give(&conn->server->bodies, &conn->body_place);
	net_budget_give(&conn->server->replies, &conn->reply_place);
}

void net_conn_close(struct net_conn *conn)
{
	if (conn->state == CONN_ANSWERING) {
		conn->finished = conn->broken = true;
		uv_read_stop(&conn->uv.stream);
		conn->reading = false;
		net_conn_expect_nothing(conn);
		return;
	}
	if (conn->closing)
		return;
	conn->closing = true;
	net_conn_give_back(conn);
	uv_close(&conn->uv.handle, on_closed);
}

/* ---- the server's view ---- */

struct net_conn *net_conn_next(struct net_conn *conn)
{
	return conn->next;
}

/* It is not CONN_ANSWERING: then the peer has done its part, or can do none. */
static void cut_off(struct net_conn *conn, enum net_trouble why)
{
	if (conn->state != CONN_LINGER)
		net_conn_trouble(conn->server, why, conn->peer);
	conn->broken = true;
	net_conn_close(conn);
}

void net_conn_check(struct net_conn *conn, int64_t now)
{
	if (conn->closing || conn->deadline == 0)
		return;
	if (conn->state == CONN_BODY)
		conn->body_place.done = conn->body_have;
	if (conn->state == CONN_WRITING) {
		size_t unsent = uv_stream_get_write_queue_size(&conn->uv.stream);

		if (conn->reply_place.bytes > unsent)
			conn->reply_place.done = conn->reply_place.bytes - unsent;
		if (unsent != conn->unsent) {
			conn->unsent = unsent;
			conn->deadline = now + conn->server->timeout_ms;
		}
	}
	if (now < conn->deadline && (conn->deadline_last == 0 || now < conn->deadline_last))
		return;
	cut_off(conn, NET_TIMED_OUT);
}

void net_conn_make_room(struct net_server *server, int64_t now)
{
	struct net_place *body = net_budget_laggard(&server->bodies, now);
	struct net_place *reply = net_budget_laggard(&server->replies, now);

	if (body != NULL)
		cut_off((struct net_conn *)((char *)body - offsetof(struct net_conn, body_place)),
			NET_TOO_SLOW);
	if (reply != NULL)
		cut_off((struct net_conn *)((char *)reply - offsetof(struct net_conn, reply_place)),
			NET_TOO_SLOW);
}

void net_conn_finish(struct net_conn *conn)
{
	if (conn->closing)
		return;
	if (conn->state == CONN_LINGER || conn->state == CONN_WAITING ||
		(conn->state == CONN_HEADER && conn->header_have == 0))
		net_conn_close(conn);
	else if (conn->deadline != 0)
		conn->deadline_last = net_conn_now(conn) + STOP_MS;
}

/* How little is lost with it: see net_server.h. */
static enum net_worth worth(const struct net_conn *conn)
{
	if (conn->closing || conn->idle_since == 0 || conn->state == CONN_ANSWERING ||
		conn->state == CONN_WRITING || conn->state == CONN_LINGER)
		return NET_WORTH_ALL;
	if (conn->state == CONN_HEADER && conn->header_have == 0)
		return conn->known ? NET_WORTH_LITTLE : NET_WORTH_NOTHING;
	if (conn->known)
		return NET_WORTH_ALL;
	return conn->state == CONN_HEADER ? NET_WORTH_NOTHING : NET_WORTH_SOME;
}

static bool replace_one(struct net_server *server)
{
	struct net_conn *worst = NULL;
	enum net_worth least = NET_WORTH_ALL;

	for (struct net_conn *conn = server->conns; conn != NULL; conn = conn->next) {
		enum net_worth its = worth(conn);

		/* From the youngest to the oldest. */
		if (its < least ||
			(its == least && worst != NULL && conn->idle_since <= worst->idle_since)) {
			worst = conn;
			least = its;
		}
	}
	if (worst == NULL)
		return false;
	cut_off(worst, NET_REPLACED);
	return true;
}

/* May the peer be here? */
static bool admit(struct net_conn *conn)
{
	struct net_server *server = conn->server;

	if (!net_listener_admit(
		    &server->listener, &conn->uv, server->allow, conn->peer, sizeof conn->peer)) {
		if (conn->peer[0] != '\0')
			net_conn_trouble(server, NET_REFUSED, conn->peer);
		return false;
	}
	if (server->count > server->max_connections && !replace_one(server)) {
		net_conn_trouble(server, NET_TOO_MANY, conn->peer);
		return false;
	}
	conn->owner = net_listener_owner(&server->listener, &conn->uv);
	return true;
}

void net_conn_accept(struct net_server *server)
{
	struct net_conn *conn = calloc(1, sizeof *conn);

	assert(conn != NULL);
	conn->server = server;
	conn->next = server->conns;
	if (conn->next != NULL)
		conn->next->prev = conn;
	server->conns = conn;
	server->count++;
	if (!net_listener_accept(&server->listener, server->loop, &conn->uv, conn) ||
		!admit(conn)) {
		net_conn_close(conn);
		return;
	}
	if (server->count > server->count_max)
		server->count_max = server->count;
	conn->idle_since = net_conn_now(conn);
	net_conn_expect(conn, server->timeout_ms);
	net_conn_start_reading(conn);
}
