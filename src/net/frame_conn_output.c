#include "net/frame_conn_inside.h"

enum {
	LINGER_MS = 2000,
	OUT_KEEP = 64 << 10, /* a buffer that grew over this is given back */
};

static void on_shutdown(uv_shutdown_t *shutdown, int status)
{
	struct frame_conn *conn = shutdown->data;

	if (status != 0)
		frame_conn_close(conn);
}

/* If the socket does not take it at once, the peer can do without. */
static void say_farewell(struct frame_conn *conn)
{
	const struct frame_shield *shield = conn->server->conf.shield;
	struct buf last;
	uv_buf_t piece;

	buf_init(&last, OUT_KEEP);
	shield->end(conn->session);
	shield->take(conn->session, &last);
	piece = uv_buf_init((char *)last.data, (unsigned)last.len);
	if (last.len > 0)
		uv_try_write(&conn->uv.stream, &piece, 1);
	buf_fini(&last);
}

void frame_conn_linger(struct frame_conn *conn)
{
	if (conn->ended) {
		frame_conn_close(conn);
		return;
	}
	conn->lingering = true;
	conn->deadline_last = 0;
	frame_conn_expect(conn, conn->server->stopping ? LINGER_MS / 4 : LINGER_MS);
	if (conn->session != NULL)
		say_farewell(conn);
	conn->shutdown.data = conn;
	if (uv_shutdown(&conn->shutdown, &conn->uv.stream, on_shutdown) != 0)
		frame_conn_close(conn);
	else
		frame_conn_start_reading(conn);
}

static void on_written(uv_write_t *write, int status)
{
	struct frame_conn *conn = write->data;

	buf_trim(&conn->writing, OUT_KEEP);
	frame_conn_count_unsent(conn);
	conn->write_deadline = 0;
	if (status != 0)
		frame_conn_close(conn);
	else
		frame_conn_make_ready(conn);
}

/* Replace the replies in `out` by what is to be sent for them; false if that is nothing. */
static bool seal(struct frame_conn *conn)
{
	const struct frame_shield *shield = conn->server->conf.shield;
	struct buf sealed;

	buf_init(&sealed, FRAME_OUT_MAX);
	if (conn->out.len > 0 && !shield->write(conn->session, buf_span(&conn->out))) {
		frame_conn_close(conn);
		return false;
	}
	shield->take(conn->session, &sealed);
	buf_fini(&conn->out);
	conn->out = sealed;
	return sealed.len > 0;
}

void frame_conn_write(struct frame_conn *conn)
{
	struct buf all;
	uv_buf_t piece;
	int sent;

	if (conn->session != NULL && !seal(conn))
		return;
	all = conn->out;
	piece = uv_buf_init((char *)all.data, (unsigned)all.len);
	sent = uv_try_write(&conn->uv.stream, &piece, 1);
	if (sent < 0 && sent != UV_EAGAIN) {
		frame_conn_close(conn);
		return;
	}
	if (sent == (int)all.len) {
		buf_trim(&conn->out, OUT_KEEP);
		frame_conn_count_unsent(conn);
		return;
	}
	if (sent < 0)
		sent = 0;
	conn->out = conn->writing;
	conn->writing = all;
	piece = uv_buf_init((char *)all.data + sent, (unsigned)(all.len - (size_t)sent));
	conn->write.data = conn;
	conn->unsent = piece.len;
	conn->write_deadline = frame_conn_now(conn) +
			       (conn->server->stopping ? FRAME_STOP_MS
						       : conn->server->conf.timeout_ms);
	if (uv_write(&conn->write, &conn->uv.stream, &piece, 1, on_written) != 0)
		frame_conn_close(conn);
}
