#include "net/frame_conn_inside.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { OUT_FULL = 256 << 10 }; /* unsent bytes over which no further package is begun */

static void begin(struct frame_conn *conn)
{
	struct frame_pending *pending = conn->coming;
	struct frame_server *server = conn->server;

	conn->coming = NULL;
	pending->place.since = 0; /* the peer has done its part */
	frame_conn_expect_nothing(conn);
	frame_pending_append(conn, pending);
	server->conf.handler->begin(server->conf.context, &pending->request);
}

static bool knows(const struct frame_server *server, uint16_t cmd)
{
	for (size_t i = 0; i < server->conf.command_count; i++)
		if (server->conf.commands[i] == cmd)
			return true;
	return false;
}

static void expect_body(struct frame_conn *conn, uint32_t len)
{
	conn->waiting = false;
	frame_conn_expect(conn, conn->server->conf.timeout_ms);
	conn->deadline_last = conn->deadline + len / NET_SLOWEST_BYTES_PER_MS;
	if (conn->coming != NULL)
		conn->coming->place.since = frame_conn_now(conn);
}

static void on_body_room(struct net_place *place)
{
	struct frame_pending *pending =
		(struct frame_pending *)((char *)place - offsetof(struct frame_pending, place));

	expect_body(pending->conn, pending->len);
	frame_conn_make_ready(pending->conn);
}

static void expect_request(struct frame_conn *conn, const struct package *package)
{
	uint32_t len = package->len - PACKAGE_HEADER_LEN;
	struct frame_pending *pending = calloc(1, sizeof *pending + len);

	if (pending == NULL) {
		frame_conn_trouble(conn->server, NET_BROKEN, conn->peer);
		frame_conn_close(conn);
		return;
	}
	pending->request = (struct frame_request){
		.package = *package,
		.body = span_of(pending->body, len),
		.order = conn->server->conf.order,
		.peer = conn->peer,
		.from = conn->from.ss_family == 0 ? NULL : (struct sockaddr *)&conn->from,
	};
	pending->conn = conn;
	pending->len = len;
	pending->place.owner = conn->owner;
	conn->coming = pending;
	conn->coming_have = 0;
	if (len > NET_SMALL_BODY &&
		!net_budget_take(&conn->server->bodies, &pending->place, len, on_body_room)) {
		conn->waiting = true;
		frame_conn_expect_nothing(conn);
	} else {
		expect_body(conn, len);
	}
}

static void judge(struct frame_conn *conn)
{
	struct frame_server *server = conn->server;
	struct package package;

	conn->header_have = 0;
	if (!package_header_decode(conn->header, server->conf.order, &package)) {
		frame_conn_trouble(server, NET_BROKEN, conn->peer);
		conn->finished = true;
	} else if (package.len > server->conf.max_package) {
		conn->finished = true;
		frame_conn_refuse(conn, &package, RET_TOO_LARGE);
	} else if (knows(server, package.cmd)) {
		expect_request(conn, &package);
	} else {
		conn->skip = package.len - PACKAGE_HEADER_LEN;
		conn->skipped = package;
		conn->skipping = true;
		expect_body(conn, conn->skip);
	}
}

/* Up to `want` bytes of the input, copied to `out` unless it is NULL. */
static uint32_t take(struct frame_conn *conn, uint32_t want, uint8_t *out)
{
	uint32_t len = want < conn->in_len ? want : (uint32_t)conn->in_len;

	if (out != NULL && len > 0)
		memcpy(out, conn->in, len);
	conn->in += len;
	conn->in_len -= len;
	return len;
}

bool frame_conn_may_begin(const struct frame_conn *conn)
{
	struct frame_server *server = conn->server;

	if (server->conf.in_flight_all != 0 && server->in_flight >= server->conf.in_flight_all)
		server->full = true;
	return !server->full && conn->count < server->conf.in_flight &&
	       conn->out.len + conn->writing.len <= OUT_FULL;
}

