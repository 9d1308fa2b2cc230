#include "net/net_conn_inside.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *out)
{
	struct net_conn *conn = handle->data;

	(void)hint;
	if (conn->state == CONN_BODY) {
		uint64_t left = conn->body_len - conn->body_have;
		size_t len = left > (1U << 30) ? 1U << 30 : (size_t)left;

		*out = uv_buf_init((char *)conn->body + conn->body_have, (unsigned)len);
	} else {
		*out = uv_buf_init(conn->server->loop->scratch, NET_SCRATCH);
	}
}

/* The peer sends no more. */
static void end_of_input(struct net_conn *conn)
{
	if (conn->state == CONN_WAITING || conn->state == CONN_BODY || conn->state == CONN_DRAIN ||
		(conn->state == CONN_HEADER && conn->header_have > 0))
		net_conn_trouble(conn->server, NET_BROKEN, conn->peer);
	net_conn_close(conn);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
	struct net_conn *conn = stream->data;

	if (got == 0 || conn->closing)
		return;
	if (got < 0) {
		/* Whoever has shut down its sending side may still wait for the answer. */
		if (got == UV_EOF &&
			(conn->state == CONN_ANSWERING || conn->state == CONN_WRITING)) {
			conn->finished = true;
			uv_read_stop(stream);
			conn->reading = false;
			return;
		}
		conn->broken = true;
		end_of_input(conn);
		return;
	}
	if (conn->state == CONN_LINGER)
		return;
	if (conn->state == CONN_BODY || conn->state == CONN_DRAIN)
		net_conn_expect(conn, conn->server->timeout_ms);
	if (conn->state == CONN_BODY) {
		conn->body_have += (uint64_t)got;
	} else {
		conn->in = (const uint8_t *)buf->base;
		conn->in_len = (size_t)got;
	}
	net_conn_go_on(conn);
}

void net_conn_start_reading(struct net_conn *conn)
{
	if (conn->reading || conn->broken || conn->closing)
		return;
	conn->reading = true;
	if (uv_read_start(&conn->uv.stream, on_alloc, on_read) != 0)
		net_conn_close(conn);
}

/* What has been read behind the current request stays until its turn; meanwhile nothing
 * more is read. */
static void keep_rest(struct net_conn *conn)
{
	uint8_t *kept = NULL;

	if (conn->in_len > 0) {
		if (conn->kept != NULL && conn->in == conn->kept)
			return;
		kept = malloc(conn->in_len);
		assert(kept != NULL);
		memcpy(kept, conn->in, conn->in_len);
		uv_read_stop(&conn->uv.stream);
		conn->reading = false;
	}
	free(conn->kept);
	conn->in = conn->kept = kept;
}

/* ---- a request, step by step; each takes from conn->in what it needs ---- */

static void expect_body(struct net_conn *conn)
{
	net_conn_expect(conn, conn->server->timeout_ms);
	conn->deadline_last = conn->deadline + (int64_t)(conn->body_len / NET_SLOWEST_BYTES_PER_MS);
	conn->body_place.since = net_conn_now(conn);
}

static void hand_over(struct net_conn *conn, bool drained)
{
	struct net_request *request = &conn->request;

	conn->state = CONN_ANSWERING;
	conn->body_place.since = 0; /* the peer has done its part */
	net_conn_expect_nothing(conn);
	request->drained = drained;
	request->body = drained ? span_of(NULL, 0) : span_of(conn->body, (size_t)conn->body_len);
	request->peer = conn->peer;
	request->mine = &conn->mine;
	conn->server->protocol->answer(conn->server->context, request);
}

static void begin_body(struct net_conn *conn)
{
	if (conn->body_len > 0) {
		conn->body = malloc((size_t)conn->body_len + NET_BODY_SPARE);
		if (conn->body == NULL) {
			net_conn_trouble(conn->server, NET_BROKEN, conn->peer);
			net_conn_close(conn);
			return;
		}
	}
	conn->state = CONN_BODY;
	expect_body(conn);
}

static void on_body_room(struct net_place *place)
{
	struct net_conn *conn = (struct net_conn *)((char *)place -
						    offsetof(struct net_conn, body_place));

	begin_body(conn);
	net_conn_go_on(conn);
}

static void judge(struct net_conn *conn)
{
	struct net_server *server = conn->server;
	struct net_verdict verdict = server->protocol->judge(server->context, conn->request.header);

	conn->header_have = 0;
	conn->body_len = verdict.len;
	conn->body_have = 0;
	conn->body_place.owner = conn->owner;
	if (verdict.what == NET_CLOSE) {
		net_conn_close(conn);
	} else if (verdict.what == NET_DRAIN) {
		conn->state = CONN_DRAIN;
		expect_body(conn);
	} else if (verdict.len <= NET_SMALL_BODY ||
		   net_budget_take(&server->bodies, &conn->body_place, verdict.len, on_body_room)) {
		begin_body(conn);
	} else {
		conn->state = CONN_WAITING;
		net_conn_expect_nothing(conn);
	}
}

static void take(struct net_conn *conn, size_t len)
{
	conn->in += len;
	conn->in_len -= len;
}

static size_t smaller(uint64_t a, size_t b)
{
	return a < b ? (size_t)a : b;
}

/* One step; false if it needs more bytes, or somebody else has to go on. */
static bool step(struct net_conn *conn)
{
	size_t len;

	switch (conn->state) {
	case CONN_HEADER:
		len = smaller(conn->server->protocol->header_len - conn->header_have, conn->in_len);
		if (len == 0)
			return false;
		if (conn->header_have == 0)
			net_conn_expect(conn, conn->server->timeout_ms);
		memcpy(conn->request.header + conn->header_have, conn->in, len);
		conn->header_have += len;
		take(conn, len);
		if (conn->header_have == conn->server->protocol->header_len)
			judge(conn);
		return true;
	case CONN_BODY:
		len = smaller(conn->body_len - conn->body_have, conn->in_len);
		if (len > 0)
			memcpy(conn->body + conn->body_have, conn->in, len);
		conn->body_have += len;
		take(conn, len);
		if (conn->body_have < conn->body_len)
			return false;
		hand_over(conn, false);
		return true;
	case CONN_DRAIN:
		len = smaller(conn->body_len - conn->body_have, conn->in_len);
		conn->body_have += len;
		take(conn, len);
		if (conn->body_have < conn->body_len)
			return false;
		hand_over(conn, true);
		return true;
	default:
		return false;
	}
}

void net_conn_go_on(struct net_conn *conn)
{
	if (conn->running)
		return;
	conn->running = true;
	while (!conn->closing && step(conn))
		;
	conn->running = false;
	if (conn->closing)
		return;
	if (conn->finished && conn->in_len == 0 &&
		(conn->state == CONN_HEADER || conn->state == CONN_BODY ||
			conn->state == CONN_DRAIN)) {
		end_of_input(conn);
		return;
	}
	keep_rest(conn);
	/* With bytes kept, reading waits; so it does while the body waits for its turn. */
	if (conn->state == CONN_WAITING && conn->reading) {
		uv_read_stop(&conn->uv.stream);
		conn->reading = false;
	} else if (conn->in_len == 0 && conn->state != CONN_WAITING && !conn->finished) {
		net_conn_start_reading(conn);
	}
}
