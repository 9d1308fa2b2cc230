/* load_deletes - requests to delete pictures, as back ends send them.
 *
 *     load_deletes -a HOST:PORT -c CONNECTIONS -k COMMAND -m PICTURES LIST
 *
 * LIST has an id a line, with a slash before it or not; what follows it is passed over.
 * Each connection has one package of PICTURES ids under way, of command 3002 or 3030, until
 * every id was in one package.  Each reply must be that of its request, with ret 0.
 *
 * Prints the report of load.h; `checked` is the number of pictures. */
#include "load.h"

#include "core/clock.h"
#include "wire/package.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 1024, PICTURES_MAX = 1000, LINE_MAX_LEN = 512, SILENCE_MS = 60000 };

struct conn {
	int fd;
	int64_t start_us;
	uint32_t seq;
	uint8_t in[PACKAGE_HEADER_LEN];
	size_t in_len;
};

static const char *address;
static size_t conn_count = 1, per_package = 1, id_count, id_at, under_way, wrong;
static uint16_t cmd;
static struct package_url *ids;
static struct load_times times;
static uint64_t bytes;

static void read_list(const char *path)
{
	FILE *file = fopen(path, "re");
	char line[LINE_MAX_LEN];
	size_t cap = 0;

	if (file == NULL)
		load_die("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof line, file) != NULL) {
		char *id = line + (line[0] == '/');

		id[strcspn(id, " \t\r\n")] = '\0';
		if (id[0] == '\0' || strlen(id) > PACKAGE_URL_LEN)
			load_die("%s has a line without an id", path);
		if (id_count == cap) {
			cap = cap == 0 ? 1024 : cap * 2;
			ids = realloc(ids, cap * sizeof *ids);
			if (ids == NULL)
				load_die("out of memory");
		}
		strcpy(ids[id_count++].text, id);
	}
	fclose(file);
}

static void send_all(int fd, struct span data)
{
	while (data.len > 0) {
		ssize_t sent = send(fd, data.data, data.len, MSG_NOSIGNAL);

		if (sent < 0 && errno != EAGAIN && errno != EINTR)
			load_die("%s: %s", address, strerror(errno));
		if (sent > 0)
			data = span_of(data.data + sent, data.len - (size_t)sent);
	}
}

static void send_next(struct conn *conn)
{
	size_t count = id_count - id_at < per_package ? id_count - id_at : per_package;
	struct package package = { .cmd = cmd, .id = 7, .seq = ++conn->seq };
	struct buf out;
	size_t at;

	if (count == 0)
		return;
	buf_init(&out, 1 << 20);
	at = package_begin(&out, &package, ORDER_LITTLE);
	package_put_u32(&out, ORDER_LITTLE, (uint32_t)count);
	for (size_t i = 0; i < count; i++) {
		struct package_item item = { .url = ids[id_at++] };

		package_item_encode(&out, ORDER_LITTLE, &item);
	}
	package_end(&out, at, ORDER_LITTLE);
	bytes += out.len;
	under_way++;
	conn->in_len = 0;
	conn->start_us = clock_mono_us();
	send_all(conn->fd, buf_span(&out));
	buf_fini(&out);
}

static void on_readable(struct conn *conn)
{
	size_t got = load_receive(
		conn->fd, address, conn->in + conn->in_len, sizeof conn->in - conn->in_len);
	struct package reply;

	if (got == 0)
		return;
	conn->in_len += got;
	if (conn->in_len < sizeof conn->in)
		return;
	if (!package_header_decode(conn->in, ORDER_LITTLE, &reply) || reply.cmd != cmd ||
		reply.seq != conn->seq || reply.len != PACKAGE_HEADER_LEN)
		load_die("%s sends what is no reply to this", address);
	wrong += reply.ret != 0;
	load_times_add(&times, conn->start_us, clock_mono_us());
	under_way--;
	send_next(conn);
}

static void run(struct conn *conns)
{
	struct load_loop loop;

	load_loop_init(&loop, address, SILENCE_MS);
	for (size_t i = 0; i < conn_count; i++) {
		load_loop_add(&loop, conns[i].fd, EPOLLIN, &conns[i]);
		send_next(&conns[i]);
	}
	while (under_way > 0) {
		int ready = load_loop_wait(&loop);

		for (int i = 0; i < ready; i++)
			on_readable(loop.events[i].data.ptr);
	}
	load_loop_fini(&loop);
}

int main(int argc, char **argv)
{
	struct conn *conns;

	for (int opt; (opt = getopt(argc, argv, "a:c:k:m:")) != -1;)
		if (opt == 'a')
			address = optarg;
		else if (opt == 'c')
			conn_count = (size_t)load_number(optarg, 1, CONNECTIONS_MAX);
		else if (opt == 'k')
			cmd = (uint16_t)load_number(optarg, 1, 65535);
		else if (opt == 'm')
			per_package = (size_t)load_number(optarg, 1, PICTURES_MAX);
		else
			return 2;
	if (address == NULL || cmd == 0 || optind + 1 != argc)
		load_die("usage: load_deletes -a HOST:PORT -k 3002|3030 [-c CONNECTIONS] "
			 "[-m PICTURES] LIST");
	read_list(argv[optind]);
	conns = calloc(conn_count, sizeof *conns);
	if (conns == NULL)
		load_die("out of memory");
	for (size_t i = 0; i < conn_count; i++)
		conns[i].fd = load_connect(address);
	run(conns);
	load_report(&times, wrong, id_count, bytes);
	for (size_t i = 0; i < conn_count; i++)
		close(conns[i].fd);
	free(conns);
	free(ids);
	return wrong == 0 ? 0 : 1;
}
