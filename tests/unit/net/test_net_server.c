#include "net/net_server.h"

#include "net_kit.h"
#include "unit.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The protocol of these tests: a header of 8 bytes, u32 length, a command, 3 unused; the
 * answer is the header with the new length, then the body. */
enum {
	ECHO = 'e',
	THREAD = 't', /* echo, answered by another thread */
	WORK = 'w',   /* echo, through the work pool */
	BIG = 'b',    /* answers BIG_LEN bytes, out of the reply budget */
	HOLD = 'h',   /* is answered by the test */
	DRAIN = 'd',
	CLOSE = 'c',
	LAST = 'l', /* echo, then close */
	HANG_UP = 'u',
	HEADER = 8,
	BIG_LEN = 8 << 20,
};

struct fixture {
	struct net_kit net;
	struct net_server *server;
	struct net_request *held;
	_Atomic int ended;
};

static struct net_verdict judge(void *context, const uint8_t *header)
{
	(void)context;
	if (header[4] == CLOSE)
		return (struct net_verdict){ NET_CLOSE, 0 };
	return (struct net_verdict){ header[4] == DRAIN ? NET_DRAIN : NET_COLLECT,
		load_be32(header) };
}

static void echo(struct net_request *request, bool close)
{
	struct net_reply reply = { .head_len = HEADER, .close = close };

	memcpy(reply.head, request->header, HEADER);
	if (request->drained)
		store_be32(reply.head, 0);
	buf_init(&reply.body, 1 << 24);
	buf_put_span(&reply.body, request->body);
	reply.slice = buf_span(&reply.body);
	net_reply(request, &reply);
}

static void *echo_thread(void *request)
{
	echo(request, false);
	return NULL;
}

static void nothing(void *context)
{
	(void)context;
}

static void echo_worked(void *request)
{
	echo(request, false);
}

static void send_big(void *context, struct net_request *request)
{
	struct net_reply reply = { .head_len = HEADER };

	(void)context;
	memcpy(reply.head, request->header, HEADER);
	store_be32(reply.head, BIG_LEN);
	buf_init(&reply.body, BIG_LEN);
	memset(buf_reserve(&reply.body, BIG_LEN), 'x', BIG_LEN);
	reply.slice = span_of(reply.body.data, BIG_LEN);
	net_reply(request, &reply);
}

static void answer(void *context, struct net_request *request)
{
	struct fixture *f = context;
	pthread_t thread;

	*request->mine = f;
	switch (request->header[4]) {
	case THREAD:
		pthread_create(&thread, NULL, echo_thread, request);
		pthread_detach(thread);
		break;
	case WORK:
		net_loop_work(f->net.loop, nothing, echo_worked, request);
		break;
	case BIG:
		net_reserve(request, BIG_LEN, f, send_big);
		break;
	case HOLD:
		f->held = request;
		sem_post(&f->net.holds);
		break;
	case HANG_UP:
		net_hang_up(request);
		break;
	default:
		echo(request, request->header[4] == LAST);
	}
}

static void ended(void *context, void *mine)
{
	struct fixture *f = context;

	assert_ptr_equal(mine, f);
	f->ended++;
}

static void trouble(void *context, enum net_trouble what, const char *peer)
{
	struct fixture *f = context;

	(void)peer;
	f->net.troubles[what]++;
}

static const struct net_protocol protocol = { HEADER, judge, answer, ended, trouble };

static struct fixture *start_with(const char *allowed, int64_t timeout_ms, int64_t connections)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct net_server_conf conf = {
		.protocol = &protocol,
		.context = f,
		.allow = &f->net.allow,
		.max_connections = connections,
		.timeout_ms = timeout_ms,
		.body_memory = 100000,
		.reply_memory = BIG_LEN + 1,
	};
	struct err err = { 0 };

	conf.fd = net_kit_listen(&f->net, allowed);
	f->server = net_server_new(f->net.loop, &conf, &err);
	assert_non_null(f->server);
	net_kit_run(&f->net);
	return f;
}

