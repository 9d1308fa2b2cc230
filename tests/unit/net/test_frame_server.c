#include "net/frame_server.h"

#include "net/bind.h"
#include "unit.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The commands of these tests. */
enum {
	ECHO = 1,
	THREAD = 2, /* echo, answered by another thread */
	HOLD = 3,   /* echo, answered when the test says so */
	FAIL = 4,   /* RET_GONE, with a body that must not be sent */
	BIG = 5,    /* answers BIG_LEN bytes */
	MAX_PACKAGE = 200000,
	IN_FLIGHT = 4,
	BIG_LEN = 4 << 20,
};

static const uint16_t commands[] = { ECHO, THREAD, HOLD, FAIL, BIG };

struct fixture {
	struct net_loop *loop;
	struct frame_server *server;
	enum byte_order order;
	struct sockaddr_in address;
	struct allow allow;
	pthread_t thread;
	pthread_mutex_t lock;
	struct frame_request *held[64];
	int held_count;
	sem_t holds;
	_Atomic int troubles[NET_TROUBLES], refused[RET_COUNT];
};

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
	struct fixture *f = context;
	struct buf reply;
	pthread_t thread;

	assert_int_equal(request->order, f->order);
	switch (request->package.cmd) {
	case THREAD:
		pthread_create(&thread, NULL, echo_thread, request);
		pthread_detach(thread);
		break;
	case HOLD:
		pthread_mutex_lock(&f->lock);
		f->held[f->held_count++] = request;
		pthread_mutex_unlock(&f->lock);
		sem_post(&f->holds);
		break;
	case FAIL:
		buf_init(&reply, 100);
		buf_put_str(&reply, "secret");
		frame_reply(request, RET_GONE, &reply);
		break;
	case BIG:
		buf_init(&reply, BIG_LEN);
		memset(buf_reserve(&reply, BIG_LEN), 'x', BIG_LEN);
		reply.len = BIG_LEN;
		frame_reply(request, RET_OK, &reply);
		break;
	default:
		echo(request);
	}
}

static void refused(void *context, const struct package *package, const char *peer, enum ret ret)
{
	struct fixture *f = context;

	(void)package;
	assert_int_equal(strncmp(peer, "127.0.0.1:", 10), 0);
	f->refused[ret]++;
}

static void trouble(void *context, enum net_trouble what, const char *peer)
{
	struct fixture *f = context;

	(void)peer;
	f->troubles[what]++;
}

static const struct frame_handler handler = { begin, refused, trouble };

static void *run(void *context)
{
	struct fixture *f = context;

	assert_int_equal(net_loop_run(f->loop, NULL), 0);
	return NULL;
}

struct wish {
	const char *allowed;
	int64_t timeout_ms, connections;
	bool any_order;
	enum byte_order order;
};

static struct fixture *start_as(const struct wish *wish)
{
	struct fixture *f = calloc(1, sizeof *f);
	char *items[] = { (
		char *)(uintptr_t)(wish->allowed == NULL ? "127.0.0.0/8" : wish->allowed) };
	struct frame_server_conf conf = {
		.handler = &handler,
		.context = f,
		.commands = commands,
		.command_count = sizeof commands / sizeof commands[0],
		.order = wish->order,
		.max_package = MAX_PACKAGE,
		.in_flight = IN_FLIGHT,
		.any_order = wish->any_order,
		.allow = &f->allow,
		.max_connections = wish->connections == 0 ? 100 : wish->connections,
		.timeout_ms = wish->timeout_ms == 0 ? 10000 : wish->timeout_ms,
		.body_memory = 250000,
	};
	socklen_t len = sizeof f->address;
	struct err err = { 0 };

	f->order = wish->order;
	sem_init(&f->holds, 0, 0);
	pthread_mutex_init(&f->lock, NULL);
	assert_int_equal(allow_init(&f->allow, items, 1, &err), 0);
	conf.fd = bind_listen("127.0.0.1:0", 0, 16, &err);
	assert_true(conf.fd >= 0);
	assert_int_equal(getsockname(conf.fd, (struct sockaddr *)&f->address, &len), 0);
	f->loop = net_loop_new(&err);
	f->server = frame_server_new(f->loop, &conf, &err);
	assert_non_null(f->server);
	assert_int_equal(pthread_create(&f->thread, NULL, run, f), 0);
	return f;
}

