/* load_photos - photos put, looked up and listed, as back ends do.
 *
 *     load_photos -a HOST:PORT -k put|get|list -n COUNT [-c CONNECTIONS] [-s START]
 *
 * asks metadata_dbsvr, or an admin_proxy in front of it, with one request under way on each
 * connection.
 *
 *     load_photos -r FILE -k put|get|list -n COUNT [-s START]
 *
 * is the floor that it is measured against: the same rows in a SQLite database of this
 * process, a transaction each, without sockets or other threads.
 *
 * A put is of photo START and those behind it; a get is of one of the photos 1 to START; a
 * list is the newest 20 of one of USERS users.  Every reply is taken apart, and must be
 * of what was asked for.
 *
 * Prints the report of load.h; `checked` is the number of photos in the replies. */
#include "load.h"

#include "core/clock.h"
#include "core/file_id.h"
#include "meta/db.h"
#include "wire/photo_body.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 1024, USERS = 100, PAGE = 20, REPLY_MAX = 64 << 10, SILENCE_MS = 60000 };

enum kind { PUT, GET, LIST, KINDS };

static const char *const kinds[KINDS] = { "put", "get", "list" };
static const uint16_t cmds[KINDS] = { CMD_PHOTO_PUT, CMD_PHOTO_GET, CMD_PHOTO_LIST_USER };

struct conn {
	int fd;
	int64_t start_us;
	uint64_t number; /* what was asked for */
	uint32_t seq;
	uint8_t in[REPLY_MAX];
	size_t in_len;
};

static const char *address;
static enum kind kind = KINDS;
static uint64_t count, asked, start = 1;
static size_t conn_count = 1, under_way, wrong, checked;
static struct load_times times;
static uint64_t bytes;

/* ---- what is asked for ---- */

static uint32_t user_of(uint64_t number)
{
	return (uint32_t)(number % USERS) + 1;
}

/* The number of the request after `asked` others.  Gets go through all, not in order. */
static uint64_t next_number(void)
{
	uint64_t number = asked++;

	return kind == GET ? number * 7919 % start + 1 : start + number;
}

static struct photo photo_of(uint64_t number)
{
	struct file_id id = { .group = "g01", .ext = "jpg", .size = 100000 };
	struct photo photo = { .uid = user_of(number), .albumid = 3, .state = PHOTO_STORED };

	id.time = 1500000000 + (uint32_t)number;
	if (!file_id_make(&id, 0))
		load_die("no id can be made");
	file_id_format(&id, photo.url);
	photo.length = id.size;
	photo.time = id.time;
	strcpy(photo.name, "a picture.jpg");
	return photo;
}

/* ---- over the network ---- */

static void send_next(struct conn *conn)
{
	struct package package = { .cmd = cmds[kind], .seq = ++conn->seq };
	struct photo_request request = { .cmd = package.cmd, .limit = PAGE };
	struct photo photo;
	struct buf out;
	size_t at;

	if (asked == count)
		return;
	conn->number = next_number();
	buf_init(&out, REPLY_MAX);
	at = package_begin(&out, &package, ORDER_LITTLE);
	if (kind == PUT) {
		photo = photo_of(conn->number);
		photo_encode(&out, ORDER_LITTLE, &photo);
	} else {
		request.flags = kind == LIST ? PHOTO_NEWEST_FIRST : 0;
		request.photoid = kind == GET ? conn->number : 0;
		request.uid = user_of(conn->number);
		photo_request_encode(&out, ORDER_LITTLE, &request);
	}
	package_end(&out, at, ORDER_LITTLE);
	bytes += out.len;
	under_way++;
	conn->in_len = 0;
	conn->start_us = clock_mono_us();
	if (send(conn->fd, out.data, out.len, MSG_NOSIGNAL) != (ssize_t)out.len)
		load_die("%s: %s", address, strerror(errno));
	buf_fini(&out);
}

static bool is_right(const struct conn *conn, struct span body)
{
	struct cursor in = cursor_of(body);
	struct photo photo;
	uint16_t told;

	if (kind == PUT) {
		checked++;
		return package_get_u32(&in, ORDER_LITTLE) == 3 &&
		       package_get_u64(&in, ORDER_LITTLE) > 0 && cursor_end(&in);
	}
	if (kind == GET) {
		checked++;
		return photo_decode(body, ORDER_LITTLE, &photo) && photo.photoid == conn->number;
	}
	package_get_u16(&in, ORDER_LITTLE);
	told = package_get_u16(&in, ORDER_LITTLE);
	for (uint16_t i = 0; i < told; i++, checked++)
		if (!photo_take(&in, ORDER_LITTLE, &photo) || photo.uid != user_of(conn->number))
			return false;
	return told == PAGE && cursor_end(&in);
}

