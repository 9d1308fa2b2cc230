/* load_frames - small framed packages and their replies, as many callers send them.
 *
 *     load_frames -a HOST:PORT -c CONNECTIONS -n COUNT [-p IN_FLIGHT] [-b BODY]
 *
 * Each connection keeps IN_FLIGHT (1) requests under way, of command 0x10B5 with BODY (60)
 * bytes that no other request has.  Replies may come in any order; each must repeat
 * command, id and seq, and bring the body back.
 *
 *     load_frames -s HOST:PORT
 *
 * is the back end for it: it answers every package with its own body, until it is ended.
 *
 * Prints the report of load.h.  Exit status 1 if a reply was wrong. */
#include "load.h"

#include "core/clock.h"
#include "net/bind.h"
#include "net/frame_server.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	CONNECTIONS_MAX = 4096,
	IN_FLIGHT_MAX = 256,
	BODY_MAX = 4096,
	IN_MAX = 256 << 10,
	SILENCE_MS = 10000,
	WRONG_SHOWN = 3,
};

struct conn {
	int fd;
	size_t under_way;
	int64_t start_us[IN_FLIGHT_MAX]; /* by the low bits of seq; 0: free */
	uint32_t seq;
	uint8_t *in;
	size_t in_len;
};

static const char *address;
static size_t conn_count = 16, count, in_flight = 1, body_len = 60, started, wrong;
static struct load_times times;

/* ---- the back end ---- */

static void begin_echo(void *context, struct frame_request *request)
{
	struct buf reply;

	(void)context;
	buf_init(&reply, BODY_MAX);
	buf_put_span(&reply, request->body);
	frame_reply(request, RET_OK, &reply);
}

static int serve(void)
{
	static const uint16_t commands[] = { CMD_SESSION };
	static const struct frame_handler handler = { .begin = begin_echo };
	struct err err = { 0 };
	struct net_loop *loop = net_loop_new(&err);
	struct frame_server_conf conf = {
		.handler = &handler,
		.fd = bind_listen(address, 0660, 1024, &err),
		.commands = commands,
		.command_count = 1,
		.max_package = BODY_MAX + PACKAGE_HEADER_LEN,
		.in_flight = 1024,
		.any_order = true,
		.max_connections = CONNECTIONS_MAX,
		.timeout_ms = 60000,
		.body_memory = 1 << 20,
	};

	if (conf.fd < 0 || loop == NULL || frame_server_new(loop, &conf, &err) == NULL ||
		net_loop_run(loop, &err) != 0)
		load_die("%s", err.text);
	return 0;
}

/* ---- the callers ---- */

static void complain(const char *what)
{
	if (wrong++ < WRONG_SHOWN)
		fprintf(stderr, "load_frames: %s\n", what);
}

/* The body says which request it belongs to. */
static void put_body(uint8_t *body, const struct conn *conn, uint32_t seq)
{
	memset(body, (int)(seq & 0xff), body_len);
	if (body_len >= 8) {
		store_le32(body, (uint32_t)conn->fd);
		store_le32(body + 4, seq);
	}
}

/* Send what may be under way, in one write: it is less than any socket takes. */
static void send_more(struct conn *conn)
{
	static uint8_t out[IN_FLIGHT_MAX * (PACKAGE_HEADER_LEN + BODY_MAX)];
	int64_t now = clock_mono_us();
	size_t len = 0;

	while (conn->under_way < in_flight && started < count) {
		struct package package = {
			.len = (uint32_t)(PACKAGE_HEADER_LEN + body_len),
			.cmd = CMD_SESSION,
			.id = (uint32_t)conn->fd,
		};

		/* A seq whose place is free: replies may overtake each other. */
		while (conn->start_us[++conn->seq % IN_FLIGHT_MAX] != 0)
			;
		package.seq = conn->seq;
		conn->start_us[conn->seq % IN_FLIGHT_MAX] = now;
		package_header_encode(&package, ORDER_LITTLE, out + len);
		put_body(out + len + PACKAGE_HEADER_LEN, conn, conn->seq);
		len += package.len;
		conn->under_way++;
		started++;
	}
	if (len > 0 && send(conn->fd, out, len, MSG_NOSIGNAL) != (ssize_t)len)
		load_die("%s does not take %zu bytes: %s", address, len, strerror(errno));
}

