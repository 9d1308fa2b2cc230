#include "net/frame_conn.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
	LINGER_MS = 2000,
	STOP_MS = 10000,           /* a peer that does not take its replies when the server stops */
	SLOWEST_BYTES_PER_MS = 16, /* 16 KB/s: who sends a body slower is cut off */
	OUT_FULL = 256 << 10,      /* unsent bytes over which no further package is begun */
	OUT_KEEP = 64 << 10,       /* a buffer that grew over this is given back */
	OUT_MAX = 1 << 30,
};

/* A request; what of it the handler sees comes first. */
struct pending {
	struct frame_request request;
	struct pending *next, *prev;
	struct frame_conn *conn;
	struct net_post post; /* a reply from another thread */
	struct net_place place;
	bool done;
	enum ret ret;
	struct buf reply;
	uint32_t len; /* of body */
	uint8_t body[];
};

struct frame_conn {
	struct frame_conn *next, *prev;
	struct frame_server *server;
	union net_stream uv;
	struct frame_conn *next_ready;
	bool is_ready;   /* on the server's list */
	bool reading;    /* uv_read_start is in effect */
	bool finished;   /* no package is begun any more */
	bool ended;      /* the peer sends nothing more */
	bool unshielded; /* the shield has no more for us */
	bool lingering;
	bool closing, closed;
	int64_t deadline;       /* for what is being read, of uv_now(); 0: none */
	int64_t deadline_last;  /* however much progress there is */
	int64_t write_deadline; /* 0: none */
	size_t unsent;          /* when looked at last */

	uint8_t header[PACKAGE_HEADER_LEN];
	size_t header_have;
	struct pending *coming; /* its body is being read */
	uint32_t coming_have;
	bool waiting;  /* for room for that body */
	uint32_t skip; /* bytes of a body to pass over; then `skipped` is refused */
	struct package skipped;
	bool skipping;

	/* Bytes that were read but not dealt with: in the loop's scratch during a read, then
	 * in `kept`. */
	const uint8_t *in;
	size_t in_len;
	uint8_t *kept;

	struct pending *first, *last; /* begun and not yet written to `out`, in order */
	int count;                    /* of them */
	struct buf out, writing;      /* replies to send; replies that are being sent */
	uv_write_t write;
	uv_shutdown_t shutdown;
	size_t counted; /* of their bytes in server->unsent */
	char peer[NET_PEER_MAX];
	void *session;                /* of the shield, if there is one */
	struct sockaddr_storage from; /* if the handler has `admit`; ss_family 0: unix */
};

static int64_t now_ms(const struct frame_conn *conn)
{
	return (int64_t)uv_now(&conn->server->loop->uv);
}

static void expect_within(struct frame_conn *conn, int64_t ms)
{
	conn->deadline = now_ms(conn) + ms;
}

static void expect_nothing(struct frame_conn *conn)
{
	conn->deadline = conn->deadline_last = 0;
}

static void trouble(struct frame_server *server, enum net_trouble what, const char *peer)
{
	if (server->conf.handler->trouble != NULL)
		server->conf.handler->trouble(server->conf.context, what, peer);
}

static void make_ready(struct frame_conn *conn)
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
			make_ready(conn);
}

/* Tell the server how many bytes of replies wait here. */
static void count_unsent(struct frame_conn *conn)
{
	size_t unsent = conn->closing ? 0 : conn->out.len + conn->writing.len;

	conn->server->unsent += unsent - conn->counted;
	conn->counted = unsent;
}

/* ---- the end ---- */

static void unlink_pending(struct frame_conn *conn, struct pending *pending)
{
	*(pending->prev == NULL ? &conn->first : &pending->prev->next) = pending->next;
	*(pending->next == NULL ? &conn->last : &pending->next->prev) = pending->prev;
	conn->count--;
	conn->server->in_flight--;
	if (conn->server->full &&
		conn->server->in_flight <= conn->server->conf.in_flight_all / 4 * 3)
		frame_conn_resume(conn->server);
}