static struct fixture *start(void)
{
	return start_as(&(struct wish){ 0 });
}

static void join(struct fixture *f)
{
	pthread_join(f->thread, NULL);
	assert_int_equal(frame_server_connections(f->server), 0);
	net_loop_free(f->loop);
	allow_fini(&f->allow);
	sem_destroy(&f->holds);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

static void stop(struct fixture *f)
{
	net_loop_stop(f->loop);
	join(f);
}

static int dial(struct fixture *f)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct timeval patience = { .tv_sec = 10 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	assert_int_equal(connect(fd, (struct sockaddr *)&f->address, sizeof f->address), 0);
	return fd;
}

static void put(
	struct buf *out, enum byte_order order, uint16_t cmd, uint32_t seq, const char *body)
{
	struct package package = { .cmd = cmd, .id = 10001, .seq = seq };
	size_t at = package_begin(out, &package, order);

	buf_put_str(out, body);
	package_end(out, at, order);
}

static void send_all(int fd, struct span bytes)
{
	while (bytes.len > 0) {
		ssize_t sent = send(fd, bytes.data, bytes.len, MSG_NOSIGNAL);

		assert_true(sent > 0);
		bytes = span_of(bytes.data + sent, bytes.len - (size_t)sent);
	}
}

static void ask(int fd, uint16_t cmd, uint32_t seq, const char *body)
{
	struct buf out;

	buf_init(&out, 1 << 20);
	put(&out, ORDER_LITTLE, cmd, seq, body);
	send_all(fd, buf_span(&out));
	buf_fini(&out);
}

static uint32_t get_reply(int fd, enum byte_order order, struct package *package, char *body)
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

static void expect(int fd, uint16_t cmd, uint32_t seq, enum ret ret, const char *body)
{
	struct package package;
	char got[1024];
	uint32_t len = get_reply(fd, ORDER_LITTLE, &package, got);

	assert_int_equal(package.cmd, cmd);
	assert_int_equal(package.id, 10001);
	assert_int_equal(package.seq, seq);
	assert_int_equal(package.ret, ret);
	assert_int_equal(len, strlen(body));
	assert_memory_equal(got, body, len);
}

/* Closed by the server, whether by FIN or reset. */
static void expect_closed(int fd)
{
	char byte;
	ssize_t got = recv(fd, &byte, 1, 0);

	assert_true(got == 0 || (got < 0 && errno == ECONNRESET));
	close(fd);
}

static void wait_held(struct fixture *f, int count)
{
	for (int i = 0; i < count; i++)
		sem_wait(&f->holds);
}

static void release(struct fixture *f, uint32_t seq)
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

TEST(answers_packages_however_they_are_cut)
{
	struct fixture *f = start();
	struct buf out;

	buf_init(&out, 1024);
	put(&out, ORDER_LITTLE, ECHO, 1, "abc");
	put(&out, ORDER_LITTLE, 99, 2, "defg");
	put(&out, ORDER_LITTLE, THREAD, 3, "hij");
	put(&out, ORDER_LITTLE, CMD_PING, 4, "");
	put(&out, ORDER_LITTLE, FAIL, 5, "");
	put(&out, ORDER_LITTLE, ECHO, 6, "");
	for (size_t cut = 1; cut < out.len; cut++) {
		int fd = dial(f);

		send_all(fd, span_of(out.data, cut));
		send_all(fd, span_of(out.data + cut, out.len - cut));
		expect(fd, ECHO, 1, RET_OK, "abc");
		expect(fd, 99, 2, RET_UNSUPPORTED, "");
		expect(fd, THREAD, 3, RET_OK, "hij");
		expect(fd, CMD_PING, 4, RET_OK, "");
		expect(fd, FAIL, 5, RET_GONE, "");
		expect(fd, ECHO, 6, RET_OK, "");
		close(fd);
	}
	for (int fd = dial(f), once = 1; once; once = 0) {
		for (size_t i = 0; i < out.len; i++)
			send_all(fd, span_of(out.data + i, 1));
		expect(fd, ECHO, 1, RET_OK, "abc");
		expect(fd, 99, 2, RET_UNSUPPORTED, "");
		expect(fd, THREAD, 3, RET_OK, "hij");
		close(fd);
	}
	assert_int_equal(f->refused[RET_UNSUPPORTED], out.len);
	buf_fini(&out);
	stop(f);
}

TEST(answers_ten_thousand_packages_in_one_write)
{
	struct fixture *f = start();
	int fd = dial(f);
	struct buf out;

	buf_init(&out, 1 << 20);
	for (uint32_t i = 0; i < 10000; i++)
		put(&out, ORDER_LITTLE, i % 50 == 0 ? THREAD : ECHO, i, "glued");
	send_all(fd, buf_span(&out));
	for (uint32_t i = 0; i < 10000; i++)
		expect(fd, i % 50 == 0 ? THREAD : ECHO, i, RET_OK, "glued");
	buf_fini(&out);
	close(fd);
	stop(f);
}

TEST(keeps_replies_in_the_order_of_their_requests)
{
	struct fixture *f = start();
	int fd = dial(f);

	ask(fd, HOLD, 1, "one");
	ask(fd, ECHO, 2, "two");
	ask(fd, HOLD, 3, "three");
	wait_held(f, 2);
	release(f, 3);
	release(f, 1);
	expect(fd, HOLD, 1, RET_OK, "one");
	expect(fd, ECHO, 2, RET_OK, "two");
	expect(fd, HOLD, 3, RET_OK, "three");
	close(fd);
	stop(f);
}

TEST(lets_replies_pass_each_other_when_told_so)
{
	struct fixture *f = start_as(&(struct wish){ .any_order = true });
	int fd = dial(f);

	ask(fd, HOLD, 1, "one");
	ask(fd, ECHO, 2, "two");
	ask(fd, HOLD, 3, "three");
	expect(fd, ECHO, 2, RET_OK, "two");
	wait_held(f, 2);
	release(f, 3);
	expect(fd, HOLD, 3, RET_OK, "three");
	release(f, 1);
	expect(fd, HOLD, 1, RET_OK, "one");
	close(fd);
	stop(f);
}

TEST(begins_no_more_of_a_connection_than_may_be_in_flight)
{
	struct fixture *f = start_as(&(struct wish){ .any_order = true });
	int fd = dial(f), other = dial(f);
	int held;

	for (uint32_t i = 0; i < 2 * IN_FLIGHT; i++)
		ask(fd, HOLD, i, "");
	wait_held(f, IN_FLIGHT);
	ask(other, ECHO, 1, "goes on"); /* by then the loop has looked at all of fd */
	expect(other, ECHO, 1, RET_OK, "goes on");
	pthread_mutex_lock(&f->lock);
	held = f->held_count;
	pthread_mutex_unlock(&f->lock);
	assert_int_equal(held, IN_FLIGHT);
	for (uint32_t i = 0; i < 2 * IN_FLIGHT; i++) {
		if (i >= IN_FLIGHT)
			wait_held(f, 1);
		release(f, i);
		expect(fd, HOLD, i, RET_OK, "");
	}
	close(fd);
	close(other);
	stop(f);
}

TEST(closes_behind_a_length_that_cannot_be)
{
	struct fixture *f = start();
	struct package package = { .len = PACKAGE_HEADER_LEN - 1, .cmd = ECHO };
	uint8_t header[PACKAGE_HEADER_LEN];
	int fd = dial(f);

	ask(fd, THREAD, 7, "this one is answered");
	package_header_encode(&package, ORDER_LITTLE, header);
	send_all(fd, span_of(header, sizeof header));
	expect(fd, THREAD, 7, RET_OK, "this one is answered");
	expect_closed(fd);
	stop(f);
}

TEST(refuses_and_closes_behind_a_package_that_is_too_long)
{
	struct fixture *f = start();
	struct package package = { .len = UINT32_MAX, .cmd = ECHO, .id = 10001, .seq = 8 };
	uint8_t header[PACKAGE_HEADER_LEN];
	char junk[4096] = { 0 };
	int fd = dial(f);

	package_header_encode(&package, ORDER_LITTLE, header);
	ask(fd, HOLD, 7, "in turn");
	send_all(fd, span_of(header, sizeof header));
	send_all(fd, span_of(junk, sizeof junk));
	wait_held(f, 1);
	release(f, 7);
	expect(fd, HOLD, 7, RET_OK, "in turn");
	expect(fd, ECHO, 8, RET_TOO_LARGE, "");
	expect_closed(fd);
	assert_int_equal(f->refused[RET_TOO_LARGE], 1);
	stop(f);
}

TEST(speaks_big_endian_when_told_so)
{
	struct fixture *f = start_as(&(struct wish){ .order = ORDER_BIG });
	struct package package;
	char body[16];
	struct buf out;
	int fd = dial(f);

	buf_init(&out, 1024);
	put(&out, ORDER_BIG, ECHO, 0x01020304, "big");
	assert_int_equal(out.data[3], PACKAGE_HEADER_LEN + 3);
	send_all(fd, buf_span(&out));
	assert_int_equal(get_reply(fd, ORDER_BIG, &package, body), 3);
	assert_int_equal(package.seq, 0x01020304);
	assert_memory_equal(body, "big", 3);
	buf_fini(&out);
	close(fd);
	stop(f);
}

TEST(shares_memory_among_long_bodies)
{
	struct fixture *f = start();
	char *body = calloc(1, 150001);
	char *got = malloc(150000);
	struct package package;
	int fds[4];

	memset(body, 'b', 150000);
	for (uint32_t i = 0; i < 4; i++) {
		fds[i] = dial(f);
		ask(fds[i], HOLD, i, body); /* two do not fit 250000 bytes */
	}
	for (int i = 0; i < 4; i++) {
		uint32_t seq;

		wait_held(f, 1);
		pthread_mutex_lock(&f->lock);
		assert_int_equal(f->held_count, i + 1);
		seq = f->held[i]->package.seq;
		pthread_mutex_unlock(&f->lock);
		release(f, seq);
		assert_int_equal(get_reply(fds[seq], ORDER_LITTLE, &package, got), 150000);
		assert_memory_equal(got, body, 150000);
		close(fds[seq]);
	}
	free(body);
	free(got);
	stop(f);
}

TEST(sends_long_replies_to_slow_readers)
{
	struct fixture *f = start();
	char *got = malloc(BIG_LEN);
	int fd = dial(f);
	struct package package;

	for (uint32_t i = 0; i < 6; i++)
		ask(fd, BIG, i, "");
	for (uint32_t i = 0; i < 6; i++) {
		assert_int_equal(get_reply(fd, ORDER_LITTLE, &package, got), BIG_LEN);
		assert_int_equal(package.seq, i);
		assert_int_equal(got[BIG_LEN - 1], 'x');
	}
	free(got);
	close(fd);
	stop(f);
}

TEST(replies_to_who_has_shut_down_its_sending_side)
{
	struct fixture *f = start();
	int fd = dial(f);

	ask(fd, HOLD, 1, "still here");
	ask(fd, ECHO, 2, "me too");
	shutdown(fd, SHUT_WR);
	wait_held(f, 1);
	release(f, 1);
	expect(fd, HOLD, 1, RET_OK, "still here");
	expect(fd, ECHO, 2, RET_OK, "me too");
	expect_closed(fd);
	stop(f);
}

TEST(survives_clients_that_leave_before_their_replies)
{
	struct fixture *f = start();
	struct linger reset = { .l_onoff = 1 };

	for (uint32_t i = 0; i < 3; i++) {
		int fd = dial(f);

		ask(fd, HOLD, 2 * i, "");
		ask(fd, ECHO, 100, "waits for the one before it");
		ask(fd, HOLD, 2 * i + 1, "");
		wait_held(f, 2);
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
		close(fd);
	}
	for (uint32_t i = 0; i < 6; i++)
		release(f, 5 - i);
	stop(f);
}

TEST(closes_connections_that_are_silent_within_a_package)
{
	struct fixture *f = start_as(&(struct wish){ .timeout_ms = 100 });
	int in_header = dial(f), in_body = dial(f), skipped = dial(f), mute = dial(f);
	int idle = dial(f), served = dial(f);
	struct buf out;

	buf_init(&out, 1024);
	put(&out, ORDER_LITTLE, ECHO, 1, "never whole");
	ask(idle, ECHO, 1, "");
	ask(served, HOLD, 2, "takes its time");
	expect(idle, ECHO, 1, RET_OK, "");
	send_all(in_header, span_of(out.data, 5));
	send_all(in_body, span_of(out.data, out.len - 1));
	out.data[4] = 99;
	send_all(skipped, span_of(out.data, out.len - 1));
	expect_closed(in_header);
	expect_closed(in_body);
	expect_closed(skipped);
	expect_closed(mute);
	assert_int_equal(f->troubles[NET_TIMED_OUT], 4);
	ask(idle, ECHO, 2, "still welcome");
	expect(idle, ECHO, 2, RET_OK, "still welcome");
	wait_held(f, 1);
	release(f, 2);
	expect(served, HOLD, 2, RET_OK, "takes its time");
	close(idle);
	close(served);
	buf_fini(&out);
	stop(f);
}

TEST(closes_connections_that_do_not_take_their_replies)
{
	struct fixture *f = start_as(&(struct wish){ .timeout_ms = 100 });
	int fd = dial(f), small = 4096;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	for (uint32_t i = 0; i < 6; i++)
		ask(fd, BIG, i, "");
	while (f->troubles[NET_TIMED_OUT] == 0)
		usleep(1000);
	close(fd);
	stop(f);
}

TEST(refuses_addresses_that_are_not_allowed)
{
	struct fixture *f = start_as(&(struct wish){ .allowed = "10.0.0.0/8" });

	expect_closed(dial(f));
	assert_int_equal(f->troubles[NET_REFUSED], 1);
	stop(f);
}

TEST(with_all_places_taken_a_new_connection_replaces_who_makes_no_use_of_his)
{
	struct fixture *f = start_as(&(struct wish){ .connections = 2 });
	int used = dial(f), silent = dial(f), a, b;

	ask(used, ECHO, 1, "");
	expect(used, ECHO, 1, RET_OK, "");
	a = dial(f);
	expect_closed(silent); /* which is worth less than one that has sent a package */
	ask(a, ECHO, 2, "");
	expect(a, ECHO, 2, RET_OK, "");
	b = dial(f);
	expect_closed(used); /* idle as long as `a` or longer: it came before */
	ask(b, ECHO, 4, "");
	expect(b, ECHO, 4, RET_OK, "");
	assert_int_equal(f->troubles[NET_REPLACED], 2);
	assert_int_equal(f->troubles[NET_TOO_MANY], 0);
	close(a);
	close(b);
	stop(f);
}

TEST(answers_what_it_has_before_it_stops)
{
	struct fixture *f = start();
	int busy = dial(f), idle = dial(f), halfway = dial(f);
	struct buf out;

	buf_init(&out, 1024);
	put(&out, ORDER_LITTLE, ECHO, 1, "half");
	send_all(halfway, span_of(out.data, out.len - 1));
	ask(idle, ECHO, 1, "");
	expect(idle, ECHO, 1, RET_OK, "");
	ask(busy, HOLD, 1, "one");
	ask(busy, HOLD, 2, "two");
	wait_held(f, 2);
	net_loop_stop(f->loop);
	expect_closed(idle);
	expect_closed(halfway);
	release(f, 2);
	release(f, 1);
	expect(busy, HOLD, 1, RET_OK, "one");
	expect(busy, HOLD, 2, RET_OK, "two");
	expect_closed(busy);
	buf_fini(&out);
	join(f);
}