static void check(struct conn *conn, const struct package *package, const uint8_t *body)
{
	int64_t *start = &conn->start_us[package->seq % IN_FLIGHT_MAX];
	uint8_t expected[BODY_MAX];

	put_body(expected, conn, package->seq);
	if (*start == 0 || package->cmd != CMD_SESSION || package->id != (uint32_t)conn->fd)
		load_die("a reply to nothing that was asked");
	if (package->ret != 0 || package->len != PACKAGE_HEADER_LEN + body_len ||
		memcmp(body, expected, body_len) != 0)
		complain("a reply with another code or body");
	load_times_add(&times, *start, clock_mono_us());
	*start = 0;
	conn->under_way--;
}

static void on_readable(struct conn *conn)
{
	size_t got = load_receive(
		conn->fd, address, conn->in + conn->in_len, IN_MAX - conn->in_len);
	struct package package;
	size_t at = 0;

	if (got == 0)
		return;
	conn->in_len += got;
	while (conn->in_len - at >= PACKAGE_HEADER_LEN) {
		if (!package_header_decode(conn->in + at, ORDER_LITTLE, &package) ||
			package.len > IN_MAX)
			load_die("%s sends what is no package", address);
		if (conn->in_len - at < package.len)
			break;
		check(conn, &package, conn->in + at + PACKAGE_HEADER_LEN);
		at += package.len;
	}
	memmove(conn->in, conn->in + at, conn->in_len - at);
	conn->in_len -= at;
	send_more(conn);
}

static void run(struct conn *conns)
{
	struct load_loop loop;

	load_loop_init(&loop, address, SILENCE_MS);
	for (size_t i = 0; i < conn_count; i++) {
		load_loop_add(&loop, conns[i].fd, EPOLLIN, &conns[i]);
		send_more(&conns[i]);
	}
	while (times.count < count) {
		int ready = load_loop_wait(&loop);

		for (int i = 0; i < ready; i++)
			on_readable(loop.events[i].data.ptr);
	}
	load_loop_fini(&loop);
}

int main(int argc, char **argv)
{
	bool is_server = false;
	struct conn *conns;

	for (int opt; (opt = getopt(argc, argv, "a:c:n:p:b:s:")) != -1;)
		if (opt == 'a' || opt == 's') {
			address = optarg;
			is_server = opt == 's';
		} else if (opt == 'c') {
			conn_count = (size_t)load_number(optarg, 1, CONNECTIONS_MAX);
		} else if (opt == 'n') {
			count = (size_t)load_number(optarg, 1, 100000000);
		} else if (opt == 'p') {
			in_flight = (size_t)load_number(optarg, 1, IN_FLIGHT_MAX - 1);
		} else if (opt == 'b') {
			body_len = (size_t)load_number(optarg, 0, BODY_MAX);
		} else {
			return 2;
		}
	if (is_server)
		return serve();
	if (address == NULL || count == 0 || optind != argc)
		load_die("usage: load_frames -a HOST:PORT -c CONNECTIONS -n COUNT [-p IN_FLIGHT] "
			 "[-b BODY], or -s HOST:PORT");
	conns = calloc(conn_count, sizeof *conns);
	for (size_t i = 0; conns != NULL && i < conn_count; i++) {
		conns[i].fd = load_connect(address);
		conns[i].in = malloc(IN_MAX);
	}
	if (conns == NULL)
		load_die("out of memory");
	run(conns);
	load_report(&times, wrong, times.count,
		(uint64_t)times.count * (PACKAGE_HEADER_LEN + body_len));
	for (size_t i = 0; i < conn_count; i++) {
		close(conns[i].fd);
		free(conns[i].in);
	}
	free(conns);
	return wrong == 0 ? 0 : 1;
}