static void free_pending(struct frame_conn *conn, struct pending *pending)
{
	net_budget_give(&conn->server->bodies, &pending->place);
	buf_fini(&pending->reply);
	free(pending);
}

/* Once the socket has gone and nobody outside holds a request. */
static void free_if_over(struct frame_conn *conn)
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
	free_if_over(conn);
}

static void close_conn(struct frame_conn *conn)
{
	if (conn->closing)
		return;
	conn->closing = true;
	count_unsent(conn);
	for (struct frame_conn **at = &conn->server->ready; conn->is_ready && *at != NULL;
		at = &(*at)->next_ready)
		if (*at == conn) {
			*at = conn->next_ready;
			break;
		}
	conn->is_ready = false;
	if (conn->coming != NULL)
		free_pending(conn, conn->coming);
	conn->coming = NULL;
	for (struct pending *pending = conn->first, *next; pending != NULL; pending = next) {
		next = pending->next;
		if (pending->done) {
			unlink_pending(conn, pending);
			free_pending(conn, pending);
		}
	}
	uv_close(&conn->uv.handle, on_closed);
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
	trouble(server, NET_TIMED_OUT, worst->peer);
	close_conn(worst);
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
		close_conn(conn);
	count_unsent(conn);
	if (conn->server->conf.reply_memory != 0 &&
		conn->server->unsent > conn->server->conf.reply_memory)
		make_room(conn->server);
}

static void send_pending(struct frame_conn *conn, struct pending *pending)
{
	unlink_pending(conn, pending);
	if (!conn->closing)
		put_reply(conn, &pending->request.package, pending->ret, buf_span(&pending->reply));
	free_pending(conn, pending);
}

static void append_pending(struct frame_conn *conn, struct pending *pending)
{
	pending->prev = conn->last;
	*(conn->last == NULL ? &conn->first : &conn->last->next) = pending;
	conn->last = pending;
	conn->count++;
	conn->server->in_flight++;
}

/* `pending` has its reply: send it, or those that were held up by it. */
static void settle(struct pending *pending)
{
	struct frame_conn *conn = pending->conn;

	/* Its body is of no use any more, its turn may be far. */
	net_budget_give(&conn->server->bodies, &pending->place);
	pending->done = true;
	if (conn->server->conf.any_order || conn->closing)
		send_pending(conn, pending);
	else
		while (conn->first != NULL && conn->first->done)
			send_pending(conn, conn->first);
	make_ready(conn);
	free_if_over(conn);
}

static void on_posted(struct net_post *post)
{
	settle((struct pending *)((char *)post - offsetof(struct pending, post)));
}

