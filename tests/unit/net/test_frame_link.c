#include "net/frame_link.h"

#include "fake_server.h"
#include "unit.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PACKAGE = 1000, CMD = 7 };

/* Where the link's handler notes what has happened. */
struct fixture {
	struct net_loop *loop;
	struct frame_link *link;
	sem_t end;
	int connected, packages, closed;
	int stop_at; /* packages */
	bool refuse; /* say that a package makes no sense */
	bool close;  /* from within the handler */
	uint32_t seqs;
	size_t body_len;
	uint64_t taken;
	char why[300];
};

/* Links alone do not keep a loop running; as long as this works it does. */
static void wait_for_the_end(void *context)
{
	struct fixture *f = context;

	while (sem_wait(&f->end) != 0)
		;
}

static void ended(void *context)
{
	(void)context;
}

static void stop(struct fixture *f)
{
	net_loop_stop(f->loop);
	sem_post(&f->end);
}

static void on_connected(void *context)
{
	struct fixture *f = context;

	assert_true(frame_link_is_connected(f->link));
	f->connected++;
}

static bool on_package(void *context, const struct package *package, struct span body)
{
	struct fixture *f = context;

	assert_int_equal(package->cmd, CMD);
	f->packages++;
	f->seqs += package->seq;
	f->body_len += body.len;
	if (f->refuse)
		return false;
	if (f->packages == f->stop_at) {
		f->taken = frame_link_taken(f->link);
		assert_int_equal(frame_link_waiting(f->link), 0);
		stop(f);
		if (f->close)
			frame_link_close(f->link);
	}
	return true;
}

static void on_closed(void *context, const char *why)
{
	struct fixture *f = context;

	f->closed++;
	snprintf(f->why, sizeof f->why, "%s", why);
	f->taken = frame_link_taken(f->link);
	stop(f);
}

static const struct frame_link_handler handler = { on_connected, on_package, on_closed };

static void start(struct fixture *f, const char *address, enum byte_order order)
{
	struct frame_link_conf conf = { .handler = &handler,
		.context = f,
		.address = address,
		.order = order,
		.max_package = MAX_PACKAGE,
		.connect_ms = 10000 };

	sem_init(&f->end, 0, 0);
	f->loop = net_loop_new(NULL);
	net_loop_work(f->loop, wait_for_the_end, ended, f);
	f->link = frame_link_open(f->loop, &conf);
	assert_non_null(f->link);
	assert_false(frame_link_is_connected(f->link));
}

/* Returns when the handler has stopped the loop. */
static void run(struct fixture *f)
{
	assert_int_equal(net_loop_run(f->loop, NULL), 0);
	if (f->closed == 0)
		frame_link_close(f->link);
	net_loop_free(f->loop);
	sem_destroy(&f->end);
}

static size_t whole(const uint8_t *bytes, size_t len)
{
	return len < PACKAGE_HEADER_LEN || len < load_le32(bytes) ? 0 : load_le32(bytes);
}

/* `count` packages with `seq` and a body of `body_len`, one behind the other. */
static void put(struct buf *out, uint32_t seq, size_t body_len, int count)
{
	struct package package = { .cmd = CMD, .seq = seq };

	for (int i = 0; i < count; i++) {
		size_t at = package_begin(out, &package, ORDER_LITTLE);

		memset(buf_reserve(out, body_len), 'x', body_len);
		out->len += body_len;
		package_end(out, at, ORDER_LITTLE);
	}
}

TEST(packages_go_out_and_come_in)
{
	struct fixture f = { .stop_at = 6 };
	struct package package = { .cmd = CMD };
	struct buf two;
	struct fake_answer answers[2];
	struct fake_server *server;
	uint64_t end = 0;

	buf_init(&two, 100000);
	put(&two, 5, 300, 2); /* glued together */
	answers[0] = (struct fake_answer){ .data = two.data, .len = two.len };
	answers[1] = answers[0];
	answers[1].bytewise = true;
	server = fake_server_start(whole, answers, 2);
	start(&f, fake_server_address(server), ORDER_LITTLE);
	for (int i = 0; i < 3; i++)
		end = frame_link_send(f.link, &package, span_str("body"));
	assert_int_equal(end, 3 * (PACKAGE_HEADER_LEN + 4));
	assert_int_equal(frame_link_waiting(f.link), end); /* until it is connected */
	assert_int_equal(frame_link_taken(f.link), 0);
	run(&f);
	assert_int_equal(f.connected, 1);
	assert_int_equal(f.closed, 0);
	assert_int_equal(f.seqs, 6 * 5);
	assert_int_equal(f.body_len, 6 * 300);
	assert_int_equal(f.taken, end);
	assert_int_equal(fake_server_connections(server), 1);
	fake_server_stop(server);
	buf_fini(&two);
}

TEST(it_may_be_closed_from_within_a_package)
{
	struct fixture f = { .stop_at = 1, .close = true };
	struct package package = { .cmd = CMD };
	struct buf many;
	struct fake_answer answer;
	struct fake_server *server;

	buf_init(&many, 100000);
	put(&many, 1, 10, 50); /* those behind the first are nobody's */
	answer = (struct fake_answer){ .data = many.data, .len = many.len };
	server = fake_server_start(whole, &answer, 1);
	start(&f, fake_server_address(server), ORDER_LITTLE);
	frame_link_send(f.link, &package, span_str(""));
	f.closed = -1; /* run() need not close it */
	run(&f);
	assert_int_equal(f.packages, 1);
	assert_int_equal(f.closed, -1);
	fake_server_stop(server);
	buf_fini(&many);
}

