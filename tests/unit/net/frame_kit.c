#include "frame_kit.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { MAX_PACKAGE = 200000 };

static const uint16_t commands[] = { KIT_ECHO, KIT_THREAD, KIT_HOLD, KIT_FAIL, KIT_BIG };

static void echo(struct frame_request *request)
{
	struct buf reply;

	buf_init(&reply, MAX_PACKAGE);
	buf_put_span(&reply, request->body);
	frame_reply(request, RET_OK, &reply);
	assert_null(reply.data); /* taken over */
}

static void *echo_thread(void *request)
{
	echo(request);
	return NULL;
}

static void begin(void *context, struct frame_request *request)
{
	struct frame_kit *f = context;
	struct buf reply;
	pthread_t thread;

	assert_int_equal(request->order, f->order);
	switch (request->package.cmd) {
	case KIT_THREAD:
		pthread_create(&thread, NULL, echo_thread, request);
		pthread_detach(thread);
		break;
	case KIT_HOLD:
		pthread_mutex_lock(&f->lock);
		f->held[f->held_count++] = request;
		pthread_mutex_unlock(&f->lock);
		sem_post(&f->net.holds);
		break;
	case KIT_FAIL:
		buf_init(&reply, 100);
		buf_put_str(&reply, "secret");
		frame_reply(request, RET_GONE, &reply);
		break;
	case KIT_BIG:
		buf_init(&reply, KIT_BIG_LEN);
		memset(buf_reserve(&reply, KIT_BIG_LEN), 'x', KIT_BIG_LEN);
		reply.len = KIT_BIG_LEN;
		frame_reply(request, RET_OK, &reply);
		break;
	default:
		echo(request);
	}
}

static void refused(void *context, const struct package *package, const char *peer, enum ret ret)
{
	struct frame_kit *f = context;

	(void)package;
	assert_int_equal(strncmp(peer, "127.0.0.1:", 10), 0);
	f->refused[ret]++;
}

static void trouble(void *context, enum net_trouble what, const char *peer)
{
	struct frame_kit *f = context;

	(void)peer;
	f->net.troubles[what]++;
}

static const struct frame_handler handler = { begin, refused, trouble };

struct frame_kit *frame_kit_start(const struct frame_wish *wish)
{
	struct frame_kit *f = calloc(1, sizeof *f);
	struct frame_server_conf conf = {
		.handler = &handler,
		.context = f,
		.commands = commands,
		.command_count = sizeof commands / sizeof commands[0],
		.order = wish->order,
		.max_package = MAX_PACKAGE,
		.in_flight = KIT_IN_FLIGHT,
		.any_order = wish->any_order,
		.allow = &f->net.allow,
		.max_connections = wish->connections == 0 ? 100 : wish->connections,
		.timeout_ms = wish->timeout_ms == 0 ? 10000 : wish->timeout_ms,
		.body_memory = 250000,
	};
	struct err err = { 0 };

	f->order = wish->order;
	pthread_mutex_init(&f->lock, NULL);
	conf.fd = net_kit_listen(&f->net, wish->allowed == NULL ? "127.0.0.0/8" : wish->allowed);
	f->server = frame_server_new(f->net.loop, &conf, &err);
	assert_non_null(f->server);
	net_kit_run(&f->net);
	return f;
}

void frame_kit_join(struct frame_kit *f)
{
	net_kit_join(&f->net);
	assert_int_equal(frame_server_connections(f->server), 0);
	net_kit_fini(&f->net);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

void frame_kit_stop(struct frame_kit *f)
{
	net_loop_stop(f->net.loop);
	frame_kit_join(f);
}

void frame_kit_put(
	struct buf *out, enum byte_order order, uint16_t cmd, uint32_t seq, const char *body)
{
	struct package package = { .cmd = cmd, .id = 10001, .seq = seq };
	size_t at = package_begin(out, &package, order);

	buf_put_str(out, body);
	package_end(out, at, order);
}

void frame_kit_ask(int fd, uint16_t cmd, uint32_t seq, const char *body)
{
	struct buf out;

	buf_init(&out, 1 << 20);
	frame_kit_put(&out, ORDER_LITTLE, cmd, seq, body);
	net_kit_send(fd, buf_span(&out));
	buf_fini(&out);
}

uint32_t frame_kit_reply(int fd, enum byte_order order, struct package *package, char *body)
{
	uint8_t header[PACKAGE_HEADER_LEN];
	uint32_t len;

	assert_int_equal(recv(fd, header, sizeof header, MSG_WAITALL), sizeof header);
	assert_true(package_header_decode(header, order, package));
	len = package->len - PACKAGE_HEADER_LEN;
	if (len > 0)
		assert_int_equal(recv(fd, body, len, MSG_WAITALL), len);
	return len;
}

void frame_kit_expect(int fd, uint16_t cmd, uint32_t seq, enum ret ret, const char *body)
{
	struct package package;
	char got[1024];
	uint32_t len = frame_kit_reply(fd, ORDER_LITTLE, &package, got);

	assert_int_equal(package.cmd, cmd);
	assert_int_equal(package.id, 10001);
	assert_int_equal(package.seq, seq);
	assert_int_equal(package.ret, ret);
	assert_int_equal(len, strlen(body));
	assert_memory_equal(got, body, len);
}

void frame_kit_wait_held(struct frame_kit *f, int count)
{
	for (int i = 0; i < count; i++)
		sem_wait(&f->net.holds);
}

void frame_kit_release(struct frame_kit *f, uint32_t seq)
{
	struct frame_request *request = NULL;

	pthread_mutex_lock(&f->lock);
	for (int i = 0; i < f->held_count; i++)
		if (f->held[i] != NULL && f->held[i]->package.seq == seq) {
			request = f->held[i];
			f->held[i] = NULL;
		}
	pthread_mutex_unlock(&f->lock);
	assert_non_null(request);
	echo(request);
}