/* One step; false if it needs more bytes, or has to wait. */
static bool step(struct frame_conn *conn)
{
	uint32_t len;

	if (conn->closing || conn->finished || conn->waiting)
		return false;
	if (conn->coming != NULL) {
		struct frame_pending *pending = conn->coming;

		conn->coming_have += take(
			conn, pending->len - conn->coming_have, pending->body + conn->coming_have);
		if (conn->coming_have < pending->len)
			return false;
		begin(conn);
		return true;
	}
	if (conn->skipping) {
		conn->skip -= take(conn, conn->skip, NULL);
		if (conn->skip > 0)
			return false;
		conn->skipping = false;
		frame_conn_expect_nothing(conn);
		frame_conn_refuse(conn, &conn->skipped,
			conn->skipped.cmd == CMD_PING ? RET_OK : RET_UNSUPPORTED);
		return true;
	}
	if (!frame_conn_may_begin(conn))
		return false;
	if (conn->header_have == 0 && conn->in_len > 0)
		frame_conn_expect(conn, conn->server->conf.timeout_ms);
	len = take(conn, (uint32_t)(PACKAGE_HEADER_LEN - conn->header_have),
		conn->header + conn->header_have);
	conn->header_have += len;
	if (conn->header_have < PACKAGE_HEADER_LEN)
		return false;
	judge(conn);
	return true;
}

static bool in_a_package(const struct frame_conn *conn)
{
	return conn->header_have > 0 || conn->coming != NULL || conn->skipping;
}

/* What has been read behind the current package stays until its turn; meanwhile nothing
 * more is read. */
static void keep_rest(struct frame_conn *conn)
{
	if (conn->in_len == 0) {
		free(conn->kept);
		conn->kept = NULL;
	} else if (conn->kept == NULL) {
		conn->kept = malloc(conn->in_len);
		assert(conn->kept != NULL);
		memcpy(conn->kept, conn->in, conn->in_len);
		conn->in = conn->kept;
	}
}

static void stop_reading(struct frame_conn *conn)
{
	if (conn->reading)
		uv_read_stop(&conn->uv.stream);
	conn->reading = false;
}

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *out)
{
	struct frame_conn *conn = handle->data;

	(void)hint;
	*out = uv_buf_init(conn->server->loop->scratch, NET_SCRATCH);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf);

void frame_conn_start_reading(struct frame_conn *conn)
{
	if (conn->reading || conn->ended)
		return;
	conn->reading = true;
	if (uv_read_start(&conn->uv.stream, on_alloc, on_read) != 0)
		frame_conn_close(conn);
}

/* Get bytes out of the shield, once those before are dealt with; false if it has none. */
static bool pull(struct frame_conn *conn)
{
	const struct frame_shield *shield = conn->server->conf.shield;
	bool clean = false;
	ptrdiff_t got;

	if (conn->session == NULL || conn->closing || conn->finished || conn->waiting ||
		conn->unshielded || conn->in_len > 0)
		return false;
	free(conn->kept);
	conn->kept = NULL;
	got = shield->read(conn->session, conn->server->loop->scratch, NET_SCRATCH, &clean);
	if (got < 0) {
		conn->unshielded = conn->ended = true;
		if (!clean) {
			frame_conn_trouble(conn->server, NET_BROKEN, conn->peer);
			conn->finished = true;
		}
		stop_reading(conn);
		return false;
	}
	conn->in = (const uint8_t *)conn->server->loop->scratch;
	conn->in_len = (size_t)got;
	return got > 0;
}

void frame_conn_take_apart(struct frame_conn *conn)
{
	do
		while (step(conn))
			;
	while (pull(conn));
	if (conn->closing || conn->lingering)
		return;
	if (conn->finished)
		conn->in_len = 0;
	if (conn->ended && conn->in_len == 0 && !conn->finished && !conn->waiting) {
		if (in_a_package(conn))
			frame_conn_trouble(conn->server, NET_BROKEN, conn->peer);
		conn->finished = true;
	}
	keep_rest(conn);
	if (conn->in_len > 0 || conn->finished || conn->waiting)
		stop_reading(conn);
	else
		frame_conn_start_reading(conn);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
	struct frame_conn *conn = stream->data;

	if (got == 0 || conn->closing)
		return;
	if (got < 0) {
		stop_reading(conn);
		conn->ended = true;
		/* Whoever has shut down its sending side may still wait for replies. */
		if (got != UV_EOF || conn->lingering)
			frame_conn_close(conn);
		else
			frame_conn_make_ready(conn);
		return;
	}
	if (conn->lingering)
		return;
	if (conn->coming != NULL || conn->skipping)
		frame_conn_expect(conn, conn->server->conf.timeout_ms);
	if (conn->session == NULL) {
		conn->in = (const uint8_t *)buf->base;
		conn->in_len = (size_t)got;
	} else if (!conn->server->conf.shield->feed(
			   conn->session, span_of(buf->base, (size_t)got))) {
		frame_conn_close(conn);
		return;
	}
	frame_conn_take_apart(conn);
	frame_conn_make_ready(conn);
}
