#include "net/net_conn.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
	LINGER_MS = 2000,
	STOP_MS = 10000,           /* a peer in the middle of something when the server stops */
	SLOWEST_BYTES_PER_MS = 16, /* 16 KB/s: who sends or takes slower is cut off */
};

enum state { HEADER, WAITING, BODY, DRAIN, ANSWERING, WRITING, LINGER };

struct net_conn {
	struct net_conn *next, *prev;
	struct net_server *server;
	union net_stream uv;
	enum state state;
	bool reading;  /* uv_read_start is in effect */
	bool finished; /* no request after this one: the server stops or the peer has ended */
	bool broken;   /* the socket has failed: do not write */
	bool closing;
	bool running;          /* run() is on the stack */
	int64_t deadline;      /* of uv_now(); 0: none */
	int64_t deadline_last; /* however much progress there is; 0: none */
	size_t unsent;         /* of the reply, when looked at last */

	size_t header_have;
	uint64_t body_len, body_have;
	uint8_t *body;
	struct net_place body_place, reply_place;

	/* Bytes behind the current request: in the loop's scratch while a read is dealt with,
	 * then kept in `kept`. */
	const uint8_t *in;
	size_t in_len;
	uint8_t *kept;

	struct net_request request;
	void *mine;
	void (*reserved)(void *context, struct net_request *request);
	void *reserved_context;

	struct net_post post; /* an answer from another thread */
	bool hang_up;
	struct net_reply reply;
	uv_write_t write;
	uv_shutdown_t shutdown;
	char peer[NET_PEER_MAX];
	uint64_t owner;     /* of what it holds of the budgets */
	bool known;         /* it has sent a whole request */
	int64_t idle_since; /* its last reply, or its beginning */
};

static void run(struct net_conn *conn);

static int64_t now_ms(const struct net_conn *conn)
{
	return (int64_t)uv_now(&conn->server->loop->uv);
}

static void expect_within(struct net_conn *conn, int64_t ms)
{
	conn->deadline = now_ms(conn) + ms;
}

static void expect_body(struct net_conn *conn)
{
	expect_within(conn, conn->server->timeout_ms);
	conn->deadline_last = conn->deadline + (int64_t)(conn->body_len / SLOWEST_BYTES_PER_MS);
	conn->body_place.since = now_ms(conn);
}

static void expect_nothing(struct net_conn *conn)
{
	conn->deadline = conn->deadline_last = 0;
}

static void trouble(struct net_server *server, enum net_trouble what, const char *peer)
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

static void give_back(struct net_conn *conn)
{
	net_budget_give(&conn->server->bodies, &conn->body_place);
	net_budget_give(&conn->server->replies, &conn->reply_place);
}

/* The end, but not while somebody outside still holds the request: then its answer is
 * waited for. */
static void close_conn(struct net_conn *conn)
{
	if (conn->state == ANSWERING) {
		conn->finished = conn->broken = true;
		uv_read_stop(&conn->uv.stream);
		conn->reading = false;
		expect_nothing(conn);
		return;
	}
	if (conn->closing)
		return;
	conn->closing = true;
	give_back(conn);
	uv_close(&conn->uv.handle, on_closed);
}

/* ---- reading ---- */

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *out)
{
	struct net_conn *conn = handle->data;

	(void)hint;
	if (conn->state == BODY) {
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
	if (conn->state == WAITING || conn->state == BODY || conn->state == DRAIN ||
		(conn->state == HEADER && conn->header_have > 0))
		trouble(conn->server, NET_BROKEN, conn->peer);
	close_conn(conn);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
	struct net_conn *conn = stream->data;

	if (got == 0 || conn->closing)
		return;
	if (got < 0) {
		/* Whoever has shut down its sending side may still wait for the answer. */
		if (got == UV_EOF && (conn->state == ANSWERING || conn->state == WRITING)) {
			conn->finished = true;
			uv_read_stop(stream);
			conn->reading = false;
			return;
		}
		conn->broken = true;
		end_of_input(conn);
		return;
	}
	if (conn->state == LINGER)
		return;
	if (conn->state == BODY || conn->state == DRAIN)
		expect_within(conn, conn->server->timeout_ms);
	if (conn->state == BODY) {
		conn->body_have += (uint64_t)got;
	} else {
		conn->in = (const uint8_t *)buf->base;
		conn->in_len = (size_t)got;
	}
	run(conn);
}

static void start_reading(struct net_conn *conn)
{
	if (conn->reading || conn->broken || conn->closing)
		return;
	conn->reading = true;
	if (uv_read_start(&conn->uv.stream, on_alloc, on_read) != 0)
		close_conn(conn);
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

static void hand_over(struct net_conn *conn, bool drained)
{
	struct net_request *request = &conn->request;

	conn->state = ANSWERING;
	conn->body_place.since = 0; /* the peer has done its part */
	expect_nothing(conn);
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
			trouble(conn->server, NET_BROKEN, conn->peer);
			close_conn(conn);
			return;
		}
	}
	conn->state = BODY;
	expect_body(conn);
}