static void on_readable(struct conn *conn)
{
	size_t got = load_receive(
		conn->fd, address, conn->in + conn->in_len, sizeof conn->in - conn->in_len);
	struct package reply;

	if (got == 0)
		return;
	conn->in_len += got;
	if (conn->in_len < PACKAGE_HEADER_LEN)
		return;
	if (!package_header_decode(conn->in, ORDER_LITTLE, &reply) || reply.cmd != cmds[kind] ||
		reply.seq != conn->seq || reply.len > sizeof conn->in)
		load_die("%s sends what is no reply to this", address);
	if (conn->in_len < reply.len)
		return;
	if (reply.ret != 0 || !is_right(conn, span_of(conn->in + PACKAGE_HEADER_LEN,
						      reply.len - PACKAGE_HEADER_LEN))) {
		if (wrong++ == 0)
			fprintf(stderr, "load_photos: photo %u: code %u\n", (unsigned)conn->number,
				(unsigned)reply.ret);
	}
	load_times_add(&times, conn->start_us, clock_mono_us());
	under_way--;
	send_next(conn);
}

static void run(struct conn *conns)
{
	struct load_loop loop;

	load_loop_init(&loop, address, SILENCE_MS);
	for (size_t i = 0; i < conn_count; i++) {
		conns[i].fd = load_connect(address);
		load_loop_add(&loop, conns[i].fd, EPOLLIN, &conns[i]);
		send_next(&conns[i]);
	}
	while (under_way > 0) {
		int ready = load_loop_wait(&loop);

		for (int i = 0; i < ready; i++)
			on_readable(loop.events[i].data.ptr);
	}
	load_loop_fini(&loop);
	for (size_t i = 0; i < conn_count; i++)
		close(conns[i].fd);
}

/* ---- the floor ---- */

static const char *const steps[] = {
	"CREATE TABLE photo (photoid INTEGER PRIMARY KEY, uid INTEGER, albumid INTEGER, "
	"length INTEGER, time INTEGER, name TEXT, url TEXT UNIQUE); "
	"CREATE INDEX photo_user ON photo (uid, photoid); "
	"CREATE INDEX photo_album ON photo (uid, albumid, photoid)",
	NULL,
};

static const char *const queries[KINDS] = {
	"INSERT INTO photo (uid, albumid, length, time, name, url) VALUES (?1, 3, ?2, ?3, ?4, ?5)",
	"SELECT photoid, name, url FROM photo WHERE photoid = ?1",
	"SELECT uid, name, url FROM photo WHERE uid = ?1 ORDER BY photoid DESC LIMIT ?2",
};

static void ask_plainly(struct db *db, struct db_query *query, uint64_t number, struct err *err)
{
	uint64_t expected = kind == GET ? number : user_of(number), rows = 0;
	struct photo photo;
	int got;

	if (kind == PUT) {
		photo = photo_of(number);
		db_put_int(query, 1, photo.uid);
		db_put_int(query, 2, (int64_t)photo.length);
		db_put_int(query, 3, (int64_t)photo.time);
		db_put_text(query, 4, span_str(photo.name));
		db_put_text(query, 5, span_str(photo.url));
		if (db_begin(db, err) != 0 || db_run(query, err) != 0 || db_commit(db, err) != 0)
			load_die("%s", err->text);
		checked++;
		return;
	}
	db_put_int(query, 1, (int64_t)expected);
	if (kind == LIST)
		db_put_int(query, 2, PAGE);
	while ((got = db_step(query, err)) > 0) {
		rows++;
		wrong += (uint64_t)db_int(query, 0) != expected || db_bytes(query, 2).len == 0;
	}
	if (got < 0)
		load_die("%s", err->text);
	wrong += rows != (kind == GET ? 1 : PAGE);
	checked += rows;
}

static void run_plainly(const char *path)
{
	struct db_conf conf = { .path = path, .steps = steps };
	struct err err = { 0 };
	struct db *db = db_open(&conf, &err);
	struct db_query *query = db == NULL ? NULL : db_prepare(db, queries[kind], &err);

	if (query == NULL)
		load_die("%s", err.text);
	while (asked < count) {
		int64_t start_us = clock_mono_us();

		ask_plainly(db, query, next_number(), &err);
		load_times_add(&times, start_us, clock_mono_us());
	}
	db_close(db);
}

int main(int argc, char **argv)
{
	const char *plain = NULL;
	struct conn *conns;

	for (int opt; (opt = getopt(argc, argv, "a:c:k:n:r:s:")) != -1;)
		if (opt == 'a')
			address = optarg;
		else if (opt == 'c')
			conn_count = (size_t)load_number(optarg, 1, CONNECTIONS_MAX);
		else if (opt == 'n')
			count = (uint64_t)load_number(optarg, 1, 100000000);
		else if (opt == 'r')
			plain = optarg;
		else if (opt == 's')
			start = (uint64_t)load_number(optarg, 1, 1000000000);
		else if (opt == 'k')
			for (kind = PUT; kind < KINDS && strcmp(optarg, kinds[kind]) != 0;)
				kind++;
		else
			return 2;
	if ((address == NULL) == (plain == NULL) || kind == KINDS || count == 0 || optind != argc)
		load_die("usage: load_photos -a HOST:PORT|-r FILE -k put|get|list -n COUNT "
			 "[-c CONNECTIONS] [-s START]");
	if (plain != NULL) {
		run_plainly(plain);
	} else {
		conns = calloc(conn_count, sizeof *conns);
		if (conns == NULL)
			load_die("out of memory");
		run(conns);
		free(conns);
	}
	load_report(&times, wrong, checked, bytes);
	return wrong == 0 ? 0 : 1;
}
