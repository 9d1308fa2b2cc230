#include "net/net_conn_inside.h"

#include <assert.h>
#include <stdlib.h>

enum { LINGER_MS = 2000 };

static void on_shutdown(uv_shutdown_t *shutdown, int status)
{
	struct net_conn *conn = shutdown->data;

	if (status != 0)
		net_conn_close(conn);
}

static void linger(struct net_conn *conn)
{
	conn->state = CONN_LINGER;
	net_conn_expect(conn, LINGER_MS);
	conn->deadline_last = 0;
	conn->shutdown.data = conn;
	conn->in_len = 0;
	if (uv_shutdown(&conn->shutdown, &conn->uv.stream, on_shutdown) != 0)
		net_conn_close(conn);
	else
		net_conn_start_reading(conn);
}

/* The reply has left. */
static void answered(struct net_conn *conn)
{
	buf_fini(&conn->reply.body);
	conn->state = CONN_HEADER;
	conn->known = true;
	conn->idle_since = net_conn_now(conn);
	net_conn_expect_nothing(conn);
	net_conn_give_back(conn);
	if (conn->broken || conn->server->stopping)
		net_conn_close(conn);
	else if (conn->reply.close)
		linger(conn);
	else
		net_conn_go_on(conn);
}

static void on_written(uv_write_t *write, int status)
{
	struct net_conn *conn = write->data;

	if (status != 0)
		conn->broken = true;
	if (!conn->closing)
		answered(conn);
}

static void send_reply(struct net_conn *conn)
{
	struct net_reply *reply = &conn->reply;
	uv_buf_t bufs[2] = {
		uv_buf_init((char *)reply->head, (unsigned)reply->head_len),
		uv_buf_init((char *)(uintptr_t)reply->slice.data, (unsigned)reply->slice.len),
	};
	unsigned count = reply->slice.len > 0 ? 2 : 1;
	size_t all = reply->head_len + reply->slice.len;
	int sent;

	free(conn->body);
	conn->body = NULL;
	net_budget_give(&conn->server->bodies, &conn->body_place);
	conn->state = CONN_WRITING;
	if (conn->broken || conn->hang_up) {
		conn->reply.close = false;
		conn->broken = true;
		answered(conn);
		return;
	}
	sent = uv_try_write(&conn->uv.stream, bufs, count);
	if (sent < 0 && sent != UV_EAGAIN) {
		conn->broken = true;
		answered(conn);
		return;
	}
	if (sent > 0 && (size_t)sent == all) {
		answered(conn);
		return;
	}
	for (unsigned i = 0; sent > 0 && i < count; i++) {
		size_t part = (size_t)sent < bufs[i].len ? (size_t)sent : bufs[i].len;

		bufs[i].base += part;
		bufs[i].len -= part;
		sent -= (int)part;
	}
	conn->write.data = conn;
	conn->unsent = all;
	net_conn_expect(conn, conn->server->timeout_ms);
	conn->deadline_last = conn->deadline + (int64_t)(all / NET_SLOWEST_BYTES_PER_MS);
	conn->reply_place.since = net_conn_now(conn);
	if (uv_write(&conn->write, &conn->uv.stream, bufs, count, on_written) != 0) {
		conn->broken = true;
		answered(conn);
	}
}

static void on_posted(struct net_post *post)
{
	struct net_conn *conn = (struct net_conn *)((char *)post - offsetof(struct net_conn, post));

	send_reply(conn);
}

static struct net_conn *conn_of(struct net_request *request)
{
	return (struct net_conn *)((char *)request - offsetof(struct net_conn, request));
}

static void settle(struct net_conn *conn)
{
	struct net_loop *loop = conn->server->loop;

	if (net_loop_here(loop)) {
		send_reply(conn);
	} else {
		conn->post.run = on_posted;
		net_loop_post(loop, &conn->post);
	}
}

void net_reply(struct net_request *request, const struct net_reply *reply)
{
	struct net_conn *conn = conn_of(request);

	assert(conn->state == CONN_ANSWERING && reply->slice.len <= INT32_MAX);
	conn->reply = *reply;
	settle(conn);
}

void net_hang_up(struct net_request *request)
{
	struct net_conn *conn = conn_of(request);

	assert(conn->state == CONN_ANSWERING);
	conn->reply = (struct net_reply){ 0 };
	conn->hang_up = true;
	settle(conn);
}

static void on_reply_room(struct net_place *place)
{
	struct net_conn *conn = (struct net_conn *)((char *)place -
						    offsetof(struct net_conn, reply_place));

	conn->reserved(conn->reserved_context, &conn->request);
}

void net_reserve(struct net_request *request, uint64_t bytes, void *context,
	void (*go)(void *context, struct net_request *request))
{
	struct net_conn *conn = conn_of(request);

	conn->reserved = go;
	conn->reserved_context = context;
	conn->reply_place.owner = conn->owner;
	if (net_budget_take(&conn->server->replies, &conn->reply_place, bytes, on_reply_room))
		go(context, request);
}
