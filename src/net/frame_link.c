#include "net/frame_link.h"

#include "core/address.h"
#include "net/net_inside.h"
#include "net/net_listener.h"
#include "net/sockaddr.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
	KEEPALIVE_S = 60,
	KEEP = 64 << 10, /* a buffer that grew over this is given back */
	OUT_MAX = 1 << 30,
	WHY_MAX = 200,
};

struct frame_link {
	struct net_loop *loop;
	struct frame_link_conf conf;
	char *address;
	union net_stream uv;
	uv_timer_t timer; /* until it is connected */
	uv_idle_t flush;  /* has what waits written before the loop waits */
	uv_connect_t connect;
	uv_write_t write;
	int handles; /* not closed yet */
	bool connected, closing;
	bool resolving; /* a thread works on `resolved` */
	bool made;      /* the socket is there */
	int resolve_result;
	struct sockaddr_storage resolved;
	socklen_t resolved_len;
	char why[WHY_MAX]; /* it cannot be made */
	struct buf out, writing, in;
	uint64_t sent; /* bytes handed to libuv in all */
};

/* ---- the end ---- */

static void free_if_over(struct frame_link *link)
{
	if (link->handles > 0 || link->resolving)
		return;
	buf_fini(&link->out);
	buf_fini(&link->writing);
	buf_fini(&link->in);
	free(link->address);
	free(link);
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct frame_link *link = handle->data;

	link->handles--;
	free_if_over(link);
}

void frame_link_close(struct frame_link *link)
{
	if (link == NULL || link->closing)
		return;
	link->closing = true;
	link->connected = false;
	uv_close((uv_handle_t *)&link->timer, on_handle_closed);
	uv_close((uv_handle_t *)&link->flush, on_handle_closed);
	if (link->made)
		uv_close(&link->uv.handle, on_handle_closed);
}

static void end(struct frame_link *link, const char *why)
{
	if (link->closing)
		return;
	link->conf.handler->closed(link->conf.context, why);
	frame_link_close(link);
}

/* ---- packages that come in ---- */

/* Hand over the whole packages in `bytes`; returns how many bytes they were. */
static size_t take_packages(struct frame_link *link, struct span bytes)
{
	size_t at = 0;

	while (!link->closing && bytes.len - at >= PACKAGE_HEADER_LEN) {
		struct package package;

		if (!package_header_decode(bytes.data + at, link->conf.order, &package)) {
			end(link, "it sent what is no package");
			break;
		}
		if (package.len > link->conf.max_package) {
			end(link, "it sent a package over the limit");
			break;
		}
		if (bytes.len - at < package.len)
			break;
		if (!link->conf.handler->package(link->conf.context, &package,
			    span_of(bytes.data + at + PACKAGE_HEADER_LEN,
				    package.len - PACKAGE_HEADER_LEN)))
			end(link, "it sent a reply to nothing that was asked");
		at += package.len;
	}
	return at;
}

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *out)
{
	struct frame_link *link = handle->data;

	(void)hint;
	*out = uv_buf_init(link->loop->scratch, NET_SCRATCH);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
	struct frame_link *link = stream->data;
	size_t used;

	if (got == 0 || link->closing)
		return;
	if (got < 0) {
		end(link, got == UV_EOF ? "it closed the connection" : uv_strerror((int)got));
		return;
	}
	if (link->in.len == 0) {
		used = take_packages(link, span_of(buf->base, (size_t)got));
		if (!link->closing)
			buf_put(&link->in, buf->base + used, (size_t)got - used);
		return;
	}
	buf_put(&link->in, buf->base, (size_t)got);
	used = take_packages(link, buf_span(&link->in));
	if (link->closing || used == 0)
		return;
	memmove(link->in.data, link->in.data + used, link->in.len - used);
	link->in.len -= used;
	if (link->in.len == 0)
		buf_trim(&link->in, KEEP);
}

/* ---- packages that go out ---- */

static void on_flush(uv_idle_t *flush);

static void flush_soon(struct frame_link *link)
{
	if (link->connected && link->writing.len == 0)
		uv_idle_start(&link->flush, on_flush);
}

static void on_written(uv_write_t *write, int status)
{
	struct frame_link *link = write->data;

	buf_trim(&link->writing, KEEP);
	if (status != 0)
		end(link, uv_strerror(status));
	else if (!link->closing && link->out.len > 0)
		flush_soon(link);
}

static void on_flush(uv_idle_t *flush)
{
	struct frame_link *link = flush->data;
	struct buf all = link->out;
	uv_buf_t piece = uv_buf_init((char *)all.data, (unsigned)all.len);
	int sent;

	uv_idle_stop(flush);
	if (!link->connected || all.len == 0 || link->writing.len > 0)
		return;
	sent = uv_try_write(&link->uv.stream, &piece, 1);
	if (sent < 0 && sent != UV_EAGAIN) {
		end(link, uv_strerror(sent));
		return;
	}
	link->sent += all.len;
	if (sent == (int)all.len) {
		buf_trim(&link->out, KEEP);
		return;
	}
	if (sent < 0)
		sent = 0;
	link->out = link->writing;
	link->writing = all;
	piece = uv_buf_init((char *)all.data + sent, (unsigned)(all.len - (size_t)sent));
	link->write.data = link;
	sent = uv_write(&link->write, &link->uv.stream, &piece, 1, on_written);
	if (sent != 0)
		end(link, uv_strerror(sent));
}

