#include "net/frame_conn_inside.h"

#include <assert.h>
#include <stdlib.h>

/* ---- requests under way, in their order ---- */

void frame_pending_append(struct frame_conn *conn, struct frame_pending *pending)
{
	pending->prev = conn->last;
	*(conn->last == NULL ? &conn->first : &conn->last->next) = pending;
	conn->last = pending;
	conn->count++;
	conn->known = true;
	conn->idle_since = frame_conn_now(conn);
	conn->server->in_flight++;
}

void frame_pending_unlink(struct frame_conn *conn, struct frame_pending *pending)
{
	*(pending->prev == NULL ? &conn->first : &pending->prev->next) = pending->next;
	*(pending->next == NULL ? &conn->last : &pending->next->prev) = pending->prev;
	conn->count--;
	conn->server->in_flight--;
	if (conn->server->full &&
		conn->server->in_flight <= conn->server->conf.in_flight_all / 4 * 3)
		frame_conn_resume(conn->server);
}

void frame_pending_free(struct frame_conn *conn, struct frame_pending *pending)
{
	net_budget_give(&conn->server->bodies, &pending->place);
	buf_fini(&pending->reply);
	free(pending);
}

/* ---- replies ---- */

/* Replies that nobody takes would fill the memory: the worst one goes. */
static void make_room(struct frame_server *server)
{
	struct frame_conn *worst = NULL;

	for (struct frame_conn *conn = server->conns; conn != NULL; conn = conn->next)
		if (!conn->closing && (worst == NULL || conn->counted > worst->counted))
			worst = conn;
	if (worst == NULL)
		return;
	frame_conn_trouble(server, NET_TIMED_OUT, worst->peer);
	frame_conn_close(worst);
}

static void put_reply(
	struct frame_conn *conn, const struct package *request, enum ret ret, struct span body)
{
	enum byte_order order = conn->server->conf.order;
	struct package reply = *request;
	size_t at;

	reply.ret = ret;
	at = package_begin(&conn->out, &reply, order);
	if (ret == RET_OK)
		buf_put_span(&conn->out, body);
	package_end(&conn->out, at, order);
	if (!buf_ok(&conn->out))
		frame_conn_close(conn);
	frame_conn_count_unsent(conn);
	if (conn->server->conf.reply_memory != 0 &&
		conn->server->unsent > conn->server->conf.reply_memory)
		make_room(conn->server);
}

static void send_pending(struct frame_conn *conn, struct frame_pending *pending)
{
	frame_pending_unlink(conn, pending);
	if (!conn->closing)
		put_reply(conn, &pending->request.package, pending->ret, buf_span(&pending->reply));
	frame_pending_free(conn, pending);
}

/* `pending` has its reply: send it, or those that were held up by it. */
static void settle(struct frame_pending *pending)
{
	struct frame_conn *conn = pending->conn;

	/* Its body is of no use any more, its turn may be far. */
	net_budget_give(&conn->server->bodies, &pending->place);
	pending->done = true;
	if (conn->server->conf.any_order || conn->closing)
		send_pending(conn, pending);
	else
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what is freed is unlinked */
		while (conn->first != NULL && conn->first->done)
			send_pending(conn, conn->first);
	frame_conn_make_ready(conn);
	frame_conn_free_if_over(conn);
}

static void on_posted(struct net_post *post)
{
	settle((struct frame_pending *)((char *)post - offsetof(struct frame_pending, post)));
}

void frame_reply(struct frame_request *request, enum ret ret, struct buf *body)
{
	struct frame_pending *pending = (struct frame_pending *)request;
	struct net_loop *loop = pending->conn->server->loop;

	pending->ret = ret;
	if (body != NULL) {
		pending->reply = *body;
		*body = (struct buf){ 0 };
	}
	if (net_loop_here(loop)) {
		settle(pending);
	} else {
		pending->post.run = on_posted;
		net_loop_post(loop, &pending->post);
	}
}

void frame_conn_refuse(struct frame_conn *conn, const struct package *package, enum ret ret)
{
	struct frame_server *server = conn->server;
	struct frame_pending *pending = calloc(1, sizeof *pending);

	assert(pending != NULL);
	if (ret != RET_OK && server->conf.handler->refused != NULL)
		server->conf.handler->refused(server->conf.context, package, conn->peer, ret);
	pending->request.package = *package;
	pending->conn = conn;
	pending->ret = ret;
	frame_pending_append(conn, pending);
	settle(pending);
}