static struct fixture *start(void)
{
	return start_with("127.0.0.0/8", 10000, 100);
}

static void stop(struct fixture *f)
{
	net_loop_stop(f->net.loop);
	net_kit_join(&f->net);
	assert_int_equal(net_server_connections(f->server), 0);
	net_kit_fini(&f->net);
	free(f);
}

static int dial(struct fixture *f)
{
	return net_kit_dial(&f->net);
}

static size_t put(uint8_t *out, char cmd, const char *body)
{
	size_t len = strlen(body);

	store_be32(out, (uint32_t)len);
	out[4] = (uint8_t)cmd;
	memset(out + 5, 0, 3);
	memcpy(out + HEADER, body, len);
	return HEADER + len;
}

static void send_all(int fd, const void *data, size_t len)
{
	net_kit_send(fd, span_of(data, len));
}

static void ask(int fd, char cmd, const char *body)
{
	uint8_t out[256];

	send_all(fd, out, put(out, cmd, body));
}

static void expect(int fd, const char *body)
{
	uint8_t header[HEADER];
	char got[256];
	size_t len = strlen(body);

	assert_int_equal(recv(fd, header, HEADER, MSG_WAITALL), HEADER);
	assert_int_equal(load_be32(header), len);
	if (len > 0)
		assert_int_equal(recv(fd, got, len, MSG_WAITALL), (ssize_t)len);
	assert_memory_equal(got, body, len);
}

static void expect_big(int fd)
{
	uint8_t header[HEADER];
	char *got = malloc(BIG_LEN);

	assert_int_equal(recv(fd, header, HEADER, MSG_WAITALL), HEADER);
	assert_int_equal(load_be32(header), BIG_LEN);
	assert_int_equal(recv(fd, got, BIG_LEN, MSG_WAITALL), BIG_LEN);
	assert_int_equal(got[BIG_LEN - 1], 'x');
	free(got);
}

TEST(answers_requests_that_are_glued_together_in_their_order)
{
	struct fixture *f = start();
	int fd = dial(f);
	uint8_t out[1024];
	size_t len = 0;

	len += put(out + len, ECHO, "first");
	len += put(out + len, THREAD, "second, by a thread");
	len += put(out + len, ECHO, "");
	len += put(out + len, WORK, "fourth, worked on");
	len += put(out + len, DRAIN, "forget me");
	len += put(out + len, ECHO, "sixth");
	send_all(fd, out, len);
	expect(fd, "first");
	expect(fd, "second, by a thread");
	expect(fd, "");
	expect(fd, "fourth, worked on");
	expect(fd, "");
	expect(fd, "sixth");
	close(fd);
	stop(f);
}

TEST(answers_requests_however_they_are_cut)
{
	struct fixture *f = start();
	uint8_t out[256];
	size_t len = put(out, ECHO, "abc");

	len += put(out + len, DRAIN, "defg");
	len += put(out + len, THREAD, "hij");
	for (size_t cut = 1; cut < len; cut++) {
		int fd = dial(f);

		send_all(fd, out, cut);
		send_all(fd, out + cut, len - cut);
		expect(fd, "abc");
		expect(fd, "");
		expect(fd, "hij");
		close(fd);
	}
	for (int fd = dial(f), i = 0; fd >= 0; fd = -1) {
		for (; i < (int)len; i++)
			send_all(fd, out + i, 1);
		expect(fd, "abc");
		expect(fd, "");
		expect(fd, "hij");
		close(fd);
	}
	stop(f);
}

TEST(answers_a_thousand_requests_in_one_write)
{
	struct fixture *f = start();
	int fd = dial(f);
	uint8_t *out = malloc(1000 * 16);
	size_t len = 0;

	for (int i = 0; i < 1000; i++)
		len += put(out + len, i % 7 == 0 ? THREAD : ECHO, "12345678");
	send_all(fd, out, len);
	for (int i = 0; i < 1000; i++)
		expect(fd, "12345678");
	free(out);
	close(fd);
	stop(f);
}