void frame_reply(struct frame_request *request, enum ret ret, struct buf *body)
{
	struct pending *pending = (struct pending *)request;
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

/* Answer without begin(), in its turn. */
static void refuse(struct frame_conn *conn, const struct package *package, enum ret ret)
{
	struct frame_server *server = conn->server;
	struct pending *pending = calloc(1, sizeof *pending);

	assert(pending != NULL);
	if (ret != RET_OK && server->conf.handler->refused != NULL)
		server->conf.handler->refused(server->conf.context, package, conn->peer, ret);
	pending->request.package = *package;
	pending->conn = conn;
	pending->ret = ret;
	append_pending(conn, pending);
	settle(pending);
}

/* ---- requests ---- */

static void begin(struct frame_conn *conn)
{
	struct pending *pending = conn->coming;
	struct frame_server *server = conn->server;

	conn->coming = NULL;
	expect_nothing(conn);
	append_pending(conn, pending);
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
	expect_within(conn, conn->server->conf.timeout_ms);
	conn->deadline_last = conn->deadline + len / SLOWEST_BYTES_PER_MS;
}

static void on_body_room(struct net_place *place)
{
	struct pending *pending = (struct pending *)((char *)place -
						     offsetof(struct pending, place));

	expect_body(pending->conn, pending->len);
	make_ready(pending->conn);
}

static void expect_request(struct frame_conn *conn, const struct package *package)
{
	uint32_t len = package->len - PACKAGE_HEADER_LEN;
	struct pending *pending = calloc(1, sizeof *pending + len);

	if (pending == NULL) {
		trouble(conn->server, NET_BROKEN, conn->peer);
		close_conn(conn);
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
	conn->coming = pending;
	conn->coming_have = 0;
	if (len > NET_SMALL_BODY &&
		!net_budget_take(&conn->server->bodies, &pending->place, len, on_body_room)) {
		conn->waiting = true;
		expect_nothing(conn);
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
		trouble(server, NET_BROKEN, conn->peer);
		conn->finished = true;
	} else if (package.len > server->conf.max_package) {
		conn->finished = true;
		refuse(conn, &package, RET_TOO_LARGE);
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

static bool may_begin(const struct frame_conn *conn)
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
		struct pending *pending = conn->coming;

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
		expect_nothing(conn);
		refuse(conn, &conn->skipped,
			conn->skipped.cmd == CMD_PING ? RET_OK : RET_UNSUPPORTED);
		return true;
	}
	if (!may_begin(conn))
		return false;
	if (conn->header_have == 0 && conn->in_len > 0)
		expect_within(conn, conn->server->conf.timeout_ms);
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

static void start_reading(struct frame_conn *conn)
{
	if (conn->reading || conn->ended)
		return;
	conn->reading = true;
	if (uv_read_start(&conn->uv.stream, on_alloc, on_read) != 0)
		close_conn(conn);
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
			trouble(conn->server, NET_BROKEN, conn->peer);
			conn->finished = true;
		}
		stop_reading(conn);
		return false;
	}
	conn->in = (const uint8_t *)conn->server->loop->scratch;
	conn->in_len = (size_t)got;
	return got > 0;
}

static void take_apart(struct frame_conn *conn)
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
			trouble(conn->server, NET_BROKEN, conn->peer);
		conn->finished = true;
	}
	keep_rest(conn);
	if (conn->in_len > 0 || conn->finished || conn->waiting)
		stop_reading(conn);
	else
		start_reading(conn);
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
			close_conn(conn);
		else
			make_ready(conn);
		return;
	}
	if (conn->lingering)
		return;
	if (conn->coming != NULL || conn->skipping)
		expect_within(conn, conn->server->conf.timeout_ms);
	if (conn->session == NULL) {
		conn->in = (const uint8_t *)buf->base;
		conn->in_len = (size_t)got;
	} else if (!conn->server->conf.shield->feed(
			   conn->session, span_of(buf->base, (size_t)got))) {
		close_conn(conn);
		return;
	}
	take_apart(conn);
	make_ready(conn);
}

/* ---- writing ---- */

static void on_shutdown(uv_shutdown_t *shutdown, int status)
{
	struct frame_conn *conn = shutdown->data;

	if (status != 0)
		close_conn(conn);
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

/* All is said.  What the peer still sends is read and forgotten for a moment, since
 * closing over unread bytes would reset the connection and take the replies along. */
static void linger(struct frame_conn *conn)
{
	if (conn->ended) {
		close_conn(conn);
		return;
	}
	conn->lingering = true;
	conn->deadline_last = 0;
	expect_within(conn, conn->server->stopping ? LINGER_MS / 4 : LINGER_MS);
	if (conn->session != NULL)
		say_farewell(conn);
	conn->shutdown.data = conn;
	if (uv_shutdown(&conn->shutdown, &conn->uv.stream, on_shutdown) != 0)
		close_conn(conn);
	else
		start_reading(conn);
}

static void empty(struct buf *buf)
{
	if (buf->cap > OUT_KEEP) {
		buf_fini(buf);
		buf_init(buf, OUT_MAX);
	}
	buf_clear(buf);
}

static void on_written(uv_write_t *write, int status)
{
	struct frame_conn *conn = write->data;

	empty(&conn->writing);
	count_unsent(conn);
	conn->write_deadline = 0;
	if (status != 0)
		close_conn(conn);
	else
		make_ready(conn);
}

/* Replace the replies in `out` by what is to be sent for them; false if that is nothing. */
static bool seal(struct frame_conn *conn)
{
	const struct frame_shield *shield = conn->server->conf.shield;
	struct buf sealed;

	buf_init(&sealed, OUT_MAX);
	if (conn->out.len > 0 && !shield->write(conn->session, buf_span(&conn->out))) {
		close_conn(conn);
		return false;
	}
	shield->take(conn->session, &sealed);
	buf_fini(&conn->out);
	conn->out = sealed;
	return sealed.len > 0;
}

static void write_out(struct frame_conn *conn)
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
		close_conn(conn);
		return;
	}
	if (sent == (int)all.len) {
		empty(&conn->out);
		count_unsent(conn);
		return;
	}
	if (sent < 0)
		sent = 0;
	conn->out = conn->writing;
	conn->writing = all;
	piece = uv_buf_init((char *)all.data + sent, (unsigned)(all.len - (size_t)sent));
	conn->write.data = conn;
	conn->unsent = piece.len;
	conn->write_deadline = now_ms(conn) +
			       (conn->server->stopping ? STOP_MS : conn->server->conf.timeout_ms);
	if (uv_write(&conn->write, &conn->uv.stream, &piece, 1, on_written) != 0)
		close_conn(conn);
}

