/* load_http - GETs a list of URLs over kept connections and checks the answers; or, with
 * -f, downloads them over the FastDFS protocol.
 *
 *     load_http -a HOST:PORT -c CONNECTIONS [-t MS] [-k EVERY] [-f] LIST
 *
 * A line of LIST is "PATH LENGTH CRC32": what to ask for and what must come.  Without
 * -t the list is gone through once; with it, again and again for so many milliseconds.
 * Status and length of every answer are compared, and the bytes of each EVERYth one.
 * The other bodies are thrown away in the kernel, which costs the servers' cores less.
 *
 * Prints the report of load.h.  Exit status 1 if an answer was wrong. */
#include "load.h"

#include "core/buf.h"
#include "core/clock.h"
#include "core/crc32.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	HEAD_MAX = 16 * 1024,
	PIECE = 256 * 1024,
	SILENCE_MS = 10000, /* a server that answers nobody for so long is stuck */
	CONNECTIONS_MAX = 1024,
	WRONG_SHOWN = 3,
	FDFS_HEAD = 10,
	FDFS_GROUP = 16,
	FDFS_DOWNLOAD = 14,
};

struct url {
	char *path;
	uint64_t len;
	uint32_t crc;
};

struct conn {
	int fd;
	const struct url *url; /* asked for; NULL: idle for good */
	int64_t start_us;
	char head[HEAD_MAX + 1];
	size_t head_len;
	bool in_body, check, bad;
	uint64_t left; /* bytes of the body to come */
	uint32_t crc;
};

static const char *address;
static struct url *urls;
static size_t url_count, next_url, check_every = 64;
static int64_t deadline_us; /* 0: once through the list */
static bool over_fdfs;
static struct load_times times;
static size_t asked, wrong, checked;
static uint64_t bytes;
static char piece[PIECE];

static void read_list(const char *file)
{
	FILE *in = fopen(file, "re");
	char *line = NULL;
	size_t cap = 0, room = 0;
	int line_number = 0;

	if (in == NULL)
		load_die("cannot open %s: %s", file, strerror(errno));
	while (getline(&line, &cap, in) > 0) {
		char path[512];
		unsigned long long len;
		unsigned crc;

		line_number++;
		if (sscanf(line, "%511s %llu %x", path, &len, &crc) != 3)
			load_die("%s:%d: not PATH LENGTH CRC32", file, line_number);
		if (url_count == room) {
			room = room == 0 ? 1024 : room * 2;
			urls = reallocarray(urls, room, sizeof *urls);
			if (urls == NULL)
				load_die("out of memory");
		}
		urls[url_count++] = (struct url){ strdup(path), len, crc };
	}
	free(line);
	fclose(in);
	if (url_count == 0)
		load_die("%s has no lines", file);
}

static void complain(struct conn *conn, const char *what)
{
	if (!conn->bad && wrong++ < WRONG_SHOWN)
		fprintf(stderr, "load_http: %s%s: %s\n", address, conn->url->path, what);
	conn->bad = true;
}

static size_t fdfs_request(const char *path, char out[768])
{
	const char *name = strchr(path + 1, '/');
	uint8_t *to = (uint8_t *)out;

	if (name == NULL || name - path - 1 > FDFS_GROUP || strlen(name) > 256)
		load_die("%s is no id", path);
	memset(out, 0, FDFS_HEAD + 16 + FDFS_GROUP); /* from the start to the end of it */
	store_be64(to, 16 + FDFS_GROUP + strlen(name + 1));
	to[8] = FDFS_DOWNLOAD;
	memcpy(out + FDFS_HEAD + 16, path + 1, (size_t)(name - path - 1));
	memcpy(out + FDFS_HEAD + 16 + FDFS_GROUP, name + 1, strlen(name + 1));
	return FDFS_HEAD + 16 + FDFS_GROUP + strlen(name + 1);
}

static size_t http_request(const char *path, char out[768])
{
	return (size_t)snprintf(
		out, 768, "GET %s HTTP/1.1\r\nHost: pictures.example\r\n\r\n", path);
}

/* Ask for the next URL; false if there is none left. */
static bool ask(struct conn *conn)
{
	char request[768];
	size_t len;

	conn->start_us = clock_mono_us();
	if (deadline_us != 0 ? conn->start_us >= deadline_us : next_url == url_count) {
		conn->url = NULL;
		return false;
	}
	conn->url = &urls[next_url++ % url_count];
	conn->check = check_every != 0 && asked++ % check_every == 0;
	conn->head_len = 0;
	conn->in_body = conn->bad = false;
	conn->crc = 0;
	len = over_fdfs ? fdfs_request(conn->url->path, request)
			: http_request(conn->url->path, request);
	if (send(conn->fd, request, len, MSG_NOSIGNAL) != (ssize_t)len)
		load_die("%s takes no request: %s", address, strerror(errno));
	return true;
}