TEST(a_big_reply_is_whole_and_the_next_request_waits_for_it)
{
	struct fixture *f = start();
	int fd = dial(f), other = dial(f);
	struct pollfd waiting[] = { { fd, POLLIN, 0 }, { other, POLLIN, 0 } };
	uint8_t first[HEADER];

	ask(fd, BIG, "");
	/* Its reply has begun: of two that are asked at once either may come first. */
	assert_int_equal(recv(fd, first, HEADER, MSG_PEEK | MSG_WAITALL), HEADER);
	ask(other, BIG, ""); /* over the reply budget: waits for the first */
	ask(fd, ECHO, "next");
	ask(fd, BIG, "");
	expect_big(fd);
	expect(fd, "next");
	/* Which of the two is next depends on which the server has read first. */
	assert_true(poll(waiting, 2, 60000) > 0);
	expect_big(waiting[0].revents != 0 ? fd : other);
	expect_big(waiting[0].revents != 0 ? other : fd);
	close(fd);
	close(other);
	stop(f);
}

TEST(a_peer_that_has_shut_down_its_side_gets_its_answers)
{
	struct fixture *f = start();
	int fd = dial(f);

	ask(fd, THREAD, "one");
	ask(fd, WORK, "two");
	shutdown(fd, SHUT_WR);
	expect(fd, "one");
	expect(fd, "two");
	net_kit_expect_closed(fd);
	stop(f);
}

TEST(a_header_can_close_the_connection)
{
	struct fixture *f = start();
	int fd = dial(f);

	ask(fd, ECHO, "a");
	ask(fd, CLOSE, "");
	expect(fd, "a");
	net_kit_expect_closed(fd);
	fd = dial(f);
	ask(fd, HANG_UP, "");
	net_kit_expect_closed(fd);
	stop(f);
}

TEST(a_last_answer_arrives_although_more_was_sent)
{
	struct fixture *f = start();
	int fd = dial(f);
	char *junk = calloc(1, 1 << 20);

	ask(fd, LAST, "good bye");
	for (size_t at = 0; at < 1 << 20;) {
		ssize_t sent = send(fd, junk + at, (1 << 20) - at, MSG_NOSIGNAL);

		if (sent <= 0)
			break;
		at += (size_t)sent;
	}
	expect(fd, "good bye");
	net_kit_expect_closed(fd);
	free(junk);
	stop(f);
}

TEST(bodies_over_the_budget_wait_for_their_turn)
{
	struct fixture *f = start();
	enum { LEN = 60000, CLIENTS = 5 };
	int fd[CLIENTS];
	uint8_t header[HEADER] = { 0, 0, LEN >> 8, LEN & 255, ECHO };
	char *body = calloc(1, LEN), *got = malloc(LEN);

	for (int i = 0; i < CLIENTS; i++) {
		fd[i] = dial(f);
		send_all(fd[i], header, HEADER);
		send_all(fd[i], body, LEN - 1);
		/* small requests pass by those that wait */
		int small = dial(f);

		ask(small, ECHO, "small");
		expect(small, "small");
		close(small);
	}
	for (int i = CLIENTS - 1; i >= 0; i--)
		send_all(fd[i], body, 1);
	for (int i = 0; i < CLIENTS; i++) {
		assert_int_equal(recv(fd[i], header, HEADER, MSG_WAITALL), HEADER);
		assert_int_equal(recv(fd[i], got, LEN, MSG_WAITALL), LEN);
		close(fd[i]);
	}
	free(body);
	free(got);
	stop(f);
}

TEST(a_body_over_the_whole_budget_is_taken_when_it_is_alone)
{
	struct fixture *f = start();
	enum { LEN = 1 << 20 };
	uint8_t header[HEADER] = { 0, LEN >> 16, 0, 0, ECHO };
	char *body = calloc(1, LEN);
	int fd = dial(f);

	send_all(fd, header, HEADER);
	send_all(fd, body, LEN);
	assert_int_equal(recv(fd, header, HEADER, MSG_WAITALL), HEADER);
	assert_int_equal(recv(fd, body, LEN, MSG_WAITALL), LEN);
	free(body);
	close(fd);
	stop(f);
}