/* Replies may have come, or been sent, or there is room for a body: write, and begin what
 * waited for that. */
static void go_on(struct frame_conn *conn)
{
	if (!conn->lingering)
		take_apart(conn);
	if (!conn->closing && (conn->out.len > 0 || conn->session != NULL) &&
		conn->writing.len == 0 && !conn->lingering)
		write_out(conn);
	if (conn->closing || conn->lingering)
		return;
	if (conn->in_len > 0 && !conn->waiting && may_begin(conn))
		make_ready(conn); /* what was written made room */
	else if (conn->finished && conn->count == 0 && conn->out.len == 0 && conn->writing.len == 0)
		linger(conn);
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
	if (!passed(conn->deadline, now) && !passed(conn->deadline_last, now) &&
		!passed(conn->write_deadline, now))
		return;
	if (!conn->lingering)
		trouble(conn->server, NET_TIMED_OUT, conn->peer);
	close_conn(conn);
}

void frame_conn_finish(struct frame_conn *conn)
{
	if (conn->closing || conn->lingering)
		return;
	if (conn->coming != NULL)
		free_pending(conn, conn->coming);
	conn->coming = NULL;
	conn->waiting = conn->skipping = false;
	conn->header_have = 0;
	conn->finished = true;
	expect_nothing(conn);
	if (conn->writing.len > 0)
		conn->write_deadline = now_ms(conn) + STOP_MS;
	if (conn->count == 0 && conn->out.len == 0 && conn->writing.len == 0)
		close_conn(conn);
	else
		make_ready(conn);
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

void frame_conn_accept(struct frame_server *server)
{
	struct frame_conn *conn = calloc(1, sizeof *conn);

	assert(conn != NULL);
	conn->server = server;
	buf_init(&conn->out, OUT_MAX);
	buf_init(&conn->writing, OUT_MAX);
	conn->next = server->conns;
	if (conn->next != NULL)
		conn->next->prev = conn;
	server->conns = conn;
	server->count++;
	if (!net_listener_accept(&server->listener, server->loop, &conn->uv, conn)) {
		close_conn(conn);
	} else if (!net_listener_admit(&server->listener, &conn->uv, server->conf.allow, conn->peer,
			   sizeof conn->peer) ||
		   !admitted(conn)) {
		if (conn->peer[0] != '\0')
			trouble(server, NET_REFUSED, conn->peer);
		close_conn(conn);
	} else if (server->count > server->conf.max_connections) {
		trouble(server, NET_TOO_MANY, conn->peer);
		close_conn(conn);
	} else if (!shielded(conn)) {
		close_conn(conn);
	} else {
		expect_within(conn, server->conf.timeout_ms);
		start_reading(conn);
	}
}