static void on_body_room(struct net_place *place)
{
	struct net_conn *conn = (struct net_conn *)((char *)place -
						    offsetof(struct net_conn, body_place));

	begin_body(conn);
	run(conn);
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
		close_conn(conn);
	} else if (verdict.what == NET_DRAIN) {
		conn->state = DRAIN;
		expect_body(conn);
	} else if (verdict.len <= NET_SMALL_BODY ||
		   net_budget_take(&server->bodies, &conn->body_place, verdict.len, on_body_room)) {
		begin_body(conn);
	} else {
		conn->state = WAITING;
		expect_nothing(conn);
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
	case HEADER:
		len = smaller(conn->server->protocol->header_len - conn->header_have, conn->in_len);
		if (len == 0)
			return false;
		if (conn->header_have == 0)
			expect_within(conn, conn->server->timeout_ms);
		memcpy(conn->request.header + conn->header_have, conn->in, len);
		conn->header_have += len;
		take(conn, len);
		if (conn->header_have == conn->server->protocol->header_len)
			judge(conn);
		return true;
	case BODY:
		len = smaller(conn->body_len - conn->body_have, conn->in_len);
		if (len > 0)
			memcpy(conn->body + conn->body_have, conn->in, len);
		conn->body_have += len;
		take(conn, len);
		if (conn->body_have < conn->body_len)
			return false;
		hand_over(conn, false);
		return true;
	case DRAIN:
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

/* Go on as far as the bytes at hand allow.  Answers that are given at once come back to
 * this loop, not to a deeper one: a peer may glue any number of requests together. */
static void run(struct net_conn *conn)
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
		(conn->state == HEADER || conn->state == BODY || conn->state == DRAIN)) {
		end_of_input(conn);
		return;
	}
	keep_rest(conn);
	/* With bytes kept, reading waits; so it does while the body waits for its turn. */
	if (conn->state == WAITING && conn->reading) {
		uv_read_stop(&conn->uv.stream);
		conn->reading = false;
	} else if (conn->in_len == 0 && conn->state != WAITING && !conn->finished) {
		start_reading(conn);
	}
}

/* ---- answers ---- */

static void on_shutdown(uv_shutdown_t *shutdown, int status)
{
	struct net_conn *conn = shutdown->data;

	if (status != 0)
		close_conn(conn);
}

static void linger(struct net_conn *conn)
{
	conn->state = LINGER;
	expect_within(conn, LINGER_MS);
	conn->deadline_last = 0;
	conn->shutdown.data = conn;
	conn->in_len = 0;
	if (uv_shutdown(&conn->shutdown, &conn->uv.stream, on_shutdown) != 0)
		close_conn(conn);
	else
		start_reading(conn);
}

/* The reply has left. */
static void answered(struct net_conn *conn)
{
	buf_fini(&conn->reply.body);
	conn->state = HEADER;
	conn->known = true;
	conn->idle_since = now_ms(conn);
	expect_nothing(conn);
	give_back(conn);
	if (conn->broken || conn->server->stopping)
		close_conn(conn);
	else if (conn->reply.close)
		linger(conn);
	else
		run(conn);
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
	conn->state = WRITING;
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
		size_t part = smaller((uint64_t)sent, bufs[i].len);

		bufs[i].base += part;
		bufs[i].len -= part;
		sent -= (int)part;
	}
	conn->write.data = conn;
	conn->unsent = all;
	expect_within(conn, conn->server->timeout_ms);
	conn->deadline_last = conn->deadline + (int64_t)(all / SLOWEST_BYTES_PER_MS);
	conn->reply_place.since = now_ms(conn);
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

	assert(conn->state == ANSWERING && reply->slice.len <= INT32_MAX);
	conn->reply = *reply;
	settle(conn);
}

void net_hang_up(struct net_request *request)
{
	struct net_conn *conn = conn_of(request);

	assert(conn->state == ANSWERING);
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

/* ---- the server's view ---- */

struct net_conn *net_conn_next(struct net_conn *conn)
{
	return conn->next;
}

/* It is not ANSWERING: then the peer has done its part, or can do none. */
static void cut_off(struct net_conn *conn, enum net_trouble why)
{
	if (conn->state != LINGER)
		trouble(conn->server, why, conn->peer);
	conn->broken = true;
	close_conn(conn);
}

void net_conn_check(struct net_conn *conn, int64_t now)
{
	if (conn->closing || conn->deadline == 0)
		return;
	if (conn->state == BODY)
		conn->body_place.done = conn->body_have;
	if (conn->state == WRITING) {
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
	if (conn->state == LINGER || conn->state == WAITING ||
		(conn->state == HEADER && conn->header_have == 0))
		close_conn(conn);
	else if (conn->deadline != 0)
		conn->deadline_last = now_ms(conn) + STOP_MS;
}

/* How little is lost with it: see net_server.h. */
static enum net_worth worth(const struct net_conn *conn)
{
	if (conn->closing || conn->idle_since == 0 || conn->state == ANSWERING ||
		conn->state == WRITING || conn->state == LINGER)
		return NET_WORTH_ALL;
	if (conn->state == HEADER && conn->header_have == 0)
		return conn->known ? NET_WORTH_LITTLE : NET_WORTH_NOTHING;
	if (conn->known)
		return NET_WORTH_ALL;
	return conn->state == HEADER ? NET_WORTH_NOTHING : NET_WORTH_SOME;
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
			trouble(server, NET_REFUSED, conn->peer);
		return false;
	}
	if (server->count > server->max_connections && !replace_one(server)) {
		trouble(server, NET_TOO_MANY, conn->peer);
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
		close_conn(conn);
		return;
	}
	if (server->count > server->count_max)
		server->count_max = server->count;
	conn->idle_since = now_ms(conn);
	expect_within(conn, server->timeout_ms);
	start_reading(conn);
}