TEST(who_stops_in_the_middle_is_closed_but_who_is_idle_stays)
{
	struct fixture *f = start_with("127.0.0.1", 40, 100);
	int idle = dial(f), silent, half, stalled, deaf;
	uint8_t out[64];

	ask(idle, ECHO, "x");
	expect(idle, "x");
	silent = dial(f);
	half = dial(f);
	send_all(half, "\0\0", 2);
	stalled = dial(f);
	send_all(stalled, out, put(out, ECHO, "incomplete") - 1);
	deaf = dial(f);
	ask(deaf, BIG, "");
	net_kit_expect_closed(silent);
	net_kit_expect_closed(half);
	net_kit_expect_closed(stalled);
	for (ssize_t got; (got = recv(deaf, out, 1, MSG_PEEK)) > 0;) {
		/* its reply stops arriving: the rest has been given up */
		if (f->net.troubles[NET_TIMED_OUT] == 4)
			break;
	}
	ask(idle, ECHO, "still here");
	expect(idle, "still here");
	assert_int_equal(f->net.troubles[NET_TIMED_OUT], 4);
	close(deaf);
	close(idle);
	stop(f);
}

TEST(strangers_are_closed)
{
	struct fixture *f = start_with("10.0.0.0/8", 10000, 100);

	net_kit_expect_closed(dial(f));
	assert_int_equal(f->net.troubles[NET_REFUSED], 1);
	stop(f);
}

TEST(with_all_places_taken_a_new_connection_replaces_who_makes_no_use_of_his)
{
	struct fixture *f = start_with("127.0.0.1", 10000, 2);
	int busy = dial(f), silent = dial(f), a, b, c;

	ask(busy, HOLD, "");
	sem_wait(&f->net.holds);
	a = dial(f);
	ask(a, ECHO, "a");
	expect(a, "a");
	net_kit_expect_closed(silent); /* which is worth less than one that has sent a request */
	b = dial(f);
	net_kit_expect_closed(a);
	ask(b, ECHO, "b");
	expect(b, "b");
	send_all(b, "\0", 1); /* the beginning of another request */
	c = dial(f);
	ask(c, ECHO, "c");
	while (net_server_connections(f->server) > 2)
		sched_yield();
	net_kit_expect_closed(c);
	assert_int_equal(f->net.troubles[NET_REPLACED], 2);
	assert_int_equal(f->net.troubles[NET_TOO_MANY], 1);
	echo(f->held, false);
	expect(busy, "");
	close(busy);
	close(b);
	stop(f);
}

TEST(a_stop_finishes_what_is_under_way)
{
	struct fixture *f = start();
	int idle = dial(f), fd = dial(f);
	char byte;

	ask(idle, ECHO, "x");
	expect(idle, "x");
	ask(fd, HOLD, "held");
	sem_wait(&f->net.holds);
	net_loop_stop(f->net.loop);
	assert_int_equal(recv(idle, &byte, 1, 0), 0);
	echo(f->held, false);
	expect(fd, "held");
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	close(idle);
	close(fd);
	stop(f);
}

TEST(an_answer_for_a_peer_that_has_gone_is_forgotten)
{
	struct fixture *f = start();
	struct linger reset = { 1, 0 };
	int fd = dial(f), other = dial(f);

	ask(fd, HOLD, "held");
	sem_wait(&f->net.holds);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	close(fd);
	ask(other, ECHO, "x");
	expect(other, "x");
	echo(f->held, false);
	while (f->ended < 1)
		sched_yield();
	ask(other, ECHO, "y");
	expect(other, "y");
	close(other);
	stop(f);
}

TEST(a_stop_before_the_start_is_a_stop)
{
	struct err err;
	struct net_loop *loop = net_loop_new(&err);

	net_loop_stop(loop);
	assert_int_equal(net_loop_run(loop, &err), 0);
	net_loop_free(loop);
}