/* What a peer sends that cannot be borne ends the link, with a sentence, and once. */
static void ends(const struct fake_answer *answer, bool refuse, const char *why)
{
	struct fixture f = { .refuse = refuse };
	struct package package = { .cmd = CMD };
	struct fake_server *server = fake_server_start(whole, answer, 1);
	uint64_t end;

	start(&f, fake_server_address(server), ORDER_LITTLE);
	end = frame_link_send(f.link, &package, span_str("body"));
	run(&f);
	assert_int_equal(f.closed, 1);
	assert_string_equal(f.why, why);
	assert_int_equal(f.taken, end); /* it may have been done */
	fake_server_stop(server);
}

TEST(replies_that_make_no_sense_end_it)
{
	static const uint8_t shorter[PACKAGE_HEADER_LEN] = { PACKAGE_HEADER_LEN - 1 };
	static const uint8_t longer[PACKAGE_HEADER_LEN] = { (MAX_PACKAGE + 1) & 255,
		(MAX_PACKAGE + 1) >> 8 };
	static const uint8_t longest[PACKAGE_HEADER_LEN] = { 255, 255, 255, 255 };
	struct buf good;

	buf_init(&good, 1000);
	put(&good, 1, 0, 2);
	ends(&(struct fake_answer){ .data = shorter, .len = sizeof shorter }, false,
		"it sent what is no package");
	ends(&(struct fake_answer){ .data = longer, .len = sizeof longer }, false,
		"it sent a package over the limit");
	ends(&(struct fake_answer){ .data = longest, .len = sizeof longest, .bytewise = true },
		false, "it sent a package over the limit");
	ends(&(struct fake_answer){ .data = good.data, .len = good.len }, true,
		"it sent a reply to nothing that was asked");
	ends(&(struct fake_answer){ .close = true }, false, "it closed the connection");
	ends(&(struct fake_answer){ .data = good.data, .len = 10, .close = true }, false,
		"it closed the connection");
	buf_fini(&good);
}

TEST(a_package_of_just_the_limit_is_taken)
{
	struct fixture f = { .stop_at = 1 };
	struct package package = { .cmd = CMD };
	struct buf most;
	struct fake_answer answer;
	struct fake_server *server;

	buf_init(&most, 10000);
	put(&most, 1, MAX_PACKAGE - PACKAGE_HEADER_LEN, 1);
	answer = (struct fake_answer){ .data = most.data, .len = most.len };
	server = fake_server_start(whole, &answer, 1);
	start(&f, fake_server_address(server), ORDER_LITTLE);
	frame_link_send(f.link, &package, span_str(""));
	run(&f);
	assert_int_equal(f.body_len, MAX_PACKAGE - PACKAGE_HEADER_LEN);
	fake_server_stop(server);
	buf_fini(&most);
}

TEST(more_than_a_socket_takes_at_once_arrives_whole)
{
	static char body[900];
	struct fixture f = { .stop_at = 1 };
	struct package package = { .cmd = CMD };
	struct buf one;
	struct fake_answer answers[2] = { { .data = "" } };
	struct fake_server *server;
	uint64_t end = 0;

	enum { COUNT = 20000 };
	memset(body, 'y', sizeof body);
	buf_init(&one, 1000);
	put(&one, 1, 0, 1);
	answers[0] = (struct fake_answer){ .data = one.data, .len = one.len };
	server = fake_server_start(whole, answers, 1);
	f.stop_at = COUNT;
	start(&f, fake_server_address(server), ORDER_LITTLE);
	for (int i = 0; i < COUNT; i++)
		end = frame_link_send(f.link, &package, span_of(body, sizeof body));
	run(&f);
	assert_int_equal(f.taken, end);
	assert_int_equal(fake_server_requests(server), COUNT);
	fake_server_stop(server);
	buf_fini(&one);
}

TEST(says_that_it_cannot_be_made)
{
	struct fixture dead = { 0 }, nowhere = { 0 }, nothing = { 0 };
	struct package package = { .cmd = CMD };
	char address[64];

	snprintf(address, sizeof address, "127.0.0.1:%u", fake_server_dead_port());
	start(&dead, address, ORDER_LITTLE);
	frame_link_send(dead.link, &package, span_str("body"));
	run(&dead);
	assert_int_equal(dead.closed, 1);
	assert_int_equal(dead.connected, 0);
	assert_int_equal(dead.taken, 0); /* nothing has been done */
	assert_string_equal(dead.why, "connection refused");
	snprintf(address, sizeof address, "unix:%s/x", unit_scratch());
	start(&nowhere, address, ORDER_LITTLE);
	run(&nowhere);
	assert_int_equal(nowhere.closed, 1);
	assert_string_equal(nowhere.why, "no such file or directory");
	start(&nothing, "an address", ORDER_LITTLE);
	run(&nothing);
	assert_string_equal(nothing.why, "its address is none");
}

TEST(closing_nothing_is_fine)
{
	frame_link_close(NULL);
}