/* The header is complete and ends at `end`: what does it say? */
static void read_head(struct conn *conn, char *end)
{
	const char *line = conn->head, *len = NULL;

	*end = '\0';
	if (strncmp(conn->head, "HTTP/1.1 200 ", 13) != 0)
		complain(conn, "the status is not 200");
	while ((line = strstr(line, "\r\n")) != NULL) {
		line += 2;
		if (strncasecmp(line, "content-length:", 15) == 0)
			len = line + 15;
	}
	if (len == NULL)
		load_die("%s%s: an answer without a length", address, conn->url->path);
	conn->left = strtoull(len, NULL, 10);
	if (conn->left != conn->url->len)
		complain(conn, "the length is wrong");
	conn->in_body = true;
}

static void read_fdfs_head(struct conn *conn)
{
	const uint8_t *head = (const uint8_t *)conn->head;

	if (head[9] != 0)
		complain(conn, "the status is not 0");
	conn->left = load_be64(head);
	if (conn->left != conn->url->len)
		complain(conn, "the length is wrong");
	conn->in_body = true;
}

/* The bytes of the body that came with the header; NULL if that is not complete yet. */
static const char *end_head(struct conn *conn)
{
	char *end;

	conn->head[conn->head_len] = '\0';
	if (over_fdfs) {
		if (conn->head_len < FDFS_HEAD)
			return NULL;
		read_fdfs_head(conn);
		return conn->head + FDFS_HEAD;
	}
	end = strstr(conn->head, "\r\n\r\n");
	if (end == NULL && conn->head_len == HEAD_MAX)
		load_die("%s%s: an endless header", address, conn->url->path);
	if (end == NULL)
		return NULL;
	read_head(conn, end);
	return end + 4;
}

static void take_body(struct conn *conn, const char *data, size_t len)
{
	if (len > conn->left)
		load_die("%s%s: more bytes than announced", address, conn->url->path);
	if (conn->check)
		conn->crc = crc32_add(conn->crc, span_of(data, len));
	conn->left -= len;
	bytes += len;
}

/* The answer is complete; false if this was the connection's last. */
static bool finish(struct conn *conn)
{
	if (conn->check) {
		checked++;
		if (conn->crc != conn->url->crc)
			complain(conn, "the bytes are wrong");
	}
	load_times_add(&times, conn->start_us, clock_mono_us());
	return ask(conn);
}

/* Bytes have come; false if this was the connection's last answer. */
static bool on_readable(struct conn *conn)
{
	for (;;) {
		size_t want = conn->in_body ? (conn->left < PIECE ? conn->left : PIECE)
					    : HEAD_MAX - conn->head_len;
		char *to = conn->in_body ? piece : conn->head + conn->head_len;
		int flags = conn->in_body && !conn->check ? MSG_TRUNC : 0;
		ssize_t got = recv(conn->fd, to, want, flags);
		const char *body;

		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return true;
		if (got <= 0)
			load_die("%s%s: the connection ended in the middle", address,
				conn->url->path);
		if (conn->in_body) {
			take_body(conn, piece, (size_t)got);
		} else {
			conn->head_len += (size_t)got;
			body = end_head(conn);
			if (body == NULL)
				continue;
			take_body(conn, body, conn->head_len - (size_t)(body - conn->head));
		}
		if (conn->left == 0)
			return finish(conn);
		if ((size_t)got < want)
			return true; /* level triggered: it will be told again */
	}
}

static void run(struct conn *conns, size_t count)
{
	struct load_loop loop;
	size_t busy = 0;

	load_loop_init(&loop, address, SILENCE_MS);
	for (size_t i = 0; i < count; i++) {
		load_loop_add(&loop, conns[i].fd, EPOLLIN, &conns[i]);
		busy += ask(&conns[i]);
	}
	while (busy > 0) {
		int ready = load_loop_wait(&loop);

		for (int i = 0; i < ready; i++) {
			struct conn *conn = loop.events[i].data.ptr;

			if (!on_readable(conn)) {
				close(conn->fd);
				busy--;
			}
		}
	}
	load_loop_fini(&loop);
}

int main(int argc, char **argv)
{
	size_t count = 16;
	long duration_ms = 0;
	struct conn *conns;

	for (int opt; (opt = getopt(argc, argv, "a:c:t:k:f")) != -1;)
		if (opt == 'a')
			address = optarg;
		else if (opt == 'c')
			count = (size_t)load_number(optarg, 1, CONNECTIONS_MAX);
		else if (opt == 't')
			duration_ms = load_number(optarg, 1, 600 * 1000);
		else if (opt == 'k')
			check_every = (size_t)load_number(optarg, 0, 1000000);
		else if (opt == 'f')
			over_fdfs = true;
		else
			return 2;
	if (address == NULL || optind != argc - 1)
		load_die("usage: load_http -a HOST:PORT -c CONNECTIONS [-t MS] [-k EVERY] [-f] "
			 "LIST");
	read_list(argv[optind]);
	conns = calloc(count, sizeof *conns);
	if (conns == NULL)
		load_die("out of memory");
	for (size_t i = 0; i < count; i++)
		conns[i].fd = load_connect(address);
	if (duration_ms != 0)
		deadline_us = clock_mono_us() + duration_ms * 1000;
	run(conns, count);
	free(conns);
	load_report(&times, wrong, checked, bytes);
	for (size_t i = 0; i < url_count; i++)
		free(urls[i].path);
	free(urls);
	return wrong == 0 ? 0 : 1;
}