uint64_t frame_link_send(struct frame_link *link, const struct package *package, struct span body)
{
	size_t at = package_begin(&link->out, package, link->conf.order);

	buf_put_span(&link->out, body);
	package_end(&link->out, at, link->conf.order);
	assert(buf_ok(&link->out));
	flush_soon(link);
	return link->sent + link->out.len;
}

size_t frame_link_waiting(const struct frame_link *link)
{
	return link->out.len + (link->made ? uv_stream_get_write_queue_size(&link->uv.stream) : 0);
}

uint64_t frame_link_taken(const struct frame_link *link)
{
	return link->sent + link->out.len - frame_link_waiting(link);
}

/* ---- the beginning ---- */

static void on_timer(uv_timer_t *timer)
{
	struct frame_link *link = timer->data;

	end(link, link->why);
}

/* Have `closed` called by the loop after `after_ms`. */
static void end_after(struct frame_link *link, int64_t after_ms, const char *why)
{
	size_t len = strlen(why);

	if (len >= sizeof link->why)
		len = sizeof link->why - 1;
	memcpy(link->why, why, len);
	link->why[len] = '\0';
	uv_timer_start(&link->timer, on_timer, (uint64_t)after_ms, 0);
}

static void on_connected(uv_connect_t *connect, int status)
{
	struct frame_link *link = connect->data;

	if (link->closing)
		return;
	if (status == 0)
		status = uv_read_start(&link->uv.stream, on_alloc, on_read);
	if (status != 0) {
		end(link, uv_strerror(status));
		return;
	}
	uv_timer_stop(&link->timer);
	if (link->uv.handle.type == UV_TCP) {
		uv_tcp_nodelay(&link->uv.tcp, 1);
		uv_tcp_keepalive(&link->uv.tcp, 1, KEEPALIVE_S);
	}
	link->connected = true;
	if (link->out.len > 0)
		flush_soon(link);
	if (link->conf.handler->connected != NULL)
		link->conf.handler->connected(link->conf.context);
}

static void start_connect(struct frame_link *link)
{
	struct address address;
	int status = 0;

	link->made = true;
	link->handles++;
	link->connect.data = link;
	if (link->resolved.ss_family == AF_UNIX) {
		uv_pipe_init(&link->loop->uv, &link->uv.pipe, 0);
		address_parse(link->address, &address);
		uv_pipe_connect(&link->connect, &link->uv.pipe, address.host, on_connected);
	} else {
		uv_tcp_init(&link->loop->uv, &link->uv.tcp);
		status = uv_tcp_connect(&link->connect, &link->uv.tcp,
			(struct sockaddr *)&link->resolved, on_connected);
	}
	link->uv.handle.data = link;
	uv_unref(&link->uv.handle);
	if (status != 0)
		end_after(link, 0, uv_strerror(status));
}

static void resolve(void *context)
{
	struct frame_link *link = context;
	struct err err;

	link->resolve_result = sockaddr_resolve(
		link->address, &link->resolved, &link->resolved_len, &err);
}

static void on_resolved(void *context)
{
	struct frame_link *link = context;

	link->resolving = false;
	if (link->closing)
		free_if_over(link);
	else if (link->resolve_result != 0)
		end_after(link, 0, "nobody knows its host");
	else
		start_connect(link);
}

/* Names are looked up by a thread: that may take seconds. */
static bool is_name(const char *text)
{
	struct address address;
	uint8_t raw[16];

	return address_parse(text, &address) && !address.is_unix &&
	       inet_pton(AF_INET, address.host, raw) != 1 &&
	       inet_pton(AF_INET6, address.host, raw) != 1;
}

static void init_handle(struct frame_link *link, uv_handle_t *handle)
{
	handle->data = link;
	uv_unref(handle);
	link->handles++;
}

struct frame_link *frame_link_open(struct net_loop *loop, const struct frame_link_conf *conf)
{
	struct frame_link *link = calloc(1, sizeof *link);

	assert(link != NULL);
	link->loop = loop;
	link->conf = *conf;
	link->address = strdup(conf->address);
	assert(link->address != NULL);
	buf_init(&link->out, OUT_MAX);
	buf_init(&link->writing, OUT_MAX);
	buf_init(&link->in, OUT_MAX);
	uv_timer_init(&loop->uv, &link->timer);
	init_handle(link, (uv_handle_t *)&link->timer);
	uv_idle_init(&loop->uv, &link->flush);
	init_handle(link, (uv_handle_t *)&link->flush);
	end_after(link, conf->connect_ms, "it does not take the connection in time");
	if (is_name(link->address)) {
		link->resolving = true;
		net_loop_work(loop, resolve, on_resolved, link);
		return link;
	}
	resolve(link);
	if (link->resolve_result != 0)
		end_after(link, 0, "its address is none");
	else
		start_connect(link);
	return link;
}

bool frame_link_is_connected(const struct frame_link *link)
{
	return link->connected;
}
